package buffer

import (
	"slices"
	"testing"

	"fieldferry/tag"
)

// TestLittleWaitsForTheTick: a few samples wake nobody; they are written when
// half a sync interval has passed.
func TestLittleWaitsForTheTick(t *testing.T) {
	g := emptyRig(t, rigConfig())
	g.lim.batch = 32 << 10
	g.tags = slices.DeleteFunc(g.tags, func(v *tag.Tag) bool { return v.Class == tag.ClassAlarm }) // those wake it
	g.open()
	a := g.reader("a", StartNow)
	g.sync()
	for range 20 {
		g.append(3)
		if n := g.b.Stats().InMemory; n <= 0 || n > 4<<10 {
			t.Fatalf("%d bytes in memory for 3 samples", n)
		}
		g.read(a, 3)
		g.settle(a, 3)
	}
	select {
	case <-g.b.kick:
		t.Errorf("3 samples woke the writer: %+v", g.b.Stats())
	default:
	}
}
