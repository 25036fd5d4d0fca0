package flight

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Verdict is what the outcome of a message means.
type Verdict uint8

// The verdicts.
const (
	Taken   Verdict = iota // delivered
	Refused                // not taken, and sending it again will not help
	Hold                   // not taken now: the connection has to end, the message is sent again
)

// Limits of patience.
const (
	AckTimeout   = 30 * time.Second // for the outcome of one message
	refusedTime  = 5 * time.Second  // nothing taken for so long, and
	refusedLeast = 16               // so many refused: an outage
	refusedMost  = 4096             // so many refused in a row: an outage at once
)

// ErrNoAck is returned by Fault when the broker does not tell the outcome of
// a message.
var ErrNoAck = errors.New("a message is not acknowledged")

// ErrAllRefused is returned by Fault when the broker refuses everything.
var ErrAllRefused = errors.New("everything is refused")

// HoldError is returned by Fault when a message is on Hold.
type HoldError struct {
	Turn   uint64 // of the reader; 0: not from the buffer
	Reason string
}

func (e *HoldError) Error() string { return "a message has to be sent again: " + e.Reason }

// Aside is a message that will never be delivered.
type Aside[T any] struct {
	Cargo  T
	Reason string
}

type state uint8

const (
	flying  state = iota
	refused       // undecided: whether it is the message or the broker
	aside         // it is the message
	done
)

type slot[T any] struct {
	turn   uint64 // of the reader; 0: not from the buffer
	sent   time.Time
	state  state
	reason string
	cargo  T
}

// Window is the messages of one connection that are not settled yet. T is
// what goes with a message, to be had back when it is put aside.
type Window[T any] struct {
	clock   func() time.Time
	changed chan struct{} // capacity 1; sent to when there may be something to collect
	free    chan struct{} // capacity 1; sent to when a slot may be free

	mu       sync.Mutex // guards the fields below
	size     int
	slots    []slot[T] // in the order they entered; those before first are settled
	first    int
	token    uint64 // of slots[first]
	flying   int
	held     *HoldError // a message has to be sent again: no more are sent
	refusals int        // in a row
	taken    time.Time
	latency  time.Duration // of the last acknowledgements, smoothed
}

// New returns a closed window: Acquire waits until Open. clock is monotonic.
func New[T any](clock func() time.Time) *Window[T] {
	return &Window[T]{
		clock: clock, taken: clock(), token: 1,
		changed: make(chan struct{}, 1), free: make(chan struct{}, 1),
	}
}

// Open sets how many messages may be on their way at once.
func (w *Window[T]) Open(size int) {
	w.mu.Lock()
	w.size, w.taken = size, w.clock()
	w.mu.Unlock()
	kick(w.free)
}

