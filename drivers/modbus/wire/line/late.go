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
}

// answeredBy says whether a frame is the answer. An exception never says
// which request it answers.
func (s *stale) answeredBy(unit byte, answer frame.PDU) bool {
	if unit != s.unit || answer.Function != s.req.Function {
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
		if l[i].unit == unit && likeness(l[i].req, req) {
			return true
		}
	}
	return false
}

// suspects says whether an exception of a unit to a function may belong to a
// stale request.
func (l lateList) suspects(unit, function byte) bool {
	for i := range l {
		if l[i].unit == unit && l[i].req.Function == function&^frame.ExceptionBit {
			return true
		}
	}
	return false
}

// drop removes the oldest stale request that a frame answers, and says
// whether there was one.
func (l *lateList) drop(unit byte, answer frame.PDU) bool {
	for i := range *l {
		if (*l)[i].answeredBy(unit, answer) {
			*l = append((*l)[:i], (*l)[i+1:]...)
			return true
		}
	}
	return false
}

// vary changes the quantity of a read until no late answer could be taken for
// its answer: one that is a register longer cannot. It gives up (false) where
// the request may not be longer, or is no read.
func (l lateList) vary(unit byte, req frame.PDU) (frame.PDU, bool) {
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
		if longer.Validate() != nil {
			break
		}
		if !l.has(unit, longer) {
			return longer, true
		}
	}
	return req, false
}
