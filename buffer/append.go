package buffer

import (
	"fmt"
	"slices"
	"time"

	"fieldferry/buffer/ring"
	"fieldferry/buffer/segment"
	"fieldferry/tag"
)

// pending is a block that is not durable yet. Buffer.mu guards it; the writer
// reads rec.Frames and entries without the lock while state is writing, when
// nobody changes them.
type pending struct {
	rec     *ring.Record
	enc     segment.Encoder
	entries []*entry // of the dictionary, that its samples use
	serial  uint64
	state   pendingState
}

type pendingState uint8

const (
	pendingIdle    pendingState = iota
	pendingWriting              // the writer has it, until it is durable or has failed
)

// hole is a run of samples, by count, that lies neither on disk nor in the
// ring. An empty reason means that every reader had settled them.
type hole struct {
	from, to uint64
	reason   string
}

const (
	// maxText bounds the text of a value: a sample must fit into a block.
	maxText = 48 << 10
	// maxReasonText bounds the reason of a quality.
	maxReasonText = 1 << 10
	// reasonTooLarge is the reason of a sample whose value was left out.
	reasonTooLarge = "value too large for the buffer"
)

// Append adds samples in order. When it returns nil they survive the end of
// the process; what s points to may be reused, except the tags. A value of
// more than 48 KiB of text is replaced by none, of bad quality, and counted.
//
// The error is ErrClosed, or tells of a sample without a tag, before which
// all were added. A disk that cannot be written is no error here: it is the
// buffer's business, and told by Stats.
func (b *Buffer) Append(s []tag.Sample) error {
	b.mu.Lock()
	err := b.appendLocked(s)
	direct := !b.shared
	full := b.ring.Used() >= b.lim.batch
	b.mu.Unlock()
	if direct {
		b.writeThrough()
	}
	if full {
		b.wake()
	}
	return err
}

func (b *Buffer) appendLocked(s []tag.Sample) error {
	defer b.wakeReadersLocked()
	for i := range s {
		if b.closed {
			return ErrClosed
		}
		if s[i].Tag == nil {
			return fmt.Errorf("append sample %d of %d: it has no tag", i+1, len(s))
		}
		b.addLocked(&s[i])
	}
	return nil
}

// addLocked encodes one sample into the ring.
func (b *Buffer) addLocked(s *tag.Sample) {
	if _, _, text := s.Value.Parts(); len(text) > maxText || len(s.Quality.Reason) > maxReasonText {
		s = b.shrinkLocked(s)
	}
	e, reason := b.entryLocked(s.Tag), b.reasonLocked(s.Quality.Reason)
	id, reasonID := e.id, uint32(0)
	if reason != nil {
		reasonID = reason.id
	}
	for deadline := (time.Time{}); ; {
		if p := b.currentLocked(); p != nil {
			enc := p.enc
			b.scratch = enc.Append(b.scratch[:0], s, id, reasonID)
			if b.ring.Append(p.rec, b.scratch, 1) {
				p.enc = enc
				p.use(e)
				p.use(reason)
				break
			}
			b.ring.Seal(p.rec)
		}
		var enc segment.Encoder
		if !b.beginLocked(len(enc.Append(b.scratch[:0], s, id, reasonID)), &deadline) {
			b.refuseLocked()
			break
		}
	}
	b.ord++
	b.lastSeq = b.ord + b.delta
	b.ring.SetOrd(b.ord)
	b.count.appended++
}

// shrinkLocked returns s without what does not fit into a block.
func (b *Buffer) shrinkLocked(s *tag.Sample) *tag.Sample {
	c := *s
	if len(c.Quality.Reason) > maxReasonText {
		c.Quality.Reason = c.Quality.Reason[:maxReasonText]
	}
	if _, _, text := c.Value.Parts(); len(text) > maxText {
		c.Value, c.Quality = tag.Value{}, tag.BadFor(reasonTooLarge)
		b.count.oversized++
	}
	return &c
}

// use notes that a sample of p needs e.
func (p *pending) use(e *entry) {
	if e != nil && e.mark != p.serial {
		e.mark = p.serial
		p.entries = append(p.entries, e)
	}
}

// currentLocked is the block that is being filled, or nil.
func (b *Buffer) currentLocked() *pending {
	if n := len(b.pending); n > 0 && !b.pending[n-1].rec.Sealed() {
		return b.pending[n-1]
	}
	return nil
}

