// Package clock knows how far the machine's wall clock could be trusted while
// the log was written, and repairs the times of samples that were taken before
// it was set.
//
// A gateway without a battery-backed clock starts in 1970, or where it was
// switched off, and learns the time minutes or days later. The clock since the
// machine's start never jumps: what it was ahead of the wall clock then and is
// now tells how wrong the sample's time was.
//
// Nothing here blocks. A Table is not safe for concurrent use; a Span is a
// value of its own.
package clock

import (
	"cmp"
	"slices"
	"time"

	"fieldferry/buffer/frame"
	"fieldferry/tag"
)

// Trust says what a sample's time is worth.
type Trust uint8

// The degrees of trust.
const (
	Trusted  Trust = iota // the device's own time, or of a synchronised clock
	Repaired              // the clock was set later; the time was moved by as much
	Unsynced              // nobody has vouched for the clock, then or later
)

var names = [...]string{Trusted: "trusted", Repaired: "repaired", Unsynced: "unsynced"}

func (t Trust) String() string {
	if int(t) < len(names) {
		return names[t]
	}
	return "unknown"
}

const (
	// step is how far the wall clock must jump to be noted.
	step = time.Second
	// most is how many changes are remembered.
	most = 64
)

// Table is what is known of the clocks, oldest first. Its zero value knows
// nothing.
type Table struct {
	entries []frame.Clock
}

// Entries returns what is known, oldest first; it is to be read only.
func (t *Table) Entries() []frame.Clock { return t.entries }

// Note takes a reading of the clocks and reports whether it says anything new:
// another start of the machine, a jump of more than a second, or that the
// clock is trusted, or no longer. Readings come in the order of the log's own
// time; one that is older than the last is not taken.
func (t *Table) Note(c frame.Clock) bool {
	if n := len(t.entries); n > 0 {
		last := &t.entries[n-1]
		jump := offset(&c).Sub(offset(last)).Abs()
		if c.Log < last.Log || c.Boot == last.Boot && c.Trusted == last.Trusted && jump <= step {
			return false
		}
	}
	if len(t.entries) == most {
		t.entries = append(t.entries[:0], t.entries[1:]...)
	}
	t.entries = append(t.entries, c)
	return true
}

// Merge adds what another table knows of the same log's time.
func (t *Table) Merge(o *Table) {
	all := slices.Concat(t.entries, o.entries)
	slices.SortStableFunc(all, func(x, y frame.Clock) int { return cmp.Compare(x.Log, y.Log) })
	t.entries = nil
	for _, c := range all {
		t.Note(c)
	}
}

// offset is the wall clock at the machine's start.
func offset(c *frame.Clock) time.Time { return c.Wall.Add(-c.Up) }

// Span says what a time was worth at one moment of the log.
type Span struct {
	known bool
	parts [2]part // at the moment, and after the next change
	n     int
}

type part struct {
	expect time.Time // what the wall clock showed at the moment, going by this part
	trust  Trust
	shift  time.Duration
}

// At returns what times were worth at a moment of the log's own time. It is to
// be asked for again when the table has changed.
func (t *Table) At(log time.Duration) Span {
	i := len(t.entries) - 1
	for i >= 0 && t.entries[i].Log > log {
		i--
	}
	if i < 0 {
		return Span{}
	}
	s := Span{known: true}
	for j := i; j < len(t.entries) && s.n < len(s.parts) && t.entries[j].Boot == t.entries[i].Boot; j++ {
		e := &t.entries[j]
		p := part{expect: e.Wall.Add(log - e.Log)}
		p.trust, p.shift = t.worth(j)
		s.parts[s.n] = p
		s.n++
	}
	return s
}

// worth says what the clock of entry i is worth, and by how much a time of it
// is wrong: later entries of the same start of the machine tell.
func (t *Table) worth(i int) (Trust, time.Duration) {
	e := &t.entries[i]
	if e.Trusted {
		return Trusted, 0
	}
	for j := i + 1; j < len(t.entries) && e.Boot != [16]byte{}; j++ {
		if later := &t.entries[j]; later.Boot == e.Boot && later.Trusted {
			return Repaired, offset(later).Sub(offset(e))
		}
	}
	return Unsynced, 0
}

// Repair moves the time of a sample that was appended at the moment of the
// span, or shortly after, and says what it is worth then. A time that the
// device gave stays.
//
// The change of a clock is noticed some time after it happens. Which side of
// it a sample was taken on, its time tells: it is near what the clock showed.
func (s *Span) Repair(v *tag.Sample) Trust {
	switch {
	case v.BySource:
		return Trusted
	case !s.known:
		return Unsynced
	}
	p := &s.parts[0]
	if s.n > 1 && far(v.Time, s.parts[1].expect) < far(v.Time, p.expect) {
		p = &s.parts[1]
	}
	if p.trust == Repaired {
		v.Time = v.Time.Add(p.shift)
	}
	return p.trust
}

func far(a, b time.Time) time.Duration { return a.Sub(b).Abs() }
