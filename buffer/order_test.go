package buffer

import (
	"testing"

	"fieldferry/tag"
)

// TestLowerClassGoesFirst: for room, and for the space that is left to others,
// bulk goes before normal and normal before alarms. Each step appends to one
// class alone, so that no other one gains a segment in it: what was dropped of
// a higher class was dropped with no sealed segment left in a lower one.
func TestLowerClassGoesFirst(t *testing.T) {
	order := []tag.Class{tag.ClassBulk, tag.ClassNormal, tag.ClassAlarm}
	cases := []struct {
		name string
		cfg  func(*Config)
		full func(g *rig)
	}{
		{"max bytes", func(c *Config) { c.MaxBytes = 160 << 10 }, func(*rig) {}},
		{"min free", func(c *Config) { c.MinFree = 100 << 10 }, func(g *rig) { g.m.SetFree(260 << 10) }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := rigConfig()
			c.cfg(&cfg)
			g := newRig(t, cfg)
			g.reader("a", StartNow)
			c.full(g)
			all := g.tags
			for _, of := range []tag.Class{tag.ClassAlarm, tag.ClassNormal, tag.ClassBulk, tag.ClassNormal, tag.ClassAlarm} {
				g.tags = nil
				for _, v := range all {
					if v.Class == of {
						g.tags = append(g.tags, v)
					}
				}
				for range 120 {
					before := g.b.Stats()
					g.append(40)
					g.sync()
					for range 2 {
						g.tick()
					}
					after := g.b.Stats()
					for i, high := range order {
						if total(after.Classes[high].Dropped) == total(before.Classes[high].Dropped) {
							continue
						}
						for _, low := range order[:i] {
							if n := after.Classes[low].Segments; n > 1 {
								t.Fatalf("%v was dropped while %v had %d segments: %v", high, low, n, after.Classes)
							}
						}
					}
				}
			}
			for _, class := range order {
				if n := g.b.Stats().Classes[class].Dropped[c.name]; n == 0 {
					t.Errorf("nothing of %v was dropped: %+v", class, g.b.Stats().Classes)
				}
			}
			g.conserved()
		})
	}
}