// beginLocked starts a block with room for need bytes. While the ring is full
// it waits for the writer, up to the deadline that it sets the first time;
// when that does not help the oldest samples go, and where the writer holds
// those it returns false. It returns true when it is worth another try.
func (b *Buffer) beginLocked(need int, deadline *time.Time) bool {
	for {
		if rec := b.ring.Begin(b.ord+b.delta+1, b.ord, b.epoch, b.now, need); rec != nil {
			b.pending = append(b.pending, b.newPending(rec))
			return true
		}
		if n := len(b.pending); n > 0 {
			if b.freeSettledLocked(); len(b.pending) < n {
				continue
			}
		}
		if b.health.failing == nil && !b.closed && b.lim.patience > 0 {
			if deadline.IsZero() {
				*deadline = time.Now().Add(b.lim.patience)
			}
			if b.waitRoomLocked(time.Until(*deadline)) {
				return true // and somebody else may have begun a block
			}
			if b.currentLocked() != nil {
				return true
			}
		}
		if len(b.pending) == 0 || b.pending[0].state == pendingWriting {
			return false
		}
		p := b.pending[0]
		b.lostLocked(p.rec.Ord, p.rec.End(), reasonDisk)
		b.freeLocked()
	}
}

// waitRoomLocked waits for the writer, without the lock, and reports whether
// it made room or failed in time.
func (b *Buffer) waitRoomLocked(patience time.Duration) bool {
	if patience <= 0 {
		return false
	}
	space := b.space
	b.mu.Unlock()
	defer b.mu.Lock()
	b.wake()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-space:
		return true
	case <-t.C:
		return false
	}
}

// roomLocked wakes those who wait for room in the ring.
func (b *Buffer) roomLocked() {
	close(b.space)
	b.space = make(chan struct{})
}

func (b *Buffer) newPending(rec *ring.Record) *pending {
	p := new(pending)
	if n := len(b.spare); n > 0 {
		p, b.spare = b.spare[n-1], b.spare[:n-1]
	}
	b.count.blocks++
	*p = pending{rec: rec, entries: p.entries[:0], serial: b.count.blocks}
	return p
}

// refuseLocked counts the sample that is being appended as lost.
func (b *Buffer) refuseLocked() { b.lostLocked(b.ord, b.ord+1, reasonDisk) }

// lostLocked notes that samples are gone which never reached the disk.
func (b *Buffer) lostLocked(from, to uint64, reason string) {
	first := to
	for _, a := range b.accounts {
		if !a.Removed {
			first = min(first, max(from, a.Ord))
		}
	}
	if first < to {
		b.dropped = addCount(b.dropped, reason, to-first)
	}
	b.holeLocked(from, to, reason)
}

// holeLocked adds a hole in its place.
func (b *Buffer) holeLocked(from, to uint64, reason string) {
	i := len(b.holes)
	for i > 0 && b.holes[i-1].from > from {
		i--
	}
	if i > 0 && b.holes[i-1].to == from && b.holes[i-1].reason == reason {
		b.holes[i-1].to = to
		return
	}
	b.holes = slices.Insert(b.holes, i, hole{from: from, to: to, reason: reason})
}

// readersBeforeLocked says that some reader has not settled all samples below
// ord.
func (b *Buffer) readersBeforeLocked(ord uint64) bool {
	for _, a := range b.accounts {
		if !a.Removed && a.Ord < ord {
			return true
		}
	}
	return false
}

// settledLocked says that there are readers and all have settled all samples
// below ord.
func (b *Buffer) settledLocked(ord uint64) bool {
	return b.anyReaderLocked() && !b.readersBeforeLocked(ord)
}

func (b *Buffer) anyReaderLocked() bool {
	for _, a := range b.accounts {
		if !a.Removed {
			return true
		}
	}
	return false
}

// freeSettledLocked frees blocks that every reader has settled before they
// were written: they need never touch the disk.
func (b *Buffer) freeSettledLocked() {
	for len(b.pending) > 0 {
		p := b.pending[0]
		if p.state != pendingIdle || p.rec.Count == 0 || !b.settledLocked(p.rec.End()) {
			return
		}
		b.ring.Seal(p.rec)
		b.holeLocked(p.rec.Ord, p.rec.End(), "")
		b.count.skipped += uint64(p.rec.Count)
		b.freeLocked()
	}
}

// freeLocked gives up the oldest block.
func (b *Buffer) freeLocked() {
	p := b.pending[0]
	b.ring.Seal(p.rec)
	b.ring.Free()
	copy(b.pending, b.pending[1:])
	b.pending = b.pending[:len(b.pending)-1]
	p.rec = nil
	b.spare = append(b.spare, p)
	b.roomLocked()
}

func (b *Buffer) wake() {
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

func (b *Buffer) wakeReadersLocked() {
	for _, a := range b.accounts {
		if a.open != nil {
			a.open.kick()
		}
	}
}
