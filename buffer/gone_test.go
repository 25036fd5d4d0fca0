package buffer

import (
	"testing"
	"time"

	"fieldferry/buffer/disk"
)

// pass lets time pass, an hour at a time.
func (g *rig) pass(d time.Duration) {
	for ; d > 0; d -= time.Hour {
		g.m.SetClock(func(c *disk.Clock) { c.Up += time.Hour; c.Wall = c.Wall.Add(time.Hour) })
		g.b.tick()
	}
}

// TestGoneReaderIsForgotten: a reader that nobody opens any more is told as
// absent, over restarts, and forgotten after max_age with what it had not
// settled counted. Those in use stay, however idle.
func TestGoneReaderIsForgotten(t *testing.T) {
	cfg := rigConfig()
	cfg.MaxAge = 10 * 24 * time.Hour
	g := newRig(t, cfg)
	g.reader("here", StartNow)
	g.reader("gone", StartNow)
	g.append(100)
	g.sync()
	g.pass(48 * time.Hour)
	if s := g.stats("gone"); !s.Open || s.Absent != 0 {
		t.Errorf("in use: open %v, absent %v", s.Open, s.Absent)
	}
	delete(g.readers, "gone")
	for range 2 { // its uplink is not in the configuration any more
		g.kill()
		g.open()
		g.pass(72 * time.Hour)
	}
	s := g.stats("gone")
	if s.Open || s.Absent < 143*time.Hour || s.Absent > 146*time.Hour {
		t.Errorf("after 144 h: open %v, absent %v", s.Open, s.Absent)
	}
	g.append(50)
	g.pass(100 * time.Hour)
	if s := g.stats("gone"); s.Name != "" {
		t.Errorf("after 244 h with max_age 240 h: %+v, want it forgotten", s)
	}
	if n := g.b.Stats().Dropped["gone"]; n == 0 {
		t.Errorf("dropped %v, want some for the reason \"gone\"", g.b.Stats().Dropped)
	}
	if g.stats("here").Name == "" {
		t.Error("the reader in use was forgotten too")
	}
	g.conserved()
	g.kill()
	g.open()
	if s := g.stats("gone"); s.Name != "" {
		t.Errorf("after a restart: %+v", s)
	}
}

// TestLongAbsenceOfTheGateway: readers are not forgotten because the machine
// was off for long; they have an hour to come after the start.
func TestLongAbsenceOfTheGateway(t *testing.T) {
	cfg := rigConfig()
	cfg.MaxAge = 0
	g := newRig(t, cfg)
	g.reader("a", StartNow)
	g.append(10)
	g.sync()
	if err := g.b.Close(); err != nil {
		t.Fatal(err)
	}
	g.promise(g.next)
	readers := g.readers
	g.readers = nil
	g.m.SetClock(func(c *disk.Clock) { c.Up += 60 * 24 * time.Hour; c.Wall = c.Wall.Add(60 * 24 * time.Hour) })
	g.open()
	g.b.tick()
	g.readers = readers
	if s := g.stats("a"); s.Name == "" || s.Pending != 10 {
		t.Fatalf("after 60 days off: %+v, want 10 samples waiting", s)
	}
	r, err := g.b.Reader("a", StartNow)
	if err != nil {
		t.Fatal(err)
	}
	readers["a"].r = r
	g.pass(2 * time.Hour)
	if s := g.stats("a"); !s.Open || s.Absent != 0 || s.Pending != 10 {
		t.Errorf("opened again: %+v", s)
	}
}
