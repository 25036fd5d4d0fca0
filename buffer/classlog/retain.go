package classlog

import (
	"time"

	"fieldferry/buffer/frame"
	"fieldferry/buffer/store"
)

// Trim gives up segments that every reader has settled, durably. On a full
// disk it goes by what is in memory.
func (l *Log) Trim(full bool) {
	l.c.Mu.Lock()
	defer l.c.Mu.Unlock()
	if l.book.Settled(l.q.Ord()) == 0 {
		return
	}
	passed := l.book.PassedDurably
	if full {
		passed = l.book.Passed
	}
	for x, ok := l.store.Oldest(); ok && passed(x.To); x, ok = l.store.Oldest() {
		l.store.Doom()
	}
}

// Oldest returns the oldest segment that may be retired.
func (l *Log) Oldest() (store.Extent, bool) { return l.store.Oldest() }

// Taken is what the log takes on disk, and what it is about to take.
func (l *Log) Taken() int64 { return l.store.Taken() }

// Writing says that there is a segment that is written to.
func (l *Log) Writing() bool { return l.store.Writing() }

// Free returns how many bytes others may still write to the disk.
func (l *Log) Free() (int64, error) { return l.store.Free() }

// RollOld seals the segment that is written to when its oldest sample is older
// than age.
func (l *Log) RollOld(age time.Duration) {
	l.c.Mu.Lock()
	now := l.c.Now
	l.c.Mu.Unlock()
	if begun, ok := l.store.Begun(); ok && now-begun > age {
		if err := l.roll(); err != nil {
			l.fail(err)
		}
	}
}

// Retire drops the oldest segment. The record of it is written with the next
// commit or segment; only then the file is deleted.
func (l *Log) Retire(x store.Extent, reason string) {
	l.c.Mu.Lock()
	n, now := l.book.Unsettled(x.From, x.To), l.c.Now
	l.c.Mu.Unlock()
	if n > 0 {
		d := frame.Drop{Reason: reason, From: x.To - n, To: x.To, LastSeq: x.LastSeq, Oldest: x.Begin, Newest: min(now, x.End)}
		l.store.Survey(&d)
		l.w.drops = append(l.w.drops, d)
		l.c.Log.Warn("samples dropped that were not delivered", "reason", reason, "samples", n)
	}
	l.c.Mu.Lock()
	defer l.c.Mu.Unlock()
	l.book.Lost(x.From, x.To, reason)
	for _, a := range l.book.Accounts {
		a.DropTo(x.To, x.LastSeq, reason)
		l.KeepLocked(a)
	}
	l.store.Doom()
}

// SaveDrops makes the records of drops durable and deletes what is given up.
func (l *Log) SaveDrops() {
	if len(l.w.drops) > 0 {
		_ = l.TryCommit() // the drops stay noted; its error is in Stats and in the log
	}
	if len(l.w.drops) == 0 {
		l.store.Delete()
	}
}
