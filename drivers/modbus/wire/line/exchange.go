package line

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

// exchange is one request on a line, from writing it to its outcome.
type exchange struct {
	l      *Line
	unit   byte
	req    frame.PDU
	varied bool   // the quantity is not what the caller asked for
	adu    []byte // the request as it was sent
	answer int    // the length of its answer; 0 where that depends on the device

	sent     time.Time // when the last byte had left
	began    time.Time // when the first byte of something came in
	odd      string    // what the unit answered instead, if it did
	echoed   bool      // the request came back
	echoAt   []byte    // as it did
	doubtful bool      // what came back may have been the answer
	double   []byte    // the answer, if it has the bytes of an earlier one
}

// newExchange frames a request.
func (l *Line) newExchange(unit byte, req frame.PDU) *exchange {
	x := &exchange{l: l, unit: unit, req: req}
	x.frame()
	return x
}

func (x *exchange) frame() {
	adu, err := x.l.frameOf(x.unit).Encode(x.req)
	if err == nil { // Validate has passed it: the codec has nothing to refuse
		x.adu, x.answer = adu, x.l.o.Framing.Answer(x.req)
	}
}

func (x *exchange) run(ctx context.Context) (wire.Reply, *frame.Error) {
	l := x.l
	if x.varied {
		x.frame()
	}
	if err := x.write(); err != nil {
		return wire.Reply{}, err
	}
	if x.unit == 0 {
		return x.broadcast(ctx)
	}
	reply, failed := x.await(ctx)
	l.lastTx = time.Now()
	if failed == nil || failed.Kind == frame.Exception {
		x.answered(failed)
		return reply, failed
	}
	x.forget()
	switch failed.Kind {
	case frame.Timeout:
		l.Counters.Timeouts.Add(1)
		l.o.Tell(x.unit, x.req, nil, wire.Silence)
	case frame.BadFrame:
		l.Counters.BadFrames.Add(1)
	default:
		return wire.Reply{}, failed
	}
	if l.quiet.Miss(x.unit) && l.o.GiveUp {
		l.fail(wire.ErrQuiet)
	}
	return wire.Reply{}, failed
}

// forget gives the request up: its answer may still come.
func (x *exchange) forget() {
	x.l.mem.late = append(x.l.mem.late, stale{unit: x.unit, req: x.req, until: time.Now().Add(x.l.o.LateWindow)})
}

// broadcast waits until every device has had its time for a request that
// nobody answers.
func (x *exchange) broadcast(ctx context.Context) (wire.Reply, *frame.Error) {
	err := x.l.sleep(ctx, time.Until(x.sent)+x.l.o.Turnaround)
	x.l.lastTx = time.Now()
	if err != nil {
		err.Sent = true
		return wire.Reply{}, err
	}
	return wire.Reply{At: time.Now().UTC()}, nil
}

// answered counts an answer or an exception, and learns from it.
func (x *exchange) answered(exception *frame.Error) {
	l := x.l
	l.Counters.Answers.Add(1)
	if exception != nil {
		l.Counters.Exceptions.Add(1)
	}
	l.quiet.Answered()
	if exception != nil {
		l.mem.guard(stale{unit: x.unit, req: x.req, refusal: true}, time.Now())
	}
	if x.tells() && !x.echoed {
		l.echo.learn(false)
	}
}

func (x *exchange) write() *frame.Error {
	l := x.l
	l.Counters.Requests.Add(1)
	l.o.Tell(x.unit, x.req, x.adu, wire.Request)
	n, err := l.port.Write(x.adu)
	if err != nil {
		l.fail(fmt.Errorf("write: %w", err))
		return &frame.Error{Kind: frame.LinkDown, Sent: n > 0, Err: fmt.Errorf("write: %w", err)}
	}
	// The write returned when the bytes were in the kernel's buffer.
	x.sent = time.Now().Add(time.Duration(len(x.adu)) * l.o.Char)
	l.lastTx = x.sent
	return nil
}

// await waits for the answer until it comes or cannot come any more.
func (x *exchange) await(ctx context.Context) (wire.Reply, *frame.Error) {
	l := x.l
	for {
		if reply, err, done := x.look(x.expects); done {
			return reply, err
		}
		wait := time.Until(x.deadline())
		if wait <= 0 {
			return x.giveUp()
		}
		l.timer.Reset(wait)
		select {
		case <-l.wake:
		case <-l.timer.C:
		case <-ctx.Done():
			e := wire.Cancelled(ctx)
			e.Sent = true
			return wire.Reply{}, e
		case <-l.done:
			return wire.Reply{}, l.down(true)
		}
	}
}

