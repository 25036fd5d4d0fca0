package buffer

import (
	"math"
	"slices"
	"time"

	"fieldferry/buffer/account"
	"fieldferry/buffer/classlog"
	"fieldferry/buffer/clock"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/pace"
	"fieldferry/buffer/queue"
	"fieldferry/buffer/store"
	"fieldferry/tag"
)

// lane is a reader's way through all classes, merged by sequence number.
type lane struct {
	cur [classes]cursor
}

// cursor is the place of a lane in one log.
type cursor struct {
	log  *classlog.Log
	a    *account.Account
	from uint64 // the lane begins here,
	to   uint64 // and ends here
	over uint64 // samples before it were overtaken in an earlier run
	next uint64 // count of the log's samples before the one that comes next
	mark uint64 // next when the filling began
	skip []frame.Range
	live queue.Copy
	disk *store.Cursor

	row   frame.Row // the next sample, if have
	have  bool
	epoch uint32
	at    time.Duration // when its block was begun
	trust clock.Span    // what the clock was worth then
	pause time.Duration // the disk could not be read
}

// init sets the cursor to what is not settled, or, for a back lane, to
// nothing.
func (c *cursor) init(l *classlog.Log, a *account.Account, back bool) {
	c.log, c.a, c.disk, c.from, c.to = l, a, l.Cursor(), a.Ord, math.MaxUint64
	if back {
		c.to = 0
	}
	if n := len(a.Ahead); n > 0 {
		c.over = a.Ahead[n-1].To
	}
	c.restart()
}

// restart goes back to what is not settled.
func (c *cursor) restart() {
	c.skip = slices.Clone(c.a.Ahead)
	c.jump(max(c.from, c.a.Ord))
}

func (l *lane) restart() {
	for i := range l.cur {
		l.cur[i].restart()
	}
}

// jump moves the cursor.
func (c *cursor) jump(ord uint64) {
	c.next, c.have = ord, false
	c.live.Drop()
	c.disk.Leave()
}

// fill appends what is there to dst. A pause says when to look again though
// nothing may have been appended.
func (r *Reader) fill(dst []Entry) ([]Entry, time.Duration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, spent := len(dst), 0
	r.out = r.out[:0]
	head, quota, pause, err := r.begin(cap(dst) - n)
	if err != nil {
		r.leave()
		return dst[:n], 0, err
	}
	dst, wait := r.merge(&r.live, dst, cap(dst)-n, head, false)
	pause = pace.Shorter(pause, wait)
	if quota > 0 {
		at := len(dst)
		dst, wait = r.merge(&r.back, dst, min(quota, cap(dst)-len(dst)), head, true)
		pause, spent = pace.Shorter(pause, wait), len(dst)-at
	}
	if !r.handOut(dst[n:], spent) {
		return dst[:n], time.Nanosecond, nil // dropped meanwhile: look again
	}
	return dst, pause, nil
}

func (r *Reader) leave() {
	for i := range r.live.cur {
		r.live.cur[i].disk.Leave()
		r.back.cur[i].disk.Leave()
	}
}

// begin takes a look at the buffer. Only samples up to head are handed out
// now: all of those are there to see, so that they come in order.
func (r *Reader) begin(room int) (head uint64, quota int, pause time.Duration, err error) {
	r.b.c.Mu.Lock()
	defer r.b.c.Mu.Unlock()
	if !r.ownsLocked() {
		return 0, 0, 0, ErrClosed
	}
	for i := range r.live.cur {
		r.live.cur[i].begin()
		r.back.cur[i].begin()
	}
	if r.split {
		if r.split = r.splitLocked(); r.split && r.back.moreLocked() {
			quota, pause = r.pace.Quota(time.Now(), room)
		}
	}
	return r.b.c.Seq, quota, pause, nil
}

func (c *cursor) begin() {
	c.pause = 0
	if c.a.Ord > c.next {
		c.jump(c.a.Ord)
	}
	c.mark = c.next
	c.trust = c.log.TrustLocked(c.at) // it may have come to be known
}

// merge appends samples of a lane to dst, most of them at most, the one with
// the lowest number first.
func (r *Reader) merge(l *lane, dst []Entry, most int, head uint64, back bool) ([]Entry, time.Duration) {
	var pause time.Duration
	for end := len(dst) + most; len(dst) < end; {
		best, bound := -1, head
		for i := range l.cur {
			c := &l.cur[i]
			if !c.have {
				r.peek(c, tag.Class(i))
			}
			switch {
			case !c.have || c.row.Seq > head:
			case best < 0:
				best = i
			case c.row.Seq < l.cur[best].row.Seq:
				best, bound = i, min(bound, l.cur[best].row.Seq)
			default:
				bound = min(bound, c.row.Seq)
			}
		}
		if best < 0 {
			break
		}
		dst = r.emit(&l.cur[best], tag.Class(best), dst, end, bound, back)
	}
	for i := range l.cur {
		pause = pace.Shorter(pause, l.cur[i].pause)
	}
	return dst, pause
}

// moreLocked says that the lane has not come to its end.
func (l *lane) moreLocked() bool {
	return slices.ContainsFunc(l.cur[:], func(c cursor) bool { return !c.a.Covers(c.next, c.to) })
}

// emit appends samples of one class up to the number bound.
func (r *Reader) emit(c *cursor, class tag.Class, dst []Entry, end int, bound uint64, back bool) []Entry {
	for c.have && c.row.Seq <= bound && len(dst) < end {
		trust := c.trust.Repair(&c.row.Sample)
		dst = append(dst, Entry{
			Seq: c.row.Seq, Epoch: c.epoch, N: c.row.N, Clock: trust, Sample: c.row.Sample,
			Historical: back || c.next < c.log.RunOrd(), Overtaken: c.next < c.over,
		})
		r.note(run{class: class, ord: c.next, n: 1})
		c.next, c.have = c.next+1, false
		if len(dst) < end {
			r.peek(c, class)
		}
	}
	return dst
}

