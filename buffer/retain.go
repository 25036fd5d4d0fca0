package buffer

import (
	"time"

	"fieldferry/buffer/frame"
	"fieldferry/buffer/store"
)

// Reasons for samples that were lost, in Stats and in drop records.
const (
	reasonBytes   = "max bytes" // the log was as large as it may be
	reasonAge     = "max age"
	reasonFloor   = "min free" // the disk was as full as it may be
	reasonDisk    = "disk"     // the disk could not be written for too long
	reasonRemoved = "removed"  // their reader is no more
)

// floorEvery is how often the free space is looked at.
const floorEvery = 10 * time.Second

// retain keeps the log within its bounds.
func (b *Buffer) retain() {
	b.trim(false)
	b.retireOld()
	b.retireForFloor()
	b.makeRoom()
	if len(b.w.drops) > 0 {
		_ = b.tryCommit() // the drops stay noted; its error is in Stats and in the log
	}
	if len(b.w.drops) == 0 {
		b.store.Delete()
	}
}

// trim gives up segments that every reader has settled, durably. On a full
// disk it goes by what is in memory.
func (b *Buffer) trim(full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.book.Settled(b.q.Ord()) == 0 {
		return
	}
	passed := b.book.PassedDurably
	if full {
		passed = b.book.Passed
	}
	for x, ok := b.store.Oldest(); ok && passed(x.To); x, ok = b.store.Oldest() {
		b.store.Doom()
	}
}

// retireOld drops segments whose youngest sample is older than allowed, by
// the log's own time. The segment being written is sealed before it holds
// more than an eighth of that.
func (b *Buffer) retireOld() {
	age := b.cfg.MaxAge
	if age <= 0 {
		return
	}
	b.mu.Lock()
	now := b.now
	b.mu.Unlock()
	if begun, ok := b.store.Begun(); ok && now-begun > age/8 {
		if err := b.roll(); err != nil {
			b.fail(err)
		}
	}
	for x, ok := b.store.Oldest(); ok && now-x.End > age; x, ok = b.store.Oldest() {
		b.retire(x, reasonAge)
	}
}

// retireForFloor drops segments while the disk is fuller than allowed.
func (b *Buffer) retireForFloor() {
	b.mu.Lock()
	now := b.now
	b.mu.Unlock()
	if b.cfg.MinFree <= 0 || now < b.w.floorAt {
		return
	}
	b.w.floorAt = now + floorEvery
	free, err := b.store.Free()
	if err != nil {
		return // the next look may tell
	}
	for x, ok := b.store.Oldest(); ok && free < int64(b.cfg.MinFree); x, ok = b.store.Oldest() {
		b.retire(x, reasonFloor)
		free += x.Size
	}
}

// makeRoom drops segments so that one more fits, if none is being written.
func (b *Buffer) makeRoom() {
	for {
		used := b.store.Taken()
		if !b.store.Writing() {
			used += b.store.SegmentSize()
		}
		x, ok := b.store.Oldest()
		if used <= int64(b.cfg.MaxBytes) || !ok {
			return
		}
		b.retire(x, reasonBytes)
	}
}

// retire drops the oldest segment. The record of it is written with the next
// commit or segment; only then the file is deleted.
func (b *Buffer) retire(x store.Extent, reason string) {
	b.mu.Lock()
	n, now := b.book.Unsettled(x.From, x.To), b.now
	b.mu.Unlock()
	if n > 0 {
		d := frame.Drop{Reason: reason, From: x.To - n, To: x.To, LastSeq: x.LastSeq, Oldest: x.Begin, Newest: min(now, x.End)}
		b.store.Survey(&d)
		b.w.drops = append(b.w.drops, d)
		b.log.Warn("samples dropped that were not delivered", "reason", reason, "samples", n)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.book.Lost(x.From, x.To, reason)
	for _, a := range b.book.Accounts {
		a.DropTo(x.To, x.LastSeq, reason)
		b.keepLocked(a)
	}
	b.store.Doom()
}
