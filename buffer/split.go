package buffer

import (
	"slices"
	"time"

	"fieldferry/buffer/account"
	"fieldferry/buffer/pace"
)

// Pace says how fast the backlog of a Reader may go beside the live samples.
type Pace = pace.Limits

// SplitLive lets the samples that are appended from now on go first. What is
// pending becomes the backlog: Next hands out of it, marked as historical,
// what the pace allows. What was handed out and is not settled comes again, as
// after Rewind.
//
// It reports false where too many ranges are settled ahead of the position
// already: everything comes in order then.
func (r *Reader) SplitLive(p Pace) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.b.c.Mu.Lock()
	defer r.b.c.Mu.Unlock()
	if !r.ownsLocked() {
		return false
	}
	ok := true
	for _, a := range r.a {
		ok = ok && len(a.Ahead) < account.MaxAhead
	}
	for c, l := range r.b.logs {
		live, back, head := &r.live.cur[c], &r.back.cur[c], l.OrdLocked()
		live.from, back.from, back.to = 0, 0, 0
		if ok {
			live.from, back.to = head, head
		}
	}
	r.split = ok
	r.pace.Start(time.Now(), p)
	r.rewindLocked()
	return ok
}

// Lanes tells how many samples are not settled in either lane, and whether
// some of the backlog were not handed out yet. Without a split all are live.
func (r *Reader) Lanes() (live, backlog uint64, behind bool) {
	r.b.c.Mu.Lock()
	defer r.b.c.Mu.Unlock()
	for c, l := range r.b.logs {
		back := r.a[c].Pending(r.back.cur[c].to)
		backlog += back
		live += r.a[c].Pending(l.OrdLocked()) - back
	}
	return live, backlog, r.left
}

// splitLocked says that the backlog is not settled yet.
func (r *Reader) splitLocked() bool {
	return slices.ContainsFunc(r.back.cur[:], func(c cursor) bool { return c.a.Ord < c.to })
}
