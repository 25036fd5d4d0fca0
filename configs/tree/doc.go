// Package tree reads a YAML file into nodes that keep their positions, and
// collects faults about them. It is the only package that knows the YAML
// library.
//
// Parse refuses what a configuration does not need and what surprises people:
// duplicate keys, several documents, merge keys, tags, aliases beyond a
// limit, deep nesting, large files, text that is not UTF-8. Syntax errors are
// explained in the user's words at the line that causes them. A Node tells
// its path and, for edits, the bytes that it takes up in the file.
//
// Nothing here blocks, does I/O or panics on outside data. Nodes are not
// changed once parsed and may be read by any goroutine; a Report belongs to
// one.
package tree
