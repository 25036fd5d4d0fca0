// Package retain keeps the logs of a buffer within their bounds of bytes, of age
// and of the space that is left to others: whole segments go, the oldest of
// the log whose samples are worth the least, and the record of that is durable
// before they do.
//
// Rules belong to the writer, one goroutine at a time; their methods block as
// long as the disk does.
package retain

import (
	"slices"
	"time"

	"fieldferry/buffer/classlog"
	"fieldferry/buffer/store"
)

// Rules are the bounds, and what they hold for.
type Rules struct {
	Common   *classlog.Common
	Logs     []*classlog.Log // the one whose samples go first at the front
	Main     *classlog.Log   // the one of them that is written to by every run
	Segment  int64           // bytes of a segment
	MaxBytes int64
	MaxAge   time.Duration // 0: no bound
	MinFree  int64         // bytes; 0: no bound

	// Open says that a reader is in use, Remove forgets it and returns how many
	// samples it had not settled. Both are called with Common.Mu held.
	Open   func(name string) bool
	Remove func(name, reason string) uint64

	floorAt time.Duration // when the free space is looked at again
	began   time.Duration // when this run did
}

// floorEvery is how often the free space is looked at.
const floorEvery = 10 * time.Second

// Keep drops what is too much, and deletes what every reader has settled.
func (r *Rules) Keep() {
	for _, l := range r.Logs {
		l.Trim(false)
	}
	r.retireGone()
	r.retireOld()
	r.retireForFloor()
	need := r.Segment
	if r.Main.Writing() || r.Main.Spare() {
		need = 0
	}
	r.makeRoom(r.Logs, need)
	r.save()
	for _, l := range r.Logs {
		r.prepare(l)
	}
}

// prepare has the next segment of a log allocated while the one that is
// written to is in its last quarter. Where the disk is too full for it the
// oldest samples go now: there is still room for the record of it, which on a
// full disk there would not be later.
func (r *Rules) prepare(l *classlog.Log) {
	if !l.WantsSpare() || r.taken()+r.Segment > r.MaxBytes {
		return
	}
	r.keepFree(r.Logs, r.Segment)
	r.save()
	l.Prepare(r.roomy)
}

// save makes the records of drops durable and deletes what was dropped.
func (r *Rules) save() {
	for _, l := range r.Logs {
		l.SaveDrops()
	}
}

// roomy says that need more bytes fit without a sample being dropped for them.
func (r *Rules) roomy(need int64) bool {
	if r.taken()+need > r.MaxBytes {
		return false
	}
	free, err := r.Main.Free()
	return err != nil || free >= r.MinFree+need
}

// taken is what the logs take of the disk.
func (r *Rules) taken() (n int64) {
	for _, l := range r.Logs {
		n += l.Taken()
	}
	return n
}

// release gives back what was only allocated ahead.
func (r *Rules) release() (n int64) {
	for _, l := range r.Logs {
		n += l.Release()
	}
	return n
}

// retireOld drops segments whose youngest sample is older than allowed, by
// the log's own time. The segment being written is sealed before it holds
// more than an eighth of that.
func (r *Rules) retireOld() {
	age := r.MaxAge
	if age <= 0 {
		return
	}
	for _, l := range r.Logs {
		l.RollOld(age / 8)
		now := r.now()
		for x, ok := l.Oldest(); ok && now-x.End > age; x, ok = l.Oldest() {
			l.Retire(x, classlog.ReasonAge)
		}
	}
}

func (r *Rules) now() time.Duration {
	r.Common.Mu.Lock()
	defer r.Common.Mu.Unlock()
	return r.Common.Now
}

// victim is the segment that goes first when there is too little space: the
// oldest of the first of the logs that has one which is not written to.
func victim(logs []*classlog.Log) (*classlog.Log, store.Extent, bool) {
	for _, l := range logs {
		if x, ok := l.Oldest(); ok {
			return l, x, true
		}
	}
	return nil, store.Extent{}, false
}

// retireForFloor drops segments while the disk is fuller than allowed.
func (r *Rules) retireForFloor() {
	now := r.now()
	if r.MinFree <= 0 || now < r.floorAt {
		return
	}
	r.floorAt = now + floorEvery
	r.keepFree(r.Logs, 0)
}

// keepFree drops segments of some logs while less than the floor would be free
// after need more bytes were taken.
func (r *Rules) keepFree(logs []*classlog.Log, need int64) {
	free, err := r.Main.Free()
	if err != nil {
		return // the next look may tell
	}
	if need == 0 && free < r.MinFree {
		free += r.release()
	}
	for free < r.MinFree+need {
		l, x, ok := victim(logs)
		if !ok {
			return
		}
		l.Retire(x, classlog.ReasonFloor)
		free += x.Size
	}
}

// MakeRoomFor drops segments so that need more bytes fit, for the next segment
// of a log. Nothing that is worth more goes for it while the log has one itself
// that may go once the next has begun: the bound is passed until the next Keep.
func (r *Rules) MakeRoomFor(l *classlog.Log, need int64) {
	logs := r.Logs
	if l.Begun() {
		logs = logs[:slices.Index(logs, l)+1]
	}
	r.makeRoom(logs, need)
	r.keepFree(logs, need)
}

func (r *Rules) makeRoom(logs []*classlog.Log, need int64) {
	for r.taken()+need > r.MaxBytes {
		if r.release() > 0 {
			continue
		}
		l, x, ok := victim(logs)
		if !ok {
			return
		}
		l.Retire(x, classlog.ReasonBytes)
	}
}
