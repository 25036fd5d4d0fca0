// Package strict reads YAML that people write into structs, and tells
// everything that is wrong with it at once: where (file, line, column and
// path), what, and what to do.
//
// It is the only package that knows the YAML library. Parse turns a file into
// a tree of Nodes which keep their positions; a Decoder fills structs from
// one or several layers of such trees, of which the later wins, so that
// settings inherit. Faults are collected in a Report.
//
// Fields take part by their `yaml` tag alone; a field without one is no
// setting. Behind the key the tag may carry options: `inline` (the fields of
// a struct stand in the parent), `path` (a file name, made absolute by the
// Decoder) and `required`. Supported are booleans, integers, floats, text,
// time.Duration ("500ms", "30d"), slices, maps with text or whole numbers as
// keys, structs, pointers, any, types with UnmarshalText, and *Node, which
// takes a value as it stands, unchecked. Maps merge by key over the layers,
// structs merge field by field, everything else is replaced.
//
// Nothing here blocks, does I/O or panics on outside data. A Decoder and a
// Report belong to one goroutine; Nodes are not changed once parsed and may
// be read by any.
package strict
