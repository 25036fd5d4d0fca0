package buffer

import (
	"time"

	"fieldferry/buffer/classlog"
)

// floorEvery is how often the free space is looked at.
const floorEvery = 10 * time.Second

// retain keeps the log within its bounds.
func (b *Buffer) retain() {
	b.log.Trim(false)
	b.retireOld()
	b.retireForFloor()
	b.makeRoom(b.ahead())
	b.log.SaveDrops()
}

// retireOld drops segments whose youngest sample is older than allowed, by
// the log's own time. The segment being written is sealed before it holds
// more than an eighth of that.
func (b *Buffer) retireOld() {
	age := b.cfg.MaxAge
	if age <= 0 {
		return
	}
	b.log.RollOld(age / 8)
	now := b.now()
	for x, ok := b.log.Oldest(); ok && now-x.End > age; x, ok = b.log.Oldest() {
		b.log.Retire(x, classlog.ReasonAge)
	}
}

func (b *Buffer) now() time.Duration {
	b.c.Mu.Lock()
	defer b.c.Mu.Unlock()
	return b.c.Now
}

// retireForFloor drops segments while the disk is fuller than allowed.
func (b *Buffer) retireForFloor() {
	now := b.now()
	if b.cfg.MinFree <= 0 || now < b.floorAt {
		return
	}
	b.floorAt = now + floorEvery
	free, err := b.log.Free()
	if err != nil {
		return // the next look may tell
	}
	for x, ok := b.log.Oldest(); ok && free < int64(b.cfg.MinFree); x, ok = b.log.Oldest() {
		b.log.Retire(x, classlog.ReasonFloor)
		free += x.Size
	}
}

// ahead is what the next segment will take, if none is being written.
func (b *Buffer) ahead() int64 {
	if b.log.Writing() {
		return 0
	}
	return b.lim.segment
}

// makeRoom drops segments so that need more bytes fit.
func (b *Buffer) makeRoom(need int64) {
	for {
		x, ok := b.log.Oldest()
		if b.log.Taken()+need <= int64(b.cfg.MaxBytes) || !ok {
			return
		}
		b.log.Retire(x, classlog.ReasonBytes)
	}
}
