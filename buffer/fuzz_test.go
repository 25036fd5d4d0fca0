package buffer

import (
	"testing"
)

// FuzzDamage writes anything over any place of a log that was closed in order:
// it opens, hands out nothing that was not appended, and counts exactly what
// is missing.
func FuzzDamage(f *testing.F) {
	for _, seed := range []struct {
		file uint8
		at   uint32
		with string
	}{
		{0, 0, "FFERRYSG"}, {0, 8, "\x02\x00\x00\x00"}, {0, 4096, "FBLK"}, {1, 4104, "\xff\xff\xff\xff"},
		{1, 4112, "\x00\x00\x00\x01"}, {0, 4608, string(make([]byte, 512))}, {1, 5_000, string(make([]byte, 900))},
		{2, 4144, "\xff\xff\xff\x7f"}, {1, 5_500, "\x88\x01"}, {0, 5000, "x"},
	} {
		f.Add(seed.file, seed.at, []byte(seed.with))
	}
	whole := closedRig(f, 12, 20, 6<<10)
	f.Fuzz(func(t *testing.T, file uint8, at uint32, with []byte) {
		g := whole.copied(t)
		names := g.segments()
		g.m.Damage(names[int(file)%len(names)], func(p []byte) {
			copy(p[int(at)%len(p):], with)
		})
		drainDamaged(g)
	})
}

// copied is a rig with the same knowledge and a copy of the disk, on which
// everything is durable.
func (g *rig) copied(t tester) (c *rig) {
	of := *g
	of.t = t
	of.fork("", func(f *rig) {
		f.m = f.m.Copy()
		c = f
	})
	return c
}
