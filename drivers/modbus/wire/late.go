package wire

import (
	"time"

	"fieldferry/drivers/modbus/frame"
)

// shape is all that tells one RTU answer from another: there is no
// transaction id.
type shape struct {
	unit, function byte
	length         int
}

// stale is a request that was given up and whose answer may still come.
type stale struct {
	shape
	until time.Time
}

// lateList holds the stale requests of a line. It belongs to the holder of
// the line.
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

// has says whether an answer of a shape may still come.
func (l lateList) has(s shape) bool {
	for _, x := range l {
		if x.shape == s {
			return true
		}
	}
	return false
}

// suspects says whether an exception of a unit to a function may belong to a
// stale request.
func (l lateList) suspects(unit, function byte) bool {
	for _, x := range l {
		if x.unit == unit && x.function == function&^frame.ExceptionBit {
			return true
		}
	}
	return false
}

// drop removes the oldest stale request that a frame answers, and says
// whether there was one.
func (l *lateList) drop(got shape) bool {
	for i, x := range *l {
		exception := got.function == x.function|frame.ExceptionBit && got.unit == x.unit
		if x.shape == got || exception {
			*l = append((*l)[:i], (*l)[i+1:]...)
			return true
		}
	}
	return false
}

// vary changes the quantity of a read until no late answer has the shape of
// its answer: an answer one register longer cannot be mistaken for the late
// one. It gives up (false) where the request may not be longer, or is a write.
func (l lateList) vary(unit byte, req frame.PDU) (frame.PDU, bool) {
	if !l.has(shape{unit, req.Function, req.RTUAnswer()}) {
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
			return req, false
		}
		if !l.has(shape{unit, req.Function, longer.RTUAnswer()}) {
			return longer, true
		}
	}
	return req, false
}
