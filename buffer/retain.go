package buffer

import (
	"time"

	"fieldferry/buffer/classlog"
	"fieldferry/buffer/store"
	"fieldferry/tag"
)

// floorEvery is how often the free space is looked at.
const floorEvery = 10 * time.Second

// lowest lists the classes, the one whose samples go first at the front.
var lowest = [classes]tag.Class{tag.ClassBulk, tag.ClassNormal, tag.ClassAlarm}

// retain keeps the logs within their bounds.
func (b *Buffer) retain() {
	for _, l := range b.logs {
		l.Trim(false)
	}
	b.retireGone()
	b.retireOld()
	b.retireForFloor()
	need := b.lim.segment
	if b.logs[normal].Writing() || b.logs[normal].Spare() {
		need = 0
	}
	b.makeRoom(need)
	for _, l := range b.logs {
		l.SaveDrops()
	}
	for _, l := range b.logs {
		l.Prepare(b.roomy)
	}
}

// roomy says that need more bytes fit without a sample being dropped for them.
func (b *Buffer) roomy(need int64) bool {
	if b.taken()+need > int64(b.cfg.MaxBytes) {
		return false
	}
	free, err := b.logs[normal].Free()
	return err != nil || free >= int64(b.cfg.MinFree)+need
}

// taken is what the logs take of the disk.
func (b *Buffer) taken() (n int64) {
	for _, l := range b.logs {
		n += l.Taken()
	}
	return n
}

// release gives back what was only allocated ahead.
func (b *Buffer) release() (n int64) {
	for _, l := range b.logs {
		n += l.Release()
	}
	return n
}

// retireOld drops segments whose youngest sample is older than allowed, by
// the log's own time. The segment being written is sealed before it holds
// more than an eighth of that.
func (b *Buffer) retireOld() {
	age := b.cfg.MaxAge
	if age <= 0 {
		return
	}
	for _, l := range b.logs {
		l.RollOld(age / 8)
		now := b.now()
		for x, ok := l.Oldest(); ok && now-x.End > age; x, ok = l.Oldest() {
			l.Retire(x, classlog.ReasonAge)
		}
	}
}

func (b *Buffer) now() time.Duration {
	b.c.Mu.Lock()
	defer b.c.Mu.Unlock()
	return b.c.Now
}

// victim is the segment that goes first when there is too little space: the
// oldest of the lowest class that has one which is not written to.
func (b *Buffer) victim() (*classlog.Log, store.Extent, bool) {
	for _, c := range lowest {
		if x, ok := b.logs[c].Oldest(); ok {
			return b.logs[c], x, true
		}
	}
	return nil, store.Extent{}, false
}

// retireForFloor drops segments while the disk is fuller than allowed.
func (b *Buffer) retireForFloor() {
	now := b.now()
	if b.cfg.MinFree <= 0 || now < b.floorAt {
		return
	}
	b.floorAt = now + floorEvery
	free, err := b.logs[normal].Free()
	if err != nil {
		return // the next look may tell
	}
	if free < int64(b.cfg.MinFree) {
		free += b.release()
	}
	for free < int64(b.cfg.MinFree) {
		l, x, ok := b.victim()
		if !ok {
			return
		}
		l.Retire(x, classlog.ReasonFloor)
		free += x.Size
	}
}

// makeRoom drops segments so that need more bytes fit.
func (b *Buffer) makeRoom(need int64) {
	for b.taken()+need > int64(b.cfg.MaxBytes) {
		if b.release() > 0 {
			continue
		}
		l, x, ok := b.victim()
		if !ok {
			return
		}
		l.Retire(x, classlog.ReasonBytes)
	}
}
