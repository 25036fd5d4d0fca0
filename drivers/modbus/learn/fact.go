package learn

import (
	"fmt"
	"time"

	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/plan"
)

// Kind says what a fact is about.
type Kind string

// The kinds of facts.
const (
	Hole  Kind = "hole"  // registers that the device refuses; with length 0 a boundary that no request may cross
	Limit Kind = "limit" // the longest request that the device answers
	Pause Kind = "pause" // what the device needs between two requests
)

// Fact is something learnt about a device.
type Fact struct {
	Device string `json:"device"`
	Unit   int    `json:"unit"` // a fact of another unit id is of another device
	Kind   Kind   `json:"kind"`

	Table  string `json:"table,omitempty"`  // coil, di, ir or hr
	Start  int    `json:"start,omitempty"`  // of a hole, zero based
	Length int    `json:"length,omitempty"` // of a hole
	Tag    bool   `json:"tag,omitempty"`    // the hole is just what one tag asks for

	Answered int `json:"answered,omitempty"` // limit: the longest that was answered
	Refused  int `json:"refused,omitempty"`  // limit: the shortest that was refused

	Pause span `json:"pause,omitempty"`

	Why     string    `json:"why"`
	Learned time.Time `json:"learned"`
	Retry   time.Time `json:"retry,omitzero"`  // when it is tried again; zero: never
	Times   int       `json:"times,omitempty"` // how often it was learnt
}

// span is a duration that is written as people write it: 100ms.
type span time.Duration

func (s span) String() string { return time.Duration(s).String() }

// MarshalText writes 100ms.
func (s span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads 100ms.
func (s *span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	*s = span(d)
	return err
}

// tables are the names of the tables, as addresses are written.
var tables = [...]string{layout.Coils: "coil", layout.DiscreteInputs: "di", layout.HoldingRegisters: "hr", layout.InputRegisters: "ir"}

func tableOf(name string) (layout.Table, bool) {
	for i, n := range tables {
		if n == name {
			return layout.Table(i), true
		}
	}
	return 0, false
}

// ID names the fact: meter07/hr:100-119, meter07/hr:limit, meter07/pause. It
// has no spaces unless the device's name has.
func (f *Fact) ID() string {
	switch {
	case f.Kind == Pause:
		return f.Device + "/pause"
	case f.Kind == Limit:
		return f.Device + "/" + f.Table + ":limit"
	case f.Length == 0:
		return fmt.Sprintf("%s/%s:|%d", f.Device, f.Table, f.Start)
	case f.Length == 1:
		return fmt.Sprintf("%s/%s:%d", f.Device, f.Table, f.Start)
	}
	return fmt.Sprintf("%s/%s:%d-%d", f.Device, f.Table, f.Start, f.Start+f.Length-1)
}

// Text tells the fact to a person.
func (f *Fact) Text() string {
	t, _ := tableOf(f.Table)
	switch {
	case f.Kind == Pause:
		return fmt.Sprintf("needs a pause of %v between two requests", f.Pause)
	case f.Kind == Limit:
		return fmt.Sprintf("answers for %d %ss at once, not for %d", f.Answered, t, f.Refused)
	case f.Length == 0:
		return fmt.Sprintf("refuses requests across the boundary before %s %d", t, f.Start)
	case f.Length == 1:
		return fmt.Sprintf("refuses %s %d", t, f.Start)
	}
	return fmt.Sprintf("refuses %ss %d-%d", t, f.Start, f.Start+f.Length-1)
}

// Range is what a hole covers.
func (f *Fact) Range() plan.Range {
	t, _ := tableOf(f.Table)
	return plan.Range{Table: t, Start: f.Start, Length: f.Length}
}

// most is the longest request that a limit lets pass: halfway between what
// was answered and what was refused, until both meet.
func (f *Fact) most() int { return (f.Answered + f.Refused) / 2 }

// check tells what makes a fact from a file unfit to be used.
func (f *Fact) check() error {
	if f.Device == "" || f.Unit < 0 || f.Unit > 255 {
		return fmt.Errorf("device %q with unit %d", f.Device, f.Unit)
	}
	t, known := tableOf(f.Table)
	if f.Kind != Pause && !known {
		return fmt.Errorf("%s: table %q is none of coil, di, ir, hr", f.Device, f.Table)
	}
	most := layout.MaxRegisters
	if t.Bits() {
		most = 2000
	}
	switch f.Kind {
	case Hole:
		if f.Start < 0 || f.Length < 0 || f.Start+f.Length > 65536 {
			return fmt.Errorf("%s: a hole at %d of %d lies outside 0-65535", f.Device, f.Start, f.Length)
		}
	case Limit:
		if f.Answered < 1 || f.Refused <= f.Answered || f.Refused > most {
			return fmt.Errorf("%s: a limit where %d is answered and %d refused", f.Device, f.Answered, f.Refused)
		}
	case Pause:
		if f.Pause <= 0 || f.Pause > span(maxPause) {
			return fmt.Errorf("%s: a pause of %v is outside 0s-%v", f.Device, f.Pause, maxPause)
		}
	default:
		return fmt.Errorf("%s: kind %q is none of hole, limit, pause", f.Device, f.Kind)
	}
	return nil
}
