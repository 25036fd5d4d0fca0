//go:build !race

package buffer

import (
	"math"
	"strings"
	"testing"
	"time"

	"fieldferry/buffer/fault"
)

// TestDropIsDurableBeforeItsFileGoes cuts the power at every change while
// segments are dropped: at a tick, in the middle of a commit that needs room
// for more than one, and for age; and while those are deleted that every reader
// has settled, between two ticks. What is gone is on record, whenever the power
// went; nothing is merely missing.
func TestDropIsDurableBeforeItsFileGoes(t *testing.T) {
	cases := []struct {
		name string
		cfg  func(*Config)
		step func(g *rig)
		n    int // steps
	}{
		{"at a tick", func(c *Config) { c.MaxBytes = 24 << 10 }, func(g *rig) { g.append(60); g.sync(); g.tick() }, 12},
		{"in a commit", func(c *Config) { c.MaxBytes = 24 << 10 }, func(g *rig) { g.append(500); g.sync() }, 4},
		{"settled", func(*Config) {}, func(g *rig) {
			for range 3 { // so that a sealed segment has some of them
				g.append(90)
				g.sync()
			}
			for _, rr := range g.readers {
				g.read(rr, 1000)
				g.settle(rr, len(rr.got))
			}
			g.b.kicked()
			g.tick()
		}, 4},
		{"for age", func(c *Config) { c.MaxAge = time.Second }, func(g *rig) { g.append(10); g.tick() }, 9},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := rigConfig()
			c.cfg(&cfg)
			g := emptyRig(t, cfg)
			g.lim.segment = 6 << 10
			g.open()
			g.reader("a", StartNow)
			g.reader("slow", StartNow)
			g.sync()
			s := simulation{t: t, seen: map[uint64]bool{}, lossy: c.name != "settled", want: math.MaxInt64}
			deleted, near := 0, 0
			g.m.Plan(func(_ int, kind, name string) error {
				if kind == "remove" && strings.HasSuffix(name, ".seg") {
					deleted, near = deleted+1, 6 // what follows a deletion is what may come too late
				}
				return nil
			})
			g.m.Watch(func(at *fault.Moment) {
				if near > 0 {
					near--
					s.cut(g, at)
				}
			})
			for range c.n {
				c.step(g)
			}
			if n := total(g.b.Stats().Dropped); (n == 0) == s.lossy || deleted < 3 || s.states < 20 {
				t.Errorf("%d samples dropped, %d files deleted, %d states looked at: want more of each", n, deleted, s.states)
			}
			t.Logf("%d samples dropped, %d files deleted, %d states", total(g.b.Stats().Dropped), deleted, s.states)
		})
	}
}
