package buffer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"fieldferry/buffer/ring"
	"fieldferry/buffer/segment"
	"fieldferry/tag"
)

// Reader takes samples from the log at its own position. Next is for one
// goroutine at a time; the other methods may be called from any.
type Reader struct {
	b    *Buffer
	a    *account
	wake chan struct{} // capacity 1: something was appended, or the buffer closed

	mu   sync.Mutex // guards the cursor; taken before Buffer.mu
	next uint64     // count of the log's samples before the one that comes next
	live live
	disk cursor
	dict names  // of this run, those seen lately
	out  []span // what this call of fill hands out
}

// live is a copy of the block in the ring that the reader is at.
type live struct {
	serial uint64 // of the block; 0: none
	frames []byte
	count  uint32
	epoch  uint32
	rows   segment.Rows
}

// names are the tags and reasons of a dictionary by their numbers.
type names struct {
	tags    map[uint32]*tag.Tag
	reasons map[uint32]string
}

func newNames() names {
	return names{tags: map[uint32]*tag.Tag{}, reasons: map[uint32]string{}}
}

// Reader opens the reader of that name, 1 to 128 bytes. A name that the log
// knows goes on behind the last sample that was settled; start is for new
// ones. Opening a name again closes the Reader that had it.
func (b *Buffer) Reader(name string, start Start) (*Reader, error) {
	if name == "" || len(name) > 128 {
		return nil, fmt.Errorf("open reader %q: the name is empty or longer than 128 bytes", name)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	a := b.accountLocked(name)
	if a == nil {
		if len(b.accounts) >= ring.Cells {
			return nil, fmt.Errorf("open reader %q: there are %d already", name, len(b.accounts))
		}
		a = b.newAccountLocked(name, start)
	}
	r := &Reader{b: b, a: a, wake: make(chan struct{}, 1), next: a.Ord, dict: newNames()}
	r.disk.r = r
	if a.open != nil {
		a.open.kick()
	}
	a.rewind()
	a.open = r
	return r, nil
}

func (b *Buffer) accountLocked(name string) *account {
	i := slices.IndexFunc(b.accounts, func(a *account) bool { return a.Name == name && !a.Removed })
	if i < 0 {
		return nil
	}
	return b.accounts[i]
}

// newAccountLocked makes the account of a new reader. If the accounts of
// earlier runs were lost it may be one of theirs: it begins at the oldest
// sample then, since twice is better than never.
func (b *Buffer) newAccountLocked(name string, start Start) *account {
	a := &account{Reader: segment.Reader{Name: name, Ord: b.ord, Start: b.ord, Seq: b.lastSeq}, cell: b.freeCellLocked()}
	if start == StartOldest || !b.statesOK {
		ord, seq := b.oldestLocked()
		a.Ord, a.Start, a.Seq = ord, ord, seq
	}
	b.accounts = slices.DeleteFunc(b.accounts, func(x *account) bool {
		gone := x.Name == name // removed a moment ago, not yet durably
		if gone {
			a.cell, a.isSaved, a.saved = x.cell, x.isSaved, x.saved
		}
		return gone
	})
	a.version = a.savedVers + 1
	b.accounts = append(b.accounts, a)
	b.keepLocked(a)
	return a
}

// oldestLocked is where the oldest sample lies that is still there, and the
// sequence number before it.
func (b *Buffer) oldestLocked() (ord, seq uint64) {
	if len(b.segs) > 0 {
		return b.segs[0].FirstOrd, b.segs[0].FirstSeq - 1
	}
	return b.diskOrd, b.diskOrd + b.delta
}

// RemoveReader forgets a reader for good: what it had not settled is counted
// as dropped, and no longer kept for it. An unknown name is no error. When it
// returns nil the removal is durable.
func (b *Buffer) RemoveReader(name string) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	a := b.accountLocked(name)
	if a == nil {
		b.mu.Unlock()
		return nil
	}
	waiting := b.ord - a.Ord
	if a.open != nil {
		a.open.kick()
		a.open = nil
	}
	a.rewind()
	a.Removed = true
	a.version++
	b.keepLocked(a)
	if waiting > 0 {
		b.dropped = addCount(b.dropped, reasonRemoved, waiting)
	}
	b.mu.Unlock()
	b.log.Info("reader removed", "uplink", name, "samples", waiting)
	return b.Sync(context.Background())
}

// forgetRemovedLocked forgets readers whose removal is durable.
func (b *Buffer) forgetRemovedLocked() {
	b.accounts = slices.DeleteFunc(b.accounts, func(a *account) bool {
		gone := a.Removed && a.isSaved && a.saved.Removed
		if gone && b.ring != nil && a.cell < ring.Cells {
			b.ring.ClearCell(a.cell)
		}
		return gone
	})
}

