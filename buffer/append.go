package buffer

import (
	"fmt"
	"time"

	"fieldferry/buffer/queue"
	"fieldferry/tag"
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
	direct := !b.q.Shared()
	full := b.q.Used() >= b.lim.batch
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

func (b *Buffer) addLocked(s *tag.Sample) {
	s, cut := queue.Fit(s)
	if cut {
		b.appended.oversized++
	}
	for deadline := (time.Time{}); !b.q.Add(s, b.now); {
		if !b.makeRoomLocked(&deadline) {
			ord := b.q.Ord()
			b.q.Lose(reasonDisk)
			b.book.Lost(ord, ord+1, reasonDisk)
			break
		}
	}
	b.lastSeq = b.q.Ord() + b.q.Delta()
}

// makeRoomLocked waits for the writer, up to the deadline that it sets the
// first time. When that does not help the oldest samples go. It reports false
// where the writer holds those: there is no room then.
func (b *Buffer) makeRoomLocked(deadline *time.Time) bool {
	if b.freeSettledLocked() > 0 {
		return true
	}
	if b.health.failing == nil && !b.closed && b.lim.patience > 0 {
		if deadline.IsZero() {
			*deadline = time.Now().Add(b.lim.patience)
		}
		if b.waitRoomLocked(time.Until(*deadline)) {
			return true
		}
	}
	h, ok := b.q.DropOldest(reasonDisk)
	if ok {
		b.book.Lost(h.From, h.To, reasonDisk)
	}
	return ok
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

// roomLocked wakes those who wait for room in the queue.
func (b *Buffer) roomLocked() {
	close(b.space)
	b.space = make(chan struct{})
}

// freeSettledLocked frees blocks that every reader has settled before they
// were written: they need never touch the disk.
func (b *Buffer) freeSettledLocked() uint64 {
	n := b.q.FreeSettled(b.book.Settled(b.q.Ord()))
	b.appended.skipped += n
	return n
}

func (b *Buffer) wake() {
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

func (b *Buffer) wakeReadersLocked() {
	for _, r := range b.open {
		r.kick()
	}
}