// note notes what is handed out or passed over.
func (r *Reader) note(x run) {
	if n := len(r.out); n > 0 && r.out[n-1].extend(&x) {
		return
	}
	r.out = append(r.out, x)
}

// extend adds y to x if it is the same behind it.
func (x *run) extend(y *run) bool {
	if x.class != y.class || x.kind != y.kind || x.reason != y.reason || x.ord+x.n != y.ord ||
		y.turn != 0 && x.turn+x.n != y.turn {
		return false
	}
	x.n += y.n
	return true
}

// peek reads the next sample of a class, if it is there to be read, and passes
// over those that are gone.
func (r *Reader) peek(c *cursor, class tag.Class) {
	for c.pause == 0 && !c.have {
		for len(c.skip) > 0 && c.skip[0].From <= c.next {
			if c.skip[0].To > c.next {
				c.jump(c.skip[0].To)
			}
			c.skip = c.skip[1:]
		}
		if c.next >= c.to {
			return
		}
		if c.live.Rows.Left() > 0 {
			c.epoch = c.live.Epoch
			r.decode(c, class, &c.live.Rows, &c.live)
			continue
		}
		if rows, epoch := c.disk.Rows(); rows.Left() > 0 {
			c.epoch = epoch
			r.decode(c, class, rows, c.disk)
			continue
		}
		if !r.locate(c, class) {
			return
		}
	}
}

// locate finds where the next sample of a class lies, and goes there. It
// reports false at the end of the log.
func (r *Reader) locate(c *cursor, class tag.Class) bool {
	r.b.c.Mu.Lock()
	where, blk, limit, gaps := c.log.LocateLocked(c.next)
	switch where {
	case classlog.InQueue:
		c.disk.Leave()
		c.live.Update(blk, c.next)
		c.begunLocked(c.live.Time())
	case classlog.AtEnd: // what the copy holds may grow
	case classlog.OnDisk, classlog.Gone:
		c.live.Drop()
	}
	r.b.c.Mu.Unlock()
	switch where {
	case classlog.AtEnd:
		return false
	case classlog.OnDisk:
		gap, ok := c.disk.Next(c.next, limit)
		r.pass(c, class, gap.To, gap.Reason)
		if !ok {
			c.pause = c.disk.Pause()
		}
		r.b.c.Mu.Lock()
		c.begunLocked(c.disk.Time())
		r.b.c.Mu.Unlock()
	case classlog.Gone:
		for _, g := range gaps {
			r.pass(c, class, g.To, g.Reason)
		}
	case classlog.InQueue:
	}
	return true
}

// begunLocked notes when the block was begun that the cursor has gone to.
func (c *cursor) begunLocked(at time.Duration) { c.at, c.trust = at, c.log.TrustLocked(at) }

// pass passes over samples that are gone, up to to.
func (r *Reader) pass(c *cursor, class tag.Class, to uint64, reason string) {
	if to = min(to, c.to); to <= c.next {
		return
	}
	x := run{class: class, ord: c.next, n: to - c.next, kind: account.Lost, reason: reason}
	if reason == "" {
		x.kind = account.Skipped
	}
	r.note(x)
	c.next = to
}

// namer knows the numbers of one dictionary.
type namer interface {
	Name(row *frame.Row) bool
	Hurt() // something could not be read
}

// decode reads the next row, or passes over what cannot be read.
func (r *Reader) decode(c *cursor, class tag.Class, rows *frame.Rows, by namer) {
	left := rows.Left()
	if rows.Next(&c.row) != nil {
		by.Hurt()
		*rows = frame.Rows{}
		r.pass(c, class, c.next+uint64(left), store.Damaged)
		return
	}
	if c.have = by.Name(&c.row); !c.have {
		by.Hurt()
		r.pass(c, class, c.next+1, store.Damaged)
	}
}

// handOut enters what was taken into the account and gives the turns. It
// reports false, and takes everything back, when some of it was dropped
// meanwhile.
func (r *Reader) handOut(es []Entry, spent int) bool {
	r.b.c.Mu.Lock()
	defer r.b.c.Mu.Unlock()
	for i := range r.out {
		x := &r.out[i]
		if !r.ownsLocked() || x.kind == account.Delivered && x.ord < r.a[x.class].Ord {
			r.takeBackLocked()
			return false
		}
	}
	next := r.turn
	for i := range r.out {
		x := r.out[i]
		x.turn = next + 1
		if x.kind == account.Delivered {
			next += x.n
		}
		if n := len(r.runs); n == 0 || !r.runs[n-1].extend(&x) {
			r.runs = append(r.runs, x)
		}
	}
	for i := range es {
		r.turn++
		es[i].Turn = r.turn
	}
	if len(r.out) > 0 {
		r.settleLocked(0) // what is gone and comes first
	}
	r.left = r.split && r.back.moreLocked()
	if len(es) > 0 {
		r.pace.Busy(time.Now())
		r.pace.Spend(spent)
	}
	return true
}

func (r *Reader) takeBackLocked() {
	for i := range r.live.cur {
		for _, c := range []*cursor{&r.live.cur[i], &r.back.cur[i]} {
			if c.mark != c.next || c.have {
				c.skip = slices.Clone(c.a.Ahead)
				c.jump(max(c.mark, c.a.Ord))
			}
		}
	}
}
