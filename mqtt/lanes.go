package mqtt

import (
	"time"

	"fieldferry/buffer"
)

// The orders in which an uplink sends what has waited.
const (
	liveFirst = "live-first"
	inOrder   = "in-order"
)

// laner is a Source that can let live samples go before those that wait.
type laner interface {
	// SplitLive makes a backlog of everything that is pending, in place of
	// Rewind. It reports false where that cannot be: all goes on in order.
	SplitLive(buffer.Pace) bool
	// Lanes tells how much is pending in either lane, and whether some of the
	// backlog was not handed out yet. It does not block.
	Lanes() (live, backlog uint64, behind bool)
}

var _ laner = (*buffer.Reader)(nil)

// lanesOf tells how much waits in either lane; a source without lanes has all
// of it in the live one.
func lanesOf(s Source) (live, backlog uint64, behind bool) {
	if l, ok := s.(laner); ok {
		return l.Lanes()
	}
	n, _ := s.Pending()
	return n, 0, false
}

// begin decides where the reading begins on a new connection: where some of
// what waits in the live lane is history, all that waits becomes the backlog.
func (v *values) begin(now time.Time) {
	v.boundary = v.marks.Boundary(now)
	v.sent.Connected()
	_, head := v.deps.Reader.Pending()
	live, _, _ := lanesOf(v.deps.Reader)
	l, ok := v.deps.Reader.(laner)
	if ok && v.conf.Replay == liveFirst && live > head-min(head, v.boundary) {
		l.SplitLive(buffer.Pace{Share: float64(v.conf.ReplayShare) / 100, PerSecond: float64(v.conf.ReplayRate)})
	} else {
		v.deps.Reader.Rewind()
	}
	v.last = 0
	if live, _, _ = lanesOf(v.deps.Reader); live == 0 {
		v.last = head
	}
}

// caughtUp says that all history was sent.
func (v *values) caughtUp() bool {
	_, _, behind := lanesOf(v.deps.Reader)
	return v.last >= v.boundary && !behind
}