// expects says whether a frame that has begun to come in is worth waiting for.
func (x *exchange) expects(unit, function byte, length int) bool {
	if unit == x.unit && function&^frame.ExceptionBit == x.req.Function {
		return function != x.req.Function || x.answer == 0 || length == x.answer
	}
	for i := range x.l.mem.late {
		s := &x.l.mem.late[i]
		if unit == s.unit && function == s.req.Function && length == x.l.o.Framing.Answer(s.req) {
			return true
		}
	}
	return false
}

// deadline is when to give up: a timeout after the request had left, but
// while an answer is coming in, not before its bytes stay out or it takes
// longer than any answer would.
func (x *exchange) deadline() time.Time {
	l := x.l
	limit, pause := x.sent.Add(l.o.Timeout), rtuPause
	if l.o.Framing == frame.SerialASCII {
		pause = asciiPause
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rx) == 0 {
		return limit
	}
	if x.began.IsZero() {
		x.began = l.lastRx
	}
	length := x.answer
	if length == 0 {
		length = l.o.Framing.Max()
	}
	coming := l.lastRx.Add(pause)
	if longest := x.began.Add(time.Duration(length)*l.o.Char*3/2 + pause); longest.Before(coming) {
		coming = longest
	}
	if coming.After(limit) {
		return coming
	}
	return limit
}

// giveUp looks one last time, with no hope for more bytes, and tells why
// there is no answer.
func (x *exchange) giveUp() (wire.Reply, *frame.Error) {
	reply, err, done := x.look(nil)
	if done {
		return reply, err
	}
	switch rest := x.l.pending(); {
	case x.odd != "":
		return wire.Reply{}, frame.Bad("%s", x.odd)
	case x.doubtful:
		return wire.Reply{}, frame.Bad("the answer may have been the line's own echo: say echo: on or off")
	case x.echoed && rest == 0:
		return wire.Reply{}, &frame.Error{Kind: frame.Timeout, Sent: true, Err: fmt.Errorf("no answer within %v, only the line's own echo", x.l.o.Timeout)}
	case rest > 0:
		return wire.Reply{}, frame.Bad("%d bytes that form no answer: check baud rate and parity, and for two devices with one unit id", rest)
	}
	return wire.Reply{}, wire.NoAnswer(x.l.o.Timeout)
}

// look takes frames from what was received until one is the answer.
func (x *exchange) look(expected frame.Expected) (wire.Reply, *frame.Error, bool) {
	for {
		if !x.clear() && expected != nil {
			return wire.Reply{}, nil, false
		}
		adu := x.l.take(expected)
		if adu == nil {
			return wire.Reply{}, nil, false
		}
		if reply, err, done := x.judge(adu); done {
			return reply, err, true
		}
	}
}

// clear removes the echo of the request; false while it is still coming in.
func (x *exchange) clear() bool {
	before := x.echoed
	x.l.mu.Lock()
	ok := x.strip()
	x.l.mu.Unlock()
	if x.echoed && !before {
		x.l.Counters.Echoes.Add(1)
		x.l.o.Tell(x.unit, x.req, x.echoAt, wire.Echo)
	}
	return ok
}

// judge tells whether a frame is the answer, or a late or foreign one.
func (x *exchange) judge(adu []byte) (wire.Reply, *frame.Error, bool) {
	l := x.l
	unit, pdu, ok := l.open(adu)
	if !ok {
		return wire.Reply{}, nil, false
	}
	if unit != x.unit || pdu.Function&^frame.ExceptionBit != x.req.Function {
		l.stray(unit, pdu, adu)
		return wire.Reply{}, nil, false
	}
	data, err := x.req.Check(pdu)
	var e *frame.Error
	switch {
	case err == nil:
		l.o.Tell(unit, pdu, adu, wire.Answer)
		now := time.Now()
		if l.mem.copies.doubts(x.unit, x.req, adu, now, l.o.LateWindow) {
			x.double = adu
		}
		l.mem.took(x.unit, x.req, adu, now)
		return wire.Reply{Data: data, At: now.UTC()}, nil, true
	case errors.As(err, &e) && e.Kind == frame.Exception:
		stale := l.mem.late.suspects(x.unit, x.req.Function)
		e.Suspect = x.varied || stale
		if stale {
			x.forget() // if it was the other's, ours is still to come
		}
		l.o.Tell(unit, pdu, adu, wire.Answer)
		return wire.Reply{}, e, true
	}
	// Of another length, or a write confirmed with other words: an older one?
	if !l.stray(unit, pdu, adu) {
		x.odd = err.Error()
	}
	return wire.Reply{}, nil, false
}
