package find

import (
	"context"
	"time"

	"fieldferry/drivers/ask"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/layout"
)

// Scan looks for units on a link.
type Scan struct {
	Link     *Link
	Units    []int
	Ask      layout.Address // what each unit is asked for, such as holding register 0; any answer will do
	Identify bool           // ask those that answer what they are
	Progress func(Progress) // called ahead of each unit; may be nil
	Found    func(*Unit)    // called with each unit that answered; may be nil
}

// Progress is how far a scan has come.
type Progress struct {
	Done, Units int
	Unit        int // is asked next
	Found       int
}

// Unit is one that answered.
type Unit struct {
	ID       int
	Answer   ask.Answer // to what was asked: values, a refusal, or garbled
	Identity *Identity  // nil: it does not say what it is, or was not asked
}

// Certain says that the unit is there. A garbled answer may also be two units
// of one id, another speed, or noise; an exception of a gateway says that its
// unit does not answer.
func (u *Unit) Certain() bool {
	return u.Answer.Outcome == ask.Answered || u.Answer.Outcome == ask.Declined
}

// unreachable says that an exception comes from a gateway on the way, whose
// unit is not there (Modbus Application Protocol V1.1b3 §7, codes 10 and 11).
func unreachable(a *ask.Answer) bool {
	return a.Outcome == ask.Declined && (a.Code == 10 || a.Code == 11)
}

// Run asks every unit once, in order, and returns those that answered. With
// an error it returns those that did until then.
func (s *Scan) Run(ctx context.Context) (found []Unit, err error) {
	req := frame.Read(s.Ask.Table.ReadFunction(), s.Ask.Number, 1)
	for i, id := range s.Units {
		if s.Progress != nil {
			s.Progress(Progress{i, len(s.Units), id, len(found)})
		}
		a, err := s.Link.persist(ctx, id, req)
		if err != nil {
			return found, err
		}
		if a.Outcome == ask.Silent || unreachable(&a) {
			continue
		}
		u := Unit{ID: id, Answer: a}
		if s.Identify && u.Certain() {
			u.Identity, err = s.Link.Identify(ctx, id, Regular)
		}
		found = append(found, u)
		if s.Found != nil {
			s.Found(&u)
		}
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

// Estimate is how long a scan takes where no unit answers.
func (s *Scan) Estimate() time.Duration {
	return time.Duration(len(s.Units)*max(s.Link.Tries, 1)) * (s.Link.Limit + s.Link.Pace)
}

// IgnoresUnit says that every unit of at least eight answered, and all alike:
// that is one device which does not look at the unit id, as many do on TCP.
func (s *Scan) IgnoresUnit(found []Unit) bool {
	if len(s.Units) < 8 || len(found) != len(s.Units) {
		return false
	}
	for _, u := range found {
		if u.Answer.Outcome != found[0].Answer.Outcome || u.Answer.Code != found[0].Answer.Code {
			return false
		}
	}
	return true
}
