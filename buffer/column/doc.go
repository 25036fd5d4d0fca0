// Package column stores the samples of one block column by column: all tag
// numbers, all times, all values, each as the difference to what is expected,
// and zstd over them where that pays. Neighbours in a column are alike,
// neighbours in a row are not.
//
// What goes in and comes out are rows, the frames of package frame, byte for
// byte: a Packer reads back what it has made before it returns it, and leaves
// the rows as they are where anything differs.
//
// An Unpacker takes arbitrary bytes: it returns an error that wraps
// frame.ErrCorrupt, it never panics, and it never allocates more than the rows
// of the largest block take, a few times over. Packer and Unpacker keep their
// memory from block to block: none is allocated for a sample. Neither is safe
// for concurrent use, and neither blocks.
package column
