// Package frame is what lies inside a block of the log, as buffer/FORMAT.md
// describes it: samples, each as the difference to the one before; the
// dictionary that names their tags and reasons; and the frames about readers,
// drops, skips, clocks and the end of a segment. It turns them into bytes and
// back, and decides nothing.
//
// Every decoder here takes arbitrary bytes: it returns ErrCorrupt, it never
// panics, and it never allocates more than the bytes it was given. Nothing
// blocks, and nothing is safe for concurrent use.
package frame
