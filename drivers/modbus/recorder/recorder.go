package recorder

import (
	"context"
	"sync"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

const (
	// DefaultSize is how many frames a link keeps unless it says otherwise.
	DefaultSize = 200
	// MaxSize is the most frames that a link may keep.
	MaxSize = 10_000

	keepEvery = 10 * time.Minute // how often the copy of the latest fault is renewed
)

// Recorder keeps the last frames of a link. Make it with New.
type Recorder struct {
	mu    sync.Mutex // guards the fields below
	ring  []slot
	next  int    // where the next frame goes
	total uint64 // frames since the start

	first, last keep
}

// slot is one place of the ring; its bytes are used again.
type slot struct {
	at      time.Time
	unit    byte
	outcome wire.Outcome
	fc      byte // 0: there is no PDU
	data    []byte
	bytes   []byte
}

// keep is a copy of the ring around a fault.
type keep struct {
	at    time.Time // of the fault; zero: there was none
	due   uint64    // the total at which the copy is made, so that what follows is in it
	done  bool      // the copy has been made
	slots []slot
}

// New makes a recorder of the last frames, at most size; 0 records nothing.
func New(size int) *Recorder {
	r := &Recorder{}
	r.Resize(size)
	return r
}

// Resize changes how many frames are kept. Where that is another number than
// before, what was recorded is lost.
func (r *Recorder) Resize(size int) {
	size = min(max(size, 0), MaxSize)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ring) == size {
		return
	}
	r.ring, r.next, r.total, r.first, r.last = make([]slot, size), 0, 0, keep{}, keep{}
}

// Frame records a frame.
func (r *Recorder) Frame(e wire.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ring) == 0 {
		return
	}
	r.ring[r.next].set(&e)
	r.next = (r.next + 1) % len(r.ring)
	r.total++
	if faulty(e.Outcome) {
		r.fault(e.At)
	}
	r.settleLocked(&r.first)
	r.settleLocked(&r.last)
}

func (s *slot) set(e *wire.Event) {
	s.at, s.unit, s.outcome, s.fc = e.At, e.Unit, e.Outcome, e.PDU.Function
	s.data = append(s.data[:0], e.PDU.Data...)
	s.bytes = append(s.bytes[:0], e.Bytes...)
}

// faulty says that something went wrong on the wire. An exception is an
// answer: the device does not have what it was asked for.
func faulty(o wire.Outcome) bool {
	return o == wire.Refused || o == wire.Late || o == wire.Foreign || o == wire.Noise || o == wire.Silence
}

// fault begins to keep what lies around a fault. A quarter of the copy is of
// the time after it.
func (r *Recorder) fault(at time.Time) {
	due := r.total + uint64(len(r.ring)/4)
	if r.first.at.IsZero() {
		r.first = keep{at: at, due: due}
		return
	}
	if r.last.at.IsZero() && at.Sub(r.first.at) >= keepEvery || !r.last.at.IsZero() && r.last.done && at.Sub(r.last.at) >= keepEvery {
		r.last = keep{at: at, due: due, slots: r.last.slots}
	}
}

// settleLocked makes the copy when its time has come.
func (r *Recorder) settleLocked(k *keep) {
	if !k.at.IsZero() && !k.done && r.total >= k.due {
		k.slots, k.done = r.copyLocked(k.slots), true
	}
}

// copyLocked copies what the ring holds, oldest first, into the places of old.
func (r *Recorder) copyLocked(old []slot) []slot {
	n := int(min(r.total, uint64(len(r.ring))))
	for len(old) < n {
		old = append(old, slot{})
	}
	old = old[:n]
	for i := range n {
		from := &r.ring[(r.next-n+i+len(r.ring))%len(r.ring)]
		to := &old[i]
		to.at, to.unit, to.outcome, to.fc = from.at, from.unit, from.outcome, from.fc
		to.data, to.bytes = append(to.data[:0], from.data...), append(to.bytes[:0], from.bytes...)
	}
	return old
}

// Recent returns the last frames.
func (r *Recorder) Recent() Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Record{Kept: "", Frames: frames(r.copyLocked(nil))}
}

// The names of what a recorder has.
const (
	KeptFirst = "first" // around the first fault
	KeptLast  = "last"  // around the latest fault that was kept
)

// Kept returns the frames around a fault, KeptFirst or KeptLast, and when it
// was; false when there was none. The frames of a fault a moment ago are
// those until now.
func (r *Recorder) Kept(which string) (Record, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := &r.first
	if which == KeptLast && !r.last.at.IsZero() {
		k = &r.last
	}
	if k.at.IsZero() {
		return Record{}, false
	}
	slots := k.slots
	if !k.done {
		slots = r.copyLocked(nil)
	}
	return Record{Kept: which, Fault: k.at, Frames: frames(slots)}, true
}

// frames turns slots into frames of their own.
func frames(slots []slot) []Frame {
	out := make([]Frame, len(slots))
	for i := range slots {
		s := &slots[i]
		out[i] = Frame{
			At: s.at, Unit: s.unit, Outcome: s.outcome,
			PDU:   frame.PDU{Function: s.fc, Data: append([]byte(nil), s.data...)},
			Bytes: append([]byte(nil), s.bytes...),
		}
	}
	return out
}

type contextKey struct{}

// NewContext returns a context under which a Modbus link that is opened tells
// r its frames.
func NewContext(ctx context.Context, r *Recorder) context.Context {
	return context.WithValue(ctx, contextKey{}, r)
}

// FromContext returns the recorder that NewContext put there, or nil.
func FromContext(ctx context.Context) *Recorder {
	r, _ := ctx.Value(contextKey{}).(*Recorder)
	return r
}
