// Package retain keeps the logs of a buffer within their bounds of bytes, of age
// and of the space that is left to others: whole segments go, the oldest of
// the log whose samples are worth the least, and the record of that is durable
// before they do.
//
// Rules belong to the writer, one goroutine at a time; their methods block as
// long as the disk does.
package retain

import (
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
	r.MakeRoom(need)
	for _, l := range r.Logs {
		l.SaveDrops()
	}
	for _, l := range r.Logs {
		l.Prepare(r.roomy)
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
// oldest of the first log that has one which is not written to.
func (r *Rules) victim() (*classlog.Log, store.Extent, bool) {
	for _, l := range r.Logs {
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
	free, err := r.Main.Free()
	if err != nil {
		return // the next look may tell
	}
	if free < r.MinFree {
		free += r.release()
	}
	for free < r.MinFree {
		l, x, ok := r.victim()
		if !ok {
			return
		}
		l.Retire(x, classlog.ReasonFloor)
		free += x.Size
	}
}

// MakeRoom drops segments so that need more bytes fit.
func (r *Rules) MakeRoom(need int64) {
	for r.taken()+need > r.MaxBytes {
		if r.release() > 0 {
			continue
		}
		l, x, ok := r.victim()
		if !ok {
			return
		}
		l.Retire(x, classlog.ReasonBytes)
	}
}
