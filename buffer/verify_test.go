package buffer

import (
	"context"

	"fieldferry/buffer/inspect"
)

// consistent looks at the directory as "fieldferry buffer verify" does, from
// outside, before the log is opened: whatever has happened to it, and whatever
// was lost, it must not contradict itself.
func (g *rig) consistent() {
	g.t.Helper()
	d, err := inspect.Open(g.m, g.cfg.Dir)
	if err != nil {
		return // there is no log yet, or the disk is out
	}
	sum, err := d.Verify(context.Background(), func(f inspect.Finding) {
		if f.Level == inspect.Fault {
			g.t.Fatalf("verify: %s at %d: %s\n%s", f.File, f.Offset, f.Text, g.m.Dump())
		}
	})
	if err != nil {
		g.t.Fatalf("verify: %v, %+v", err, sum)
	}
}
