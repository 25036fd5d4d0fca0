package line

import (
	"bytes"
	"context"
	"errors"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

// Some converters send an answer twice. A copy that comes while nothing is
// asked, or something of another shape, is dropped; one that comes with the
// next request of the same shape looks like its answer. Two things are done
// about that. An answer that has the very bytes of the one before it, to
// another request, is not believed until a longer read has confirmed it. And
// once a line has been seen to answer twice, every answer is expected a second
// time, as a late one is: nothing is asked meanwhile whose answer would look
// the same.

const (
	copiesLast  = 10 * time.Minute       // for how long after a copy more are expected
	leastWindow = 200 * time.Millisecond // for how long a copy is expected at least
	heardMost   = 256                    // answers that are remembered
	knownMost   = 256                    // answers that are known to be alike
)

var errCopy = errors.New("the answer may be a copy of an earlier one: does a converter send answers twice?")

// heard is an answer that was taken.
type heard struct {
	unit byte
	req  frame.PDU // as it was sent
	adu  []byte
	at   time.Time
}

// question is a read, as a key.
type question struct {
	unit, function    byte
	address, quantity int
}

// copies is what is known of answers that come twice. It belongs to the owner
// of the line.
type copies struct {
	heard  [heardMost]heard // the last answers, in a ring
	next   int
	age    time.Duration // of the answer that was last doubted, since the one it looks like
	until  time.Time     // until when more are expected
	window time.Duration // for how long after an answer
	known  map[question]string
}

// took remembers an answer, and expects it again where answers come twice.
func (m *Memory) took(unit byte, req frame.PDU, adu []byte, now time.Time) {
	c := &m.copies
	h := &c.heard[c.next]
	c.next = (c.next + 1) % heardMost
	h.unit, h.req, h.adu, h.at = unit, req, append(h.adu[:0], adu...), now
	m.guard(stale{unit: unit, req: req}, now)
}

// guard expects a second answer to a request that was answered at some time,
// where answers come twice.
func (m *Memory) guard(s stale, answered time.Time) {
	if now := time.Now(); now.Before(m.copies.until) {
		if s.copy, s.until = true, answered.Add(m.copies.window); s.until.After(now) {
			m.late = append(m.late, s)
		}
	}
}

// doubled notes that an answer came once more after so long: from now on more
// are expected, also of what was answered just now.
func (m *Memory) doubled(after time.Duration, now time.Time, most time.Duration) {
	c := &m.copies
	first := !now.Before(c.until)
	c.until = now.Add(copiesLast)
	window := min(max(3*after, leastWindow), most)
	if window <= c.window && !first {
		return
	}
	c.window = window
	for i := range c.heard {
		if h := &c.heard[i]; h.req.Function != 0 {
			m.guard(stale{unit: h.unit, req: h.req}, h.at)
		}
	}
}

// again looks whether a frame that answers nothing is the second answer to
// something, and says whether it is a copy of the first one.
func (m *Memory) again(unit byte, answer frame.PDU, adu []byte, now time.Time, most time.Duration) (same bool) {
	after := time.Duration(-1)
	for i := range m.copies.heard {
		h := &m.copies.heard[i]
		s := stale{unit: h.unit, req: h.req}
		if h.unit != unit || now.Sub(h.at) > most || !s.answeredBy(unit, answer) {
			continue
		}
		equal := bytes.Equal(h.adu, adu)
		if age := now.Sub(h.at); equal && !same || equal == same && (after < 0 || age < after) {
			after = age
		}
		same = same || equal
	}
	if after >= 0 {
		m.doubled(after, now, most)
	}
	return same
}

// doubts says that an answer may be the copy of an earlier one, to another
// request. That two places hold the same is found out once, not at every read.
func (c *copies) doubts(unit byte, req frame.PDU, adu []byte, now time.Time, most time.Duration) bool {
	if !req.Reads() || c.known[ask(unit, req)] == string(adu) {
		return false
	}
	for i := range c.heard {
		h := &c.heard[i]
		if h.unit == unit && now.Sub(h.at) <= most && likeness(h.req, req) && !bytes.Equal(h.req.Data, req.Data) && bytes.Equal(h.adu, adu) {
			c.age = now.Sub(h.at)
			return true
		}
	}
	return false
}

func ask(unit byte, req frame.PDU) question {
	return question{unit, req.Function, req.Address(), req.Quantity()}
}

// alike notes that an answer is right although it looks like another.
func (c *copies) alike(unit byte, req frame.PDU, adu []byte) {
	if c.known == nil || len(c.known) >= knownMost {
		c.known = map[question]string{}
	}
	c.known[ask(unit, req)] = string(adu)
}

// confirm asks again for what was answered with the bytes of an earlier answer,
// for a register more, or where that may not be touched, for one less. If the answer was a copy, the right one comes ahead of
// the confirmation and is dropped as a late one.
func (l *Line) confirm(ctx context.Context, x *exchange, reply wire.Reply, adu []byte) (wire.Reply, *frame.Error) {
	x.forget()
	other, ok := l.vary(x.unit, x.req)
	if !ok {
		other, ok = l.mem.late.shorten(x.unit, x.req)
	}
	if !ok {
		if err := l.sleep(ctx, l.o.Timeout); err != nil {
			return wire.Reply{}, err
		}
	}
	if err := l.settle(ctx); err != nil {
		return wire.Reply{}, err
	}
	if !ok {
		return l.believe(x, reply, adu)
	}
	y := l.newExchange(x.unit, other)
	y.varied = true
	second, err := y.run(ctx)
	switch {
	case err == nil:
		if other.Quantity() < x.req.Quantity() { // it has answered everything by now
			return l.believe(x, reply, adu)
		}
		_, _ = l.believe(x, reply, adu)
		second.Data = second.Data[:len(reply.Data)]
		return second, nil
	case err.Kind == frame.Exception: // it has no register more; but it has answered everything by now
		return l.believe(x, reply, adu)
	}
	return wire.Reply{}, err
}

// believe takes an answer that looked like a copy, unless another one to the
// same request has come since.
func (l *Line) believe(x *exchange, reply wire.Reply, adu []byte) (wire.Reply, *frame.Error) {
	if !l.mem.late.withdraw(x.unit, x.req) {
		l.mem.doubled(l.mem.copies.age, time.Now(), l.o.LateWindow)
		l.Counters.BadFrames.Add(1)
		l.copied(x.unit)
		return wire.Reply{}, &frame.Error{Kind: frame.BadFrame, Sent: true, Err: errCopy}
	}
	l.mem.copies.alike(x.unit, x.req, adu)
	return reply, nil
}

// outwait waits until no answer is expected any more that would look like the
// answer to a request: for as long as it takes where all are second answers,
// and for a late one of a read no longer than most; false where it would have
// to wait for longer.
func (l *Line) outwait(ctx context.Context, unit byte, req frame.PDU, most time.Duration) (bool, *frame.Error) {
	until, only := l.mem.late.copiesOf(unit, req)
	if !only && req.Reads() {
		until = l.mem.late.last(unit, req)
		only = time.Until(until) <= most
	}
	if !only {
		return false, nil
	}
	if err := l.sleep(ctx, time.Until(until)); err != nil {
		return false, err
	}
	return true, l.settle(ctx)
}
