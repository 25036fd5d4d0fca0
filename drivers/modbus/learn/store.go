package learn

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/plan"
)

// How long a fact is believed before it is tried again: at first, doubled with
// each time that it was learnt anew, up to the longest.
const (
	retryTag, retryTagMost = time.Minute, 6 * time.Hour
	retry, retryMost       = 24 * time.Hour, 7 * 24 * time.Hour

	maxPause = 2 * time.Second
)

// Store holds the facts of one link.
type Store struct {
	path    string // empty: nothing is kept beyond the process
	log     *slog.Logger
	saving  sync.Mutex    // held while the file is written
	version atomic.Uint64 // grows with every change that a plan must know

	mu    sync.Mutex // guards the fields below
	file  file
	dirty bool
}

// Cost is what reads of a device were found to take, kept so that the next
// start, and a check without devices, know it.
type Cost struct {
	Device   string `json:"device"`
	Unit     int    `json:"unit"`
	Request  span   `json:"request"`  // for a request, however short
	Register span   `json:"register"` // for each register more
	Reads    uint64 `json:"reads"`    // that it rests on
}

// Version grows with every change of the facts. It does not block.
func (s *Store) Version() uint64 { return s.version.Load() }

// Facts returns all facts, by device and id.
func (s *Store) Facts() []Fact {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.file.Facts)
}

// Forget drops the fact of an id, or all facts of a device, and says how many
// that were. What was forgotten is learnt again if it is still so.
func (s *Store) Forget(id string) int {
	return s.drop(func(f *Fact) bool { return f.ID() == id || f.Device == id })
}

func (s *Store) drop(gone func(*Fact) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.file.Facts)
	s.file.Facts = slices.DeleteFunc(s.file.Facts, func(f Fact) bool { return gone(&f) })
	n := before - len(s.file.Facts)
	if n > 0 {
		s.changedLocked()
	}
	return n
}

func (s *Store) changedLocked() {
	s.dirty = true
	s.version.Add(1)
}

// Device is the facts of one device.
type Device struct {
	s    *Store
	name string
	unit int
}

// Device returns the facts of a device; those of another unit id are not its.
func (s *Store) Device(name string, unit int) Device { return Device{s, name, unit} }

func (d Device) has(f *Fact) bool { return f.Device == d.name && f.Unit == d.unit }

// Limits narrows what is configured by what is known, and tells when a fact is
// to be tried again; zero: never.
func (d Device) Limits(l plan.Limits, now time.Time) (plan.Limits, time.Time) {
	l.Walls = slices.Clone(l.Walls)
	var next time.Time
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	for i := range d.s.file.Facts {
		f := &d.s.file.Facts[i]
		if !d.has(f) {
			continue
		}
		due := !f.Retry.IsZero() && !f.Retry.After(now)
		if !due && !f.Retry.IsZero() && (next.IsZero() || f.Retry.Before(next)) {
			next = f.Retry
		}
		t, _ := tableOf(f.Table)
		switch {
		case f.Kind == Hole && (!due || f.Tag): // a tag is tried alone: its neighbours stay in one piece
			l.Walls = append(l.Walls, f.Range())
		case f.Kind == Limit && !due && (l.Max[t] <= 0 || f.most() < l.Max[t]):
			l.Max[t] = f.most()
		}
	}
	return l, next
}

// Pause is what the device needs between two requests.
func (d Device) Pause() time.Duration {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	for i := range d.s.file.Facts {
		if f := &d.s.file.Facts[i]; d.has(f) && f.Kind == Pause {
			return time.Duration(f.Pause)
		}
	}
	return 0
}

// Refused tells whether a tag's own registers are known to be refused, why,
// and until when it is left alone.
func (d Device) Refused(r plan.Range) (why string, until time.Time, refused bool) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	for i := range d.s.file.Facts {
		if f := &d.s.file.Facts[i]; d.has(f) && f.Kind == Hole && f.Tag && f.Range() == r {
			return f.Why, f.Retry, true
		}
	}
	return "", time.Time{}, false
}

// Hole learns that registers are refused; tag: that one tag asks for just
// these. It returns when they are tried again.
func (d Device) Hole(r plan.Range, tag Scope, why string, now time.Time) time.Time {
	return d.learn(Fact{Kind: Hole, Table: tables[r.Table], Start: r.Start, Length: r.Length, Tag: tag == OfTag, Why: why}, now)
}

// Scope says what a hole was found to be.
type Scope uint8

// The scopes.
const (
	OfGap Scope = iota // between tags: nobody asks for it
	OfTag              // what a tag asks for
)

// Limit learns that a request for so many was refused, while answered is the
// longest that was not.
func (d Device) Limit(t layout.Table, answered, refused int, why string, now time.Time) {
	d.learn(Fact{Kind: Limit, Table: tables[t], Answered: max(answered, 1), Refused: refused, Why: why}, now)
}

