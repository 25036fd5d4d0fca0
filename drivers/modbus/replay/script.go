package replay

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/recorder"
	"fieldferry/drivers/modbus/wire"
)

// Script is what a simulated device does with each request. It is safe for
// concurrent use.
type Script struct {
	mu      sync.Mutex // guards the places in scenes
	scenes  map[string]*scene
	known   map[byte]bool // units that answered anything
	words   map[place]uint16
	bits    map[place]bool
	unasked int // frames of the record that belong to no request in it
}

// scene is what happened to one request, each time it was made.
type scene struct {
	takes []take
	next  int
}

// take is what one request led to, in order; empty: silence.
type take []Reply

// Reply is something that the line brings after a request.
type Reply struct {
	After time.Duration // since the request came
	Unit  byte
	PDU   frame.PDU // Function 0: Bytes, as they are
	Bytes []byte
	Stray bool // late, foreign or noise: not what the master waited for
}

// place is a register or bit of a unit.
type place struct {
	unit, function byte
	address        uint16
}

// New makes a script of a record. Each request is answered as it was, one
// time after the other, and from the first time again after the last. A
// request that the record does not have is answered from the values that its
// reads brought last, and refused (exception 2) where they have none; a unit
// that never answered is silent.
func New(r *recorder.Record) *Script {
	s := &Script{scenes: map[string]*scene{}, known: map[byte]bool{}, words: map[place]uint16{}, bits: map[place]bool{}}
	var open []*asked
	for i := range r.Frames {
		f := &r.Frames[i]
		switch f.Outcome {
		case wire.Request:
			open = append(open, s.begin(f))
		case wire.Silence:
			for _, a := range slices.Backward(open) {
				if key(a.f.Unit, a.f.PDU) == key(f.Unit, f.PDU) {
					a.silent = true // only a late answer may still come
					break
				}
			}
		default:
			s.happened(f, open)
		}
	}
	return s
}

// asked is a request of the record.
type asked struct {
	f      *recorder.Frame
	scene  *scene
	take   int
	silent bool // it was given up
	done   bool // it has its answer
}

func key(unit byte, p frame.PDU) string {
	return string([]byte{unit, p.Function}) + string(p.Data)
}

func (s *Script) begin(f *recorder.Frame) *asked {
	k := key(f.Unit, f.PDU)
	sc := s.scenes[k]
	if sc == nil {
		sc = &scene{}
		s.scenes[k] = sc
	}
	sc.takes = append(sc.takes, nil)
	return &asked{f: f, scene: sc, take: len(sc.takes) - 1}
}

// happened adds a frame to the request that it followed: an answer to the
// last one of its unit and function that has none, a late one to the last that
// was given up, noise to the last of all.
func (s *Script) happened(f *recorder.Frame, open []*asked) {
	if f.Outcome == wire.Echo {
		return // the line's, not the device's
	}
	for _, a := range slices.Backward(open) {
		if !belongs(f, a) {
			continue
		}
		reply := Reply{After: max(f.At.Sub(a.f.At), 0), Unit: f.Unit, PDU: f.PDU, Bytes: f.Bytes, Stray: f.Outcome != wire.Answer && f.Outcome != wire.Refused}
		a.scene.takes[a.take] = append(a.scene.takes[a.take], reply)
		a.done = a.done || f.Outcome == wire.Answer || f.Outcome == wire.Late
		if f.Outcome == wire.Answer {
			s.known[f.Unit] = true
			s.learn(a.f.PDU, f)
		}
		return
	}
	s.unasked++
}

// belongs says whether a frame may be what a request led to.
func belongs(f *recorder.Frame, a *asked) bool {
	if f.Outcome != wire.Answer && f.Outcome != wire.Late {
		return true // noise, foreign and refused: whatever was asked last
	}
	if a.done || a.silent != (f.Outcome == wire.Late) {
		return false
	}
	return f.PDU.Function == 0 || a.f.Unit == f.Unit && f.PDU.Function&^frame.ExceptionBit == a.f.PDU.Function
}

// learn keeps the values that a read brought.
func (s *Script) learn(req frame.PDU, f *recorder.Frame) {
	data, err := req.Check(f.PDU)
	if err != nil || !req.Reads() {
		return
	}
	for i := range req.Quantity() {
		at := place{f.Unit, req.Function, uint16(req.Address() + i)}
		if req.Bits() {
			s.bits[at] = data[i/8]>>(i%8)&1 != 0
		} else {
			s.words[at] = binary.BigEndian.Uint16(data[2*i:])
		}
	}
}

// Unasked is how many frames of the record belong to no request in it, and are
// not played.
func (s *Script) Unasked() int { return s.unasked }

// Units are the units that answer, in order.
func (s *Script) Units() []int {
	var out []int
	for u := range s.known {
		out = append(out, int(u))
	}
	slices.Sort(out)
	return out
}

// Answer is what the device does with a request: some replies, or silence.
func (s *Script) Answer(unit byte, req frame.PDU) []Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sc := s.scenes[key(unit, req)]; sc != nil {
		t := sc.takes[sc.next]
		sc.next = (sc.next + 1) % len(sc.takes)
		return t
	}
	if !s.known[unit] {
		return nil
	}
	return []Reply{{Unit: unit, PDU: s.remembered(unit, req)}}
}

// remembered answers a read from the values of the record.
func (s *Script) remembered(unit byte, req frame.PDU) frame.PDU {
	exception := func(code byte) frame.PDU {
		return frame.PDU{Function: req.Function | frame.ExceptionBit, Data: []byte{code}}
	}
	if !req.Reads() {
		return exception(1)
	}
	if req.Validate() != nil {
		return exception(3)
	}
	data := make([]byte, 1+req.AnswerBytes())
	data[0] = byte(req.AnswerBytes())
	for i := range req.Quantity() {
		at := place{unit, req.Function, uint16(req.Address() + i)}
		if req.Bits() {
			on, ok := s.bits[at]
			if !ok {
				return exception(2)
			}
			if on {
				data[1+i/8] |= 1 << (i % 8)
			}
			continue
		}
		w, ok := s.words[at]
		if !ok {
			return exception(2)
		}
		binary.BigEndian.PutUint16(data[1+2*i:], w)
	}
	return frame.PDU{Function: req.Function, Data: data}
}
