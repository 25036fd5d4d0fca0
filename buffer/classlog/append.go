package classlog

import (
	"time"

	"fieldferry/buffer/queue"
	"fieldferry/tag"
)

// AddLocked appends one sample and gives it its sequence number. It may let
// go of the lock while it waits for room.
func (l *Log) AddLocked(s *tag.Sample) {
	s, cut := queue.Fit(s)
	if cut {
		l.appended.oversized++
	}
	for deadline := (time.Time{}); !l.q.Add(s, l.c.Seq+1, l.c.Now); {
		if !l.makeRoomLocked(&deadline) {
			ord := l.q.Ord()
			l.q.Lose(s.Tag, l.c.Seq+1, ReasonDisk)
			l.book.Lost(ord, ord+1, ReasonDisk)
			break
		}
	}
	l.c.Seq++
}

// makeRoomLocked waits for the writer, up to the deadline that it sets the
// first time. When that does not help the oldest samples go. It reports false
// where the writer holds those: there is no room then.
func (l *Log) makeRoomLocked(deadline *time.Time) bool {
	if l.freeSettledLocked() > 0 {
		return true
	}
	if l.health.failing == nil && !l.c.Closed && l.opt.Patience > 0 {
		if deadline.IsZero() {
			*deadline = time.Now().Add(l.opt.Patience)
		}
		if l.waitRoomLocked(time.Until(*deadline)) {
			return true
		}
	}
	h, ok := l.q.DropOldest(ReasonDisk)
	if ok {
		l.book.Lost(h.From, h.To, ReasonDisk)
	}
	return ok
}

// waitRoomLocked waits for the writer, without the lock, and reports whether
// it made room or failed in time.
func (l *Log) waitRoomLocked(patience time.Duration) bool {
	if patience <= 0 {
		return false
	}
	space := l.space
	l.waited = true
	l.c.Mu.Unlock()
	defer l.c.Mu.Lock()
	l.c.Kick()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-space:
		return true
	case <-t.C:
		return false
	}
}

// RoomLocked wakes those who wait for room in the queue.
func (l *Log) RoomLocked() {
	l.waited = false
	close(l.space)
	l.space = make(chan struct{})
}

// DirectLocked says that what was appended must be passed to WriteThrough:
// no shared memory keeps it.
func (l *Log) DirectLocked() bool { return !l.q.Shared() }

// WaitedForLocked says that somebody waits for room in the queue.
func (l *Log) WaitedForLocked() bool { return l.waited }

// FullLocked says that so much waits that it is to be committed now.
func (l *Log) FullLocked() bool { return l.q.Used() >= l.opt.Batch }

// freeSettledLocked frees blocks that every reader has settled before they
// were written: they need never touch the disk.
func (l *Log) freeSettledLocked() uint64 {
	n := l.q.FreeSettled(l.book.Covers)
	l.appended.skipped += n
	return n
}
