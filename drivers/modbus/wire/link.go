package wire

import (
	"context"
	"fmt"
	"time"

	"fieldferry/drivers/modbus/frame"
)

// Link is one connection or one line, with any number of units on it. Its
// methods may be called by any goroutine. A link does not connect again: once
// it is down it stays down, and a new one is made.
type Link interface {
	// Exchange sends a request to a unit and returns the answer to it. It
	// returns soon after ctx ends and never waits for longer than its
	// timeouts.
	Exchange(ctx context.Context, unit byte, req frame.PDU) (Reply, error)
	// Close ends the link, interrupts every Exchange and waits for what the
	// link has started. It may be called more than once.
	Close() error
	// Stats tells what the link has seen since it was made.
	Stats() Stats
}

// Reply is the checked answer to a request. For a read, Data is what was
// asked for alone, its length as the quantity says: two bytes per register,
// or bits packed lowest first; for anything else what follows the function
// code. It is the caller's to keep.
type Reply struct {
	Data []byte
	At   time.Time // when it arrived; UTC
}

// Options are the settings that every link has. Zero fields mean the defaults.
type Options struct {
	Timeout time.Duration // from the end of a request to its answer; default 1 s
	Pause   time.Duration // between an answer and the next request
	Units   []byte        // the units of the link: it is given up when all of them are silent
	Tap     Tap           // is told of every frame; nil: nobody
}

// WithDefaults fills in what is not set.
func (o Options) WithDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = time.Second
	}
	return o
}

// Tell tells the tap of a frame.
func (o *Options) Tell(unit byte, pdu frame.PDU, bytes []byte, outcome Outcome) {
	if o.Tap != nil {
		o.Tap.Frame(Event{At: time.Now().UTC(), Unit: unit, PDU: pdu, Bytes: bytes, Outcome: outcome})
	}
}

// NoAnswer is the error of a request that nobody answered for so long.
func NoAnswer(after time.Duration) *frame.Error {
	return &frame.Error{Kind: frame.Timeout, Sent: true, Err: fmt.Errorf("no answer within %v", after)}
}

// Cancelled is the error of a request whose context ended before it was sent.
func Cancelled(ctx context.Context) *frame.Error {
	return &frame.Error{Kind: frame.Cancelled, Err: ctx.Err()}
}

// Pause waits; false when ctx ended first.
func Pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