// Next appends samples to dst, in order, as many as are there up to dst's
// capacity, and waits for the first. Without spare capacity dst grows by 256.
//
// Every sample behind the settled ones comes exactly once, until Rewind;
// samples that are gone are passed over and counted. Next returns the error
// of ctx when that ends, and ErrClosed when the buffer was closed, the reader
// removed, or opened again. A disk that cannot be read is waited for.
func (r *Reader) Next(ctx context.Context, dst []Entry) ([]Entry, error) {
	if len(dst) == cap(dst) {
		dst = slices.Grow(dst, 256)
	}
	for n := len(dst); ; {
		var pause time.Duration
		var err error
		dst, pause, err = r.fill(dst)
		if err != nil || len(dst) > n {
			return dst, err
		}
		if err := r.wait(ctx, pause); err != nil {
			return dst, err
		}
	}
}

// wait waits for a sample, or for the pause that a bad disk is given.
func (r *Reader) wait(ctx context.Context, pause time.Duration) error {
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.b.stop:
			return nil // the next look at the buffer tells
		case <-t.C:
			return nil
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.wake:
		return nil
	}
}

func (r *Reader) kick() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Settle says that every sample up to seq that Next has returned is done
// with: delivered, unless Filtered or PutAside named it before. It does not
// block on the disk; the position is durable within the sync interval, and
// survives the end of the process at once.
func (r *Reader) Settle(seq uint64) {
	b := r.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.a.open == r && !b.closed {
		r.a.settle(seq)
		b.keepLocked(r.a)
	}
}

// Filtered says that a sample which Next has returned, and which is not
// settled yet, is not meant for this uplink.
func (r *Reader) Filtered(seq uint64) { r.mark(seq, "") }

// PutAside says that a sample which Next has returned, and which is not
// settled yet, cannot be delivered, and why. The reason is one of few words:
// 16 are counted apart.
func (r *Reader) PutAside(seq uint64, reason string) {
	if reason == "" {
		reason = otherReason
	}
	r.mark(seq, reason)
}

func (r *Reader) mark(seq uint64, reason string) {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	if r.a.open == r {
		r.a.mark(seq, reason)
	}
}

// Rewind makes the next call of Next start again behind the last settled
// sample. What Filtered and PutAside said of samples behind it is forgotten.
func (r *Reader) Rewind() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	if r.a.open == r {
		r.a.rewind()
		r.jump(r.a.Ord)
		r.kick()
	}
}

// Position returns the last settled sequence number and the last one given.
// The numbers between them are not all given: see Stats for how many wait.
func (r *Reader) Position() (settled, head uint64) {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	return r.a.Seq, r.b.lastSeq
}

// jump moves the cursor.
func (r *Reader) jump(ord uint64) {
	r.next, r.live.serial = ord, 0
	r.disk.leave()
}

// fill appends what is there to dst. A pause says that the disk could not be
// read and when to try again.
func (r *Reader) fill(dst []Entry) ([]Entry, time.Duration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(dst)
	r.out = r.out[:0]
	var pause time.Duration
	for len(dst) < cap(dst) {
		where, err := r.locate()
		if err != nil {
			r.disk.leave()
			return dst[:n], 0, err
		}
		if where == atEnd {
			break
		}
		if where == inRing {
			dst = r.takeLive(dst)
			continue
		}
		var ok bool
		if dst, ok = r.disk.take(dst); !ok {
			pause = r.disk.pause()
			break
		}
	}
	if !r.handOut() {
		return dst[:n], time.Nanosecond, nil // dropped meanwhile: look again
	}
	return dst, pause, nil
}

// handOut enters what was taken into the account. It reports false, and
// takes it back, when some of it was dropped meanwhile.
func (r *Reader) handOut() bool {
	b := r.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(r.out) == 0 {
		return true
	}
	if r.a.open != r || r.out[0].ord < r.a.Ord {
		r.jump(max(r.a.Ord, r.out[0].ord))
		return false
	}
	before := r.a.Ord
	for _, s := range r.out {
		r.a.push(s)
	}
	if r.a.Ord != before {
		b.keepLocked(r.a)
	}
	return true
}

type place uint8

const (
	atEnd place = iota
	inRing
	onDisk
)

// locate finds where the next sample lies. When it is in the ring the copy of
// its block is brought up to date.
func (r *Reader) locate() (place, error) {
	b := r.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || r.a.open != r {
		return atEnd, ErrClosed
	}
	if r.a.Ord > r.next {
		r.jump(r.a.Ord)
	}
	if r.live.serial != 0 && r.live.rows.Left() > 0 {
		return inRing, nil
	}
	for r.next < b.ord {
		if p := b.findLocked(r.next); p != nil {
			r.copyLocked(p)
			return inRing, nil
		}
		r.live.serial = 0
		if r.next < b.diskOrd {
			return onDisk, nil
		}
		end := b.ord
		if len(b.pending) > 0 && b.pending[0].rec.Ord > r.next {
			end = b.pending[0].rec.Ord
		}
		for _, h := range cover(b.holes, r.next, end) {
			r.pass(h)
		}
	}
	return atEnd, nil
}

