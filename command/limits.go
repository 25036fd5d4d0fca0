package command

import (
	"fmt"
	"math"
	"time"

	"fieldferry/live"
	"fieldferry/tag"
)

// Limits bound the writes to one tag.
type Limits struct {
	Min, Max    *float64      // engineering units, inclusive
	Step        *float64      // the grid, from Min or 0, that a value must lie on
	MaxStep     *float64      // the most that one write may change the value by
	MinInterval time.Duration // least time between two writes, over restarts: EEPROM registers wear out
}

// outside tells why a value may not be written whatever the tag holds now.
func outside(v tag.Value, l Limits) string {
	if v.IsNull() {
		return "a null cannot be written"
	}
	f, numeric := v.Number()
	if !numeric {
		return ""
	}
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return "not a finite number"
	case l.Min != nil && f < *l.Min:
		return fmt.Sprintf("%v is below the tag's min of %v", v, *l.Min)
	case l.Max != nil && f > *l.Max:
		return fmt.Sprintf("%v is above the tag's max of %v", v, *l.Max)
	case l.Step != nil && !onGrid(f, l):
		return fmt.Sprintf("%v is not a whole number of the tag's steps of %v", v, *l.Step)
	}
	return ""
}

// onGrid allows for the rounding of decimal fractions.
func onGrid(f float64, l Limits) bool {
	if l.Min != nil {
		f -= *l.Min
	}
	n := f / *l.Step
	return math.Abs(n-math.Round(n)) <= 1e-9*max(1, math.Abs(n))
}

// tooFar tells why a value may not be written over the one that the tag has
// now. Whoever asks holds the tag's turn, so that no other write comes between.
func tooFar(v tag.Value, l Limits, cell *live.Cell) string {
	f, numeric := v.Number()
	if l.MaxStep == nil || !numeric {
		return ""
	}
	now, seen := cell.Get()
	present, known := now.Value.Number()
	if !seen || !known || now.Quality.Level != tag.Good {
		return fmt.Sprintf("the tag's max_step of %v cannot be kept: its present value is not known", *l.MaxStep)
	}
	if d := math.Abs(f - present); d > *l.MaxStep*(1+1e-9) {
		return fmt.Sprintf("from %v to %v is further than the tag's max_step of %v", now.Value, v, *l.MaxStep)
	}
	return ""
}

// tooOften tells why a tag may not be written yet. After a restart the audit
// says when it was written last.
func (s *Service) tooOften(st *tagState, t *tag.Tag, l Limits, now time.Time) string {
	if l.MinInterval <= 0 {
		return ""
	}
	if st.last.IsZero() {
		last, err := s.audit.lastWrite(t.Device.Name, t.Name)
		if err != nil {
			return fmt.Sprintf("the tag's min_write_interval cannot be kept: %v", err)
		}
		if st.last = last; last.After(now) {
			st.last = now // the clock has been set back since
		}
	}
	if wait := l.MinInterval - now.Sub(st.last); !st.last.IsZero() && wait > 0 {
		return fmt.Sprintf("written too often: the next write is allowed in %s", wait.Round(time.Millisecond))
	}
	return ""
}
