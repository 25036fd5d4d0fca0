// Package strict decodes the nodes of YAML files into structs, and reports
// everything that is wrong with them at once.
//
// A Decoder fills a struct from one or several layers, of which the later
// wins, so that settings inherit. Fields take part by their `yaml` tag alone;
// a field without one is no setting. Behind the key the tag may carry
// options: `inline` (the fields of a struct stand in the parent), `path` (a
// file name, made absolute by the Decoder, as is the text of every key that
// ends in _file or _dir) and `required`. Supported are booleans, integers,
// floats, text, time.Duration ("500ms", "30d"), slices, maps with text or
// whole numbers as keys, structs, pointers, any, types with UnmarshalText,
// and *tree.Node, which takes a value as it stands, unchecked. Maps merge by
// key over the layers, structs merge field by field, everything else is
// replaced.
//
// Text is read as it is written. A bare number that others would change, such
// as 40001.10 or 040001, is refused with the quoted form as the hint.
//
// Nothing here blocks, does I/O or panics on outside data. A Decoder belongs
// to one goroutine.
package strict