// findLocked returns the block in the ring that holds the sample.
func (b *Buffer) findLocked(ord uint64) *pending {
	for i := len(b.pending) - 1; i >= 0; i-- {
		rec := b.pending[i].rec
		if rec.Ord <= ord {
			if ord < rec.End() {
				return b.pending[i]
			}
			return nil
		}
	}
	return nil
}

// copyLocked copies what p holds beyond the copy.
func (r *Reader) copyLocked(p *pending) {
	l := &r.live
	if l.serial != p.serial {
		*l = live{serial: p.serial, frames: l.frames[:0], epoch: p.rec.Epoch}
		l.rows = segment.NewRows(&segment.Block{FirstSeq: p.rec.Seq})
		r.disk.leave()
		l.count = 0
		r.skipTo(p)
		return
	}
	l.frames = append(l.frames, p.rec.Frames[len(l.frames):]...)
	l.rows.More(l.frames, p.rec.Count-l.count)
	l.count = p.rec.Count
}

// skipTo copies p and passes over its samples before the next one.
func (r *Reader) skipTo(p *pending) {
	l := &r.live
	l.frames = append(l.frames, p.rec.Frames...)
	l.rows.More(l.frames, p.rec.Count)
	l.count = p.rec.Count
	var row segment.Row
	for ord := p.rec.Ord; ord < r.next && l.rows.Next(&row) == nil; ord++ {
		continue
	}
}

// pass passes over samples that are gone.
func (r *Reader) pass(h hole) {
	s := span{ord: h.from, n: h.to - h.from, kind: spanLost, reason: h.reason}
	if h.reason == "" {
		s.kind = spanSkip
	}
	r.out = append(r.out, s)
	r.next = h.to
}

// takeLive decodes samples out of the copy of the block.
func (r *Reader) takeLive(dst []Entry) []Entry {
	var ok bool
	if dst, ok = r.decode(dst, &r.live.rows, r.live.epoch, r); !ok {
		r.pass(hole{from: r.next, to: r.next + uint64(r.live.rows.Left()), reason: reasonDamage})
		r.live.serial = 0
	}
	return dst
}

// namer knows the numbers of one dictionary.
type namer interface {
	name(row *segment.Row) bool
}

// decode appends rows to dst while it has room. It reports false when the
// next row cannot be read.
func (r *Reader) decode(dst []Entry, rows *segment.Rows, epoch uint32, by namer) ([]Entry, bool) {
	var row segment.Row
	for rows.Left() > 0 && len(dst) < cap(dst) {
		if rows.Next(&row) != nil {
			return dst, false
		}
		ord := r.next
		if !by.name(&row) {
			r.pass(hole{from: ord, to: ord + 1, reason: reasonDamage})
			continue
		}
		r.next++
		r.handed(ord, row.Seq)
		dst = append(dst, Entry{Seq: row.Seq, Epoch: epoch, Sample: row.Sample, Historical: ord < r.b.runOrd})
	}
	return dst, true
}

// handed notes that a sample is handed out.
func (r *Reader) handed(ord, seq uint64) {
	if n := len(r.out); n > 0 {
		if s := &r.out[n-1]; s.kind == spanData && s.seq+s.n == seq && s.ord+s.n == ord {
			s.n++
			return
		}
	}
	r.out = append(r.out, span{ord: ord, seq: seq, n: 1})
}

// name finds the tag and the reason of a row in the ring: they are the very
// ones that were appended in this run.
func (r *Reader) name(row *segment.Row) bool {
	if r.dict.name(row) {
		return true
	}
	b := r.b
	if len(r.dict.tags) >= maxKnownTags {
		r.dict = newNames()
	}
	b.mu.Lock()
	if e := b.dict.tagByID[row.Tag]; e != nil {
		r.dict.tags[row.Tag] = e.tag
	}
	if e := b.dict.reasonByID[row.Reason]; e != nil {
		r.dict.reasons[row.Reason] = e.reason
	}
	b.mu.Unlock()
	return r.dict.name(row)
}

// name reports false when a number is not known.
func (n *names) name(row *segment.Row) bool {
	t := n.tags[row.Tag]
	if t == nil {
		return false
	}
	row.Sample.Tag = t
	if row.Reason != 0 {
		text, ok := n.reasons[row.Reason]
		row.Sample.Quality.Reason = text
		return ok
	}
	return true
}
