package replay

import (
	"testing"
	"time"
)

func TestMarks(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(1000, 0).Add(time.Duration(s * float64(time.Second))) }
	var m Marks
	m.Begin(10, Ripe)
	if got := m.Boundary(at(0)); got != 10 {
		t.Errorf("at the start: history up to %d, want 10", got)
	}
	for i := range 100 { // ten samples a second, looked at ten times a second
		m.Note(at(float64(i)/10), uint64(10+i))
	}
	if got := m.Boundary(at(9.9)); got < 10+40 || got > 10+49 {
		t.Errorf("after 9.9 s: history up to %d, want what is older than five seconds, to a second: 50 to 59", got)
	}
	if n := len(m.list); n > 7 {
		t.Errorf("%d marks are kept", n)
	}
	before := m.Boundary(at(9.9))
	m.Note(at(30), 110)
	if got := m.Boundary(at(31)); got < before || got > 109 {
		t.Errorf("after a pause: history up to %d, want %d to 109", got, before)
	}
}