// NeedsPause learns that the device refuses what comes too soon.
func (d Device) NeedsPause(p time.Duration, why string, now time.Time) {
	d.learn(Fact{Kind: Pause, Pause: span(min(p, maxPause)), Why: why}, now)
}

// learn keeps a fact, in the place of the one with the same id.
func (d Device) learn(f Fact, now time.Time) time.Time {
	f.Device, f.Unit, f.Learned, f.Times = d.name, d.unit, now.UTC().Truncate(time.Second), 1
	s := d.s
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.file.Facts, func(x Fact) bool { return x.ID() == f.ID() })
	if i >= 0 && d.has(&s.file.Facts[i]) {
		f.again(&s.file.Facts[i], now)
	}
	f.Retry = now.UTC().Truncate(time.Second).Add(f.rest())
	if i >= 0 {
		s.file.Facts[i] = f
	} else {
		s.file.Facts = append(s.file.Facts, f)
		slices.SortFunc(s.file.Facts, func(a, b Fact) int { return strings.Compare(a.ID(), b.ID()) })
	}
	s.changedLocked()
	return f.Retry
}

// again takes over what an older fact with the same id knew.
func (f *Fact) again(old *Fact, now time.Time) {
	due := !old.Retry.IsZero() && !old.Retry.After(now)
	f.Times = old.Times
	if due || f.Kind == Pause {
		f.Times = min(old.Times+1, 30)
	}
	if f.Kind == Limit {
		f.Refused = min(f.Refused, old.Refused)
		f.Answered = min(max(f.Answered, old.Answered), f.Refused-1)
	}
}

// rest is how long the fact is believed.
func (f *Fact) rest() time.Duration {
	first, most := retry, retryMost
	if f.Tag {
		first, most = retryTag, retryTagMost
	}
	for n := f.Times; n > 1 && first < most; n-- {
		first *= 2
	}
	return min(first, most)
}

// Answered takes note of a request that the device answered, and forgets what
// that disproves: holes and boundaries within it, and a limit below it. It
// returns the ids of what was forgotten.
func (d Device) Answered(r plan.Range) (healed []string) {
	s := d.s
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := false
	for i := range s.file.Facts {
		f := &s.file.Facts[i]
		if !d.has(f) || f.Table != tables[r.Table] {
			continue
		}
		if f.Kind == Limit && f.Answered < r.Length {
			f.Answered, changed = r.Length, true
		}
		if f.disproved(r) {
			healed = append(healed, f.ID())
		}
	}
	if len(healed) > 0 {
		s.file.Facts = slices.DeleteFunc(s.file.Facts, func(f Fact) bool { return slices.Contains(healed, f.ID()) })
	}
	if changed || len(healed) > 0 {
		s.changedLocked()
	}
	return healed
}

func (f *Fact) disproved(r plan.Range) bool {
	return f.Kind == Limit && f.Answered >= f.Refused || f.Kind == Hole && inside(f.Range(), r)
}

// Watches says whether an answer may tell something: a limit is still being
// looked for, or a fact is due to be tried again.
func (d Device) Watches(now time.Time) bool {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	for i := range d.s.file.Facts {
		f := &d.s.file.Facts[i]
		due := !f.Retry.IsZero() && !f.Retry.After(now)
		if d.has(f) && (f.Tag || due || f.Kind == Limit && f.Refused-f.Answered > 1) {
			return true
		}
	}
	return false
}

// inside says that a request for r went across or into the hole.
func inside(hole, r plan.Range) bool {
	if hole.Length == 0 {
		return r.Start < hole.Start && hole.Start < r.End()
	}
	return r.Start <= hole.Start && hole.End() <= r.End()
}

// Keep takes down what reads of the device were found to take.
func (d Device) Keep(c plan.Costs, reads uint64) {
	s := d.s
	s.mu.Lock()
	defer s.mu.Unlock()
	x := Cost{d.name, d.unit, span(c.Request), span(c.Register), reads}
	i := slices.IndexFunc(s.file.Costs, func(o Cost) bool { return o.Device == d.name })
	if i < 0 {
		s.file.Costs = append(s.file.Costs, x)
		slices.SortFunc(s.file.Costs, func(a, b Cost) int { return strings.Compare(a.Device, b.Device) })
	} else {
		s.file.Costs[i] = x
	}
	s.dirty = true
}

// Costs is what Keep took down, and how many reads that rests on; 0: nothing
// is known.
func (d Device) Costs() (plan.Costs, uint64) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	for _, c := range d.s.file.Costs {
		if c.Device == d.name && c.Unit == d.unit {
			return plan.Costs{Request: time.Duration(c.Request), Register: time.Duration(c.Register), Bit: time.Duration(c.Register) / 16}, c.Reads
		}
	}
	return plan.Costs{}, 0
}
