package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fieldferry/drivers/modbus/frame"
)

// exchange is one request on an RTU line, from writing it to its outcome.
type exchange struct {
	r      *RTU
	unit   byte
	req    frame.PDU
	varied bool   // the quantity is not what the caller asked for
	adu    []byte // the request as it was sent
	want   shape
	sent   time.Time // when the last byte had left
	began  time.Time // when the first byte of something came in
	odd    string    // what the unit answered instead, if it did
}

func (x *exchange) run(ctx context.Context) (Reply, error) {
	adu, err := frame.RTU(x.unit).Encode(x.req)
	if err != nil {
		return Reply{}, err
	}
	x.adu = adu
	x.want = shape{x.unit, x.req.Function, x.req.RTUAnswer()}
	if err := x.write(); err != nil {
		return Reply{}, err
	}
	reply, failed := x.await(ctx)
	x.r.lastTx = time.Now()
	if failed == nil || failed.Kind == frame.Exception {
		return x.answered(reply, failed)
	}
	x.r.late = append(x.r.late, stale{x.want, time.Now().Add(x.r.o.LateWindow)})
	switch failed.Kind {
	case frame.Timeout:
		x.r.timeouts.Add(1)
	case frame.BadFrame:
		x.r.badFrames.Add(1)
	default:
		return Reply{}, failed
	}
	if x.r.quiet != nil && x.r.quiet.miss(x.unit) {
		x.r.fail(fmt.Errorf("%d requests in a row without a usable answer", silenceCount))
	}
	return Reply{}, failed
}

// answered counts an answer or an exception.
func (x *exchange) answered(reply Reply, exception *frame.Error) (Reply, error) {
	x.r.answers.Add(1)
	if x.r.quiet != nil {
		x.r.quiet.answered()
	}
	if exception == nil {
		return reply, nil
	}
	x.r.exceptions.Add(1)
	return Reply{}, exception
}

func (x *exchange) write() *frame.Error {
	r := x.r
	r.requests.Add(1)
	n, err := r.port.Write(x.adu)
	if err != nil {
		r.fail(fmt.Errorf("write: %w", err))
		return &frame.Error{Kind: frame.LinkDown, Sent: n > 0, Err: fmt.Errorf("write: %w", err)}
	}
	// The write returned when the bytes were in the kernel's buffer.
	x.sent = time.Now().Add(time.Duration(len(x.adu)) * r.timing.char)
	return nil
}

// await waits for the answer until it comes or cannot come any more.
func (x *exchange) await(ctx context.Context) (Reply, *frame.Error) {
	for {
		if reply, err, done := x.look(false); done {
			return reply, err
		}
		wait := time.Until(x.deadline())
		if wait <= 0 {
			return x.giveUp()
		}
		x.r.timer.Reset(wait)
		select {
		case <-x.r.wake:
		case <-x.r.timer.C:
		case <-ctx.Done():
			return Reply{}, cancelled(ctx, true)
		case <-x.r.done:
			return Reply{}, x.r.down(true)
		}
	}
}

// deadline is when to give up: a timeout after the request had left, but
// while an answer is coming in, not before its bytes stay out or it takes
// longer than any answer would.
func (x *exchange) deadline() time.Time {
	limit := x.sent.Add(x.r.o.Timeout)
	x.r.mu.Lock()
	defer x.r.mu.Unlock()
	if len(x.r.rx) == 0 {
		return limit
	}
	if x.began.IsZero() {
		x.began = x.r.lastRx
	}
	wire := time.Duration(x.want.length) * x.r.timing.char * 3 / 2
	coming := x.r.lastRx.Add(chunkPause)
	if longest := x.began.Add(wire + chunkPause); longest.Before(coming) {
		coming = longest
	}
	if coming.After(limit) {
		return coming
	}
	return limit
}

// giveUp looks one last time, with no hope for more bytes, and tells why
// there is no answer.
func (x *exchange) giveUp() (Reply, *frame.Error) {
	reply, err, done := x.look(true)
	if done {
		return reply, err
	}
	x.r.mu.Lock()
	rest := len(x.r.rx)
	x.r.mu.Unlock()
	switch {
	case x.odd != "":
		return Reply{}, frame.Bad("%s", x.odd)
	case rest > 0:
		return Reply{}, frame.Bad("%d bytes that form no answer: check baud rate and parity, and for two devices with one unit id", rest)
	}
	return Reply{}, noAnswer(x.r.o.Timeout)
}

// look takes frames from what was received until one is the answer.
func (x *exchange) look(final bool) (Reply, *frame.Error, bool) {
	for {
		adu, _ := x.r.take(final, x.want)
		if adu == nil {
			return Reply{}, nil, false
		}
		if reply, err, done := x.judge(adu); done {
			return reply, err, true
		}
	}
}

// judge tells whether a frame is the answer, or a late or foreign one.
func (x *exchange) judge(adu []byte) (Reply, *frame.Error, bool) {
	got := shapeOf(adu)
	exception := got.unit == x.unit && got.function == x.req.Function|frame.ExceptionBit
	if got != x.want && !exception {
		x.stray(got)
		return Reply{}, nil, false
	}
	answer, err := frame.RTU(x.unit).Decode(x.adu, adu)
	var data []byte
	if err == nil {
		data, err = x.req.Check(answer)
	}
	var e *frame.Error
	switch {
	case err == nil:
		return Reply{Data: data, At: time.Now().UTC()}, nil, true
	case errors.As(err, &e) && e.Kind == frame.Exception:
		e.Suspect = x.varied || x.r.late.suspects(x.unit, x.req.Function)
		x.r.late.drop(got)
		return Reply{}, e, true
	}
	// A write that was confirmed with other words: perhaps an older one.
	x.odd = err.Error()
	x.r.foreign.Add(1)
	return Reply{}, nil, false
}

// stray drops a frame that is not the answer, and remembers it where it comes
// from the unit that was asked.
func (x *exchange) stray(got shape) {
	known := x.r.late.has(got)
	x.r.stray(got)
	if !known && got.unit == x.unit && got.function == x.req.Function {
		x.odd = fmt.Sprintf("an answer of %d bytes where one of %d was asked for", got.length, x.want.length)
	}
}
