package line

import (
	"bytes"
	"time"

	"fieldferry/drivers/modbus/frame"
)

// stale is a request that was given up and whose answer may still come.
type stale struct {
	unit  byte
	req   frame.PDU // as it was sent
	until time.Time

	copy    bool // it was answered, and may be once more
	refusal bool // with an exception
	seen    bool // something has come that answers it
}

// answeredBy says whether a frame is the answer. An exception never says
// which request it answers.
func (s *stale) answeredBy(unit byte, answer frame.PDU) bool {
	if unit != s.unit || s.refusal || answer.Function != s.req.Function {
		return false
	}
	_, err := s.req.Check(answer)
	return err == nil
}

// likeness says whether the answers to two requests can be told apart: those
// to reads by their lengths, those to writes by what they repeat.
func likeness(a, b frame.PDU) bool {
	switch {
	case a.Function != b.Function:
		return false
	case a.Reads():
		return a.AnswerBytes() == b.AnswerBytes()
	case a.Echo() != nil:
		return bytes.Equal(a.Echo(), b.Echo())
	}
	return true
}

// lateList holds the stale requests of a line.
type lateList []stale

// purge forgets the requests whose answers come no more.
func (l *lateList) purge(now time.Time) {
	kept := (*l)[:0]
	for _, s := range *l {
		if s.until.After(now) {
			kept = append(kept, s)
		}
	}
	*l = kept
}

// has says whether an answer may still come that could be taken for the one
// to a request.
func (l lateList) has(unit byte, req frame.PDU) bool {
	for i := range l {
		if l[i].unit == unit && !l[i].refusal && likeness(l[i].req, req) {
			return true
		}
	}
	return false
}

// suspects says whether an exception of a unit to a function may belong to a
// stale request.
func (l lateList) suspects(unit, function byte) bool {
	for i := range l {
		if l[i].unit == unit && (l[i].refusal || !l[i].copy) && l[i].req.Function == function&^frame.ExceptionBit {
			return true
		}
	}
	return false
}

// drop notes that a frame answers stale requests, and removes the oldest of
// them, unless its answer had come before: then there may be more copies. It
// returns that request, and says whether there was one.
func (l *lateList) drop(unit byte, answer frame.PDU) (req frame.PDU, late, again bool) {
	at := -1
	for i := range *l {
		s := &(*l)[i]
		if !s.answeredBy(unit, answer) {
			continue
		}
		s.seen = true
		again = again || s.copy
		if at < 0 {
			at, req = i, s.req
		}
	}
	if at >= 0 && !again {
		*l = append((*l)[:at], (*l)[at+1:]...)
	}
	return req, at >= 0, again
}

// withdraw removes the newest stale request like one, and says whether it was
// still there, and nothing had come that answers it; what has come may have
// been a copy, so that it is waited for a second one then.
func (l *lateList) withdraw(unit byte, req frame.PDU) bool {
	for i := len(*l) - 1; i >= 0; i-- {
		if s := (*l)[i]; s.unit == unit && !s.copy && s.req.Function == req.Function && bytes.Equal(s.req.Data, req.Data) {
			if s.seen {
				(*l)[i].copy = true
				return false
			}
			*l = append((*l)[:i], (*l)[i+1:]...)
			return true
		}
	}
	return false
}

// copiesOf is until when second answers are expected that look like the
// answer to a request, and says whether there is nothing else like it.
func (l lateList) copiesOf(unit byte, req frame.PDU) (until time.Time, only bool) {
	for _, s := range l {
		if s.unit != unit || s.refusal || !likeness(s.req, req) {
			continue
		}
		if !s.copy {
			return time.Time{}, false
		}
		only = true
		if s.until.After(until) {
			until = s.until
		}
	}
	return until, only
}

// vary changes the quantity of a read until no late answer could be taken for
// its answer: one that is a register longer cannot. It gives up (false) where
// the request may not be longer, by most or by the standard, or is no read.
func (l lateList) vary(unit byte, req frame.PDU, most int) (frame.PDU, bool) {
	if !l.has(unit, req) {
		return req, true
	}
	if !req.Reads() {
		return req, false
	}
	step := 1
	if req.Bits() {
		step = 8
	}
	for k := 1; k <= 8; k++ {
		longer := frame.Read(req.Function, req.Address(), req.Quantity()+k*step)
		if longer.Quantity() > most || longer.Validate() != nil {
			break
		}
		if !l.has(unit, longer) {
			return longer, true
		}
	}
	return req, false
}

// shorten makes a read of fewer registers whose answer cannot be taken for any
// that may still come; false where there is none.
func (l lateList) shorten(unit byte, req frame.PDU) (frame.PDU, bool) {
	step := 1
	if req.Bits() {
		step = 8
	}
	for n := req.Quantity() - step; n > 0; n -= step {
		if shorter := frame.Read(req.Function, req.Address(), n); !l.has(unit, shorter) {
			return shorter, true
		}
	}
	return req, false
}

// last is until when an answer may still come that could be taken for the one
// to a request.
func (l lateList) last(unit byte, req frame.PDU) (until time.Time) {
	for i := range l {
		if s := &l[i]; s.unit == unit && !s.refusal && likeness(s.req, req) && s.until.After(until) {
			until = s.until
		}
	}
	return until
}

// vary is lateList.vary, no further than the unit allows.
func (l *Line) vary(unit byte, req frame.PDU) (frame.PDU, bool) {
	most := 0
	if req.Reads() {
		most = l.o.Longest(unit, req)
	}
	return l.mem.late.vary(unit, req, most)
}
