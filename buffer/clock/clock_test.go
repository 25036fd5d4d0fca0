package clock

import (
	"testing"
	"time"

	"fieldferry/buffer/disk"
	"fieldferry/buffer/frame"
	"fieldferry/tag"
)

var (
	wrong = time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC)
	right = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
)

// reading is one of the machine's start number boot, up so long, while the
// log's own time is the same as up on the first start.
func reading(boot byte, log, up time.Duration, start time.Time, trusted bool) frame.Clock {
	return frame.Clock{Log: log, Clock: disk.Clock{Wall: start.Add(up), Up: up, Boot: [16]byte{boot}, Trusted: trusted}}
}

func TestNote(t *testing.T) {
	var tb Table
	for i, c := range []struct {
		frame.Clock
		want bool
	}{
		{reading(1, 1, 1, wrong, false), true},
		{reading(1, 2, 2, wrong, false), false},
		{reading(1, 3, 3, wrong.Add(time.Second), false), false},
		{reading(1, 4, 4, wrong.Add(time.Second+1), false), true},
		{reading(1, 5, 5, right, true), true},
		{reading(1, 6, 6, right.Add(-time.Second/2), true), false},
		{reading(1, 7, 7, right, false), true},
		{reading(1, 6, 8, right, true), false}, // older
		{reading(2, 8, 1, right.Add(7), false), true},
		{reading(2, 8, 2, right.Add(7), true), true},
	} {
		if got := tb.Note(c.Clock); got != c.want {
			t.Errorf("reading %d: got %v, want %v", i, got, c.want)
		}
	}
	for i := range 200 {
		tb.Note(reading(3, time.Hour+time.Duration(i), 5, right, i%2 == 0))
	}
	if n := len(tb.Entries()); n != most || tb.Entries()[n-1].Log != time.Hour+199 {
		t.Errorf("%d entries, the last at %v", n, tb.Entries()[n-1].Log)
	}
}

func TestRepair(t *testing.T) {
	const min = time.Minute
	var tb Table
	for _, c := range []frame.Clock{
		reading(1, 1*min, 1*min, wrong, false),
		reading(1, 10*min, 10*min, right, true),
		reading(1, 20*min, 20*min, right.Add(time.Hour), true), // somebody corrected it
		reading(2, 30*min, 1*min, wrong, false),                // and this start never knew
		reading(3, 40*min, 1*min, wrong, false),
		reading(3, 50*min, 11*min, wrong.AddDate(68, 0, 0), false), // 2038
		reading(3, 60*min, 21*min, right, true),
	} {
		tb.Note(c)
	}
	for _, c := range []struct {
		name  string
		at    time.Duration
		time  time.Time
		want  time.Time
		trust Trust
	}{
		{"before the clock was set", 5 * min, wrong.Add(5 * min), right.Add(5 * min), Repaired},
		{"set, but not noticed yet", 10*min - 1, right.Add(10 * min), right.Add(10 * min), Trusted},
		{"set", 11 * min, right.Add(11 * min), right.Add(11 * min), Trusted},
		{"a trusted clock that jumps", 21 * min, right.Add(81 * min), right.Add(81 * min), Trusted},
		{"never set", 31 * min, wrong.Add(2 * min), wrong.Add(2 * min), Unsynced},
		{"wrong, and wrong again", 41 * min, wrong.Add(2 * min), right.Add(2 * min), Repaired},
		{"wrong again", 51 * min, wrong.AddDate(68, 0, 0).Add(12 * min), right.Add(12 * min), Repaired},
		{"wrong again, not noticed yet", 50*min - 1, wrong.AddDate(68, 0, 0).Add(11 * min), right.Add(11 * min), Repaired},
		{"before everything that is known", 0, wrong, wrong, Unsynced},
	} {
		span := tb.At(c.at)
		s := tag.Sample{Time: c.time}
		if trust := span.Repair(&s); trust != c.trust || !s.Time.Equal(c.want) {
			t.Errorf("%s: got %v, %v, want %v, %v", c.name, s.Time, trust, c.want, c.trust)
		}
		s = tag.Sample{Time: c.time, BySource: true}
		if trust := span.Repair(&s); trust != Trusted || !s.Time.Equal(c.time) {
			t.Errorf("%s, by the device: got %v, %v, want %v untouched", c.name, s.Time, trust, c.time)
		}
	}
}

// TestUnknownBoot: where the machine's start has no name nothing later can
// tell of it.
func TestUnknownBoot(t *testing.T) {
	var tb Table
	tb.Note(reading(0, 1, 1, wrong, false))
	tb.Note(reading(0, 5, 5, right, true))
	s := tag.Sample{Time: wrong.Add(2)}
	span := tb.At(2)
	if trust := span.Repair(&s); trust != Unsynced || !s.Time.Equal(wrong.Add(2)) {
		t.Errorf("got %v, %v, want the time as it was, unsynced", s.Time, trust)
	}
}
