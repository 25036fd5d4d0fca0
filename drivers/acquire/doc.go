// Package acquire runs one link for any driver: it opens the connection,
// reads every group on its schedule, carries writes, and tells what the link
// and its devices are doing.
//
// One goroutine owns the link. Schedules are absolute: a read that comes late
// does not move the ones after it, and a read whose turn has passed
// altogether is counted as an overrun and never queued. A device that misses
// several answers in a row is dead: its tags turn bad, and it is probed in
// the gaps between its neighbours' reads, with back-off. A write goes ahead
// of the next read. A lost connection is opened again with back-off and
// jitter. A driver that panics loses its connection and nothing else.
//
// Samples are handed to a Sink by function call, from one goroutine at a
// time. Run blocks until its context ends and leaves no goroutine behind.
package acquire