func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Acquire waits until one more message may be sent.
func (w *Window[T]) Acquire(ctx context.Context) error {
	for !w.roomy() {
		select {
		case <-w.free:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// roomy bounds the messages on their way by the window, and those that only
// wait for an earlier one, or for a decision, by memory.
func (w *Window[T]) roomy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held == nil && w.flying < w.size && len(w.slots)-w.first < w.size+refusedMost
}

// Sent enters a message that is about to be sent, and returns the token by
// which its outcome is reported. turn is its turn of the reader, 0 for none.
func (w *Window[T]) Sent(turn uint64, cargo T) uint64 {
	return w.enter(slot[T]{turn: turn, cargo: cargo, sent: w.clock()})
}

// Skip enters a message that need not be sent.
func (w *Window[T]) Skip(turn uint64) { w.enter(slot[T]{turn: turn, state: done}) }

// Refuse enters a message that cannot be sent. It is treated as one that the
// broker has refused.
func (w *Window[T]) Refuse(turn uint64, cargo T, reason string) {
	token := w.enter(slot[T]{turn: turn, cargo: cargo, sent: w.clock()})
	w.Result(token, Refused, reason)
}

func (w *Window[T]) enter(s slot[T]) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.first > len(w.slots)/2 && w.first > 64 {
		n := copy(w.slots, w.slots[w.first:])
		clear(w.slots[n:])
		w.slots, w.first = w.slots[:n], 0
	}
	w.slots = append(w.slots, s)
	if s.state == flying {
		w.flying++
	} else {
		kick(w.changed)
	}
	return w.token + uint64(len(w.slots)-w.first-1)
}

// Result reports the outcome of a message. A token that is not on its way is
// ignored.
func (w *Window[T]) Result(token uint64, v Verdict, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := token - w.token
	if token < w.token || i >= uint64(len(w.slots)-w.first) {
		return
	}
	s := &w.slots[w.first+int(i)]
	if s.state != flying {
		return
	}
	now := w.clock()
	w.flying--
	switch v {
	case Taken:
		s.state = done
		w.smoothLocked(now.Sub(s.sent))
		w.passLocked(w.first+int(i), now)
	case Refused:
		s.state, s.reason = refused, reason
		w.refusals++
	case Hold:
		w.flying++ // it keeps its place: nothing behind it is settled
		if w.held == nil {
			w.held = &HoldError{Turn: s.turn, Reason: reason}
		}
	}
	kick(w.changed)
	kick(w.free)
}

// passLocked notes that the message in slot i was taken: what was refused
// before it is refused for its own sake.
func (w *Window[T]) passLocked(i int, now time.Time) {
	w.taken = now
	for j := w.first; j < i && w.refusals > 0; j++ {
		if w.slots[j].state == refused {
			w.slots[j].state = aside
			w.refusals--
		}
	}
}

func (w *Window[T]) smoothLocked(d time.Duration) {
	if w.latency == 0 {
		w.latency = d
	}
	w.latency += (d - w.latency) / 16
}

// Changed is sent to when there may be something to collect.
func (w *Window[T]) Changed() <-chan struct{} { return w.changed }

// Settled is a prefix of the messages.
type Settled struct {
	Turn  uint64 // highest turn that is settled; 0: none since the last Collect
	Token uint64 // everything up to this token is settled
	Taken uint64 // messages from the buffer that were delivered
}

// Collect takes what is settled since the last call out of the window, and
// appends what has to be put aside, which the caller does before it moves the
// position.
func (w *Window[T]) Collect(dst []Aside[T]) (Settled, []Aside[T]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var res Settled
	for ; w.first < len(w.slots) && w.slots[w.first].state >= aside; w.first++ {
		s := &w.slots[w.first]
		if s.state == aside {
			dst = append(dst, Aside[T]{Cargo: s.cargo, Reason: s.reason})
		} else if s.turn > 0 && !s.sent.IsZero() {
			res.Taken++
		}
		if s.turn > 0 {
			res.Turn = s.turn
		}
		*s = slot[T]{}
		w.token++
	}
	res.Token = w.token - 1
	kick(w.free)
	return res, dst
}

// Flying is how many messages are on their way.
func (w *Window[T]) Flying() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flying
}

// Latency is the smoothed time from sending to acknowledgement.
func (w *Window[T]) Latency() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latency
}

// Held returns the message that has to be sent again, if there is one.
func (w *Window[T]) Held() (cargo T, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held == nil {
		return cargo, false
	}
	for i := w.first; i < len(w.slots); i++ {
		if s := &w.slots[i]; s.turn == w.held.Turn && s.turn > 0 {
			return s.cargo, true
		}
	}
	return cargo, false
}

// Fault says why the connection has to end, nil if it need not: an error that
// wraps ErrNoAck or ErrAllRefused, or a *HoldError. It is to be asked after
// each Collect and once a second.
func (w *Window[T]) Fault() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held != nil {
		return w.held
	}
	now := w.clock()
	if w.refusals >= refusedMost || w.refusals >= refusedLeast && now.Sub(w.taken) >= refusedTime {
		return fmt.Errorf("%w: %d messages in a row, the last one: %s", ErrAllRefused, w.refusals, w.lastReasonLocked())
	}
	if old, ok := w.oldestLocked(); ok && now.Sub(old) > AckTimeout {
		return fmt.Errorf("%w after %v, while the connection lives", ErrNoAck, AckTimeout)
	}
	return nil
}

// oldestLocked tells when the oldest message on its way was sent. Outcomes
// come in order, so that it is near the front.
func (w *Window[T]) oldestLocked() (time.Time, bool) {
	if w.flying == 0 {
		return time.Time{}, false
	}
	for i := w.first; i < len(w.slots); i++ {
		if w.slots[i].state == flying {
			return w.slots[i].sent, true
		}
	}
	return time.Time{}, false
}

func (w *Window[T]) lastReasonLocked() string {
	for i := len(w.slots) - 1; i >= w.first; i-- {
		if w.slots[i].state == refused {
			return w.slots[i].reason
		}
	}
	return ""
}
