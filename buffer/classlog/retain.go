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

// Begun says that the log has a segment, which may be retired as soon as there
// is another one.
func (l *Log) Begun() bool {
	_, _, ok := l.store.First()
	return ok
}

// Spare says that the file of the next segment is there, and counted.
func (l *Log) Spare() bool { return l.store.Spare().Ready() }

// Release gives the space of the next segment's file back, and returns it.
func (l *Log) Release() int64 {
	if !l.Spare() {
		return 0
	}
	l.store.Spare().Release()
	return l.opt.Segment
}

// WantsSpare says that the file of the next segment should be there soon, and
// is not.
func (l *Log) WantsSpare() bool {
	l.c.Mu.Lock()
	now, failing := l.c.Now, l.health.failing != nil
	l.c.Mu.Unlock()
	return !failing && now >= l.w.spareAt && !l.Spare() && l.store.WantsSpare()
}

// Prepare allocates the file of the next segment while the one that is written
// to still has room, if room says that the disk may be used so far. What fails
// is tried again later: the segment itself will tell.
func (l *Log) Prepare(room func(need int64) bool) {
	l.c.Mu.Lock()
	now := l.c.Now
	l.c.Mu.Unlock()
	l.w.spareAt = now + minBackoff
	if !room(l.opt.Segment) {
		return
	}
	if err := l.store.Spare().Allocate(); err != nil {
		l.c.Log.Warn("the buffer's next segment cannot be allocated ahead", "class", l.opt.Class, "err", err)
		return
	}
	l.w.spareAt = 0
}

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
	open, n := l.book.Unsettled(x.From, x.To)
	now := l.c.Now
	l.c.Mu.Unlock()
	if n > 0 {
		d := frame.Drop{Reason: reason, From: open[0].From, To: x.To, N: n, LastSeq: x.LastSeq, Oldest: x.Begin, Newest: min(now, x.End)}
		l.store.Survey(&d, open)
		l.w.drops = append(l.w.drops, l.w.ledger.note(d))
		l.c.Log.Warn("samples dropped that were not delivered", "class", l.opt.Class, "reason", reason, "samples", n)
	}
	l.c.Mu.Lock()
	defer l.c.Mu.Unlock()
	l.tellDropsLocked()
	l.book.Lost(x.From, x.To, reason)
	for _, a := range l.book.Accounts {
		a.DropTo(x.To, reason)
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
