// Package segment is the shape of the buffer's files, as buffer/FORMAT.md
// describes it: the header page and the blocks. It finds its way through a
// damaged file; it decides nothing.
//
// A block is the unit of checksum. Its checksum covers header and payload and
// is seeded with the log and the segment that it belongs to, so that a stale
// block in reused space never passes for a new one. Every decoder here takes
// arbitrary bytes: it returns frame.ErrCorrupt, it never panics, and it never
// allocates more than the bytes it was given.
//
// Nothing here blocks except through the io.ReaderAt of a Scanner, and
// nothing is safe for concurrent use.
package segment
