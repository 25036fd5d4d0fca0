package buffer

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// crashCases are the workloads whose power is cut, and whose process is
// killed, at every operation.
var crashCases = []struct {
	name  string
	cfg   func(*Config)
	lossy bool
}{
	{"shared memory", func(*Config) {}, false},
	{"written through", func(c *Config) { c.RuntimeDir = "" }, false},
	{"dropping", func(c *Config) { c.MaxBytes = 40 << 10 }, true},
	{"dropping, written through", func(c *Config) { c.RuntimeDir = ""; c.MaxBytes = 40 << 10 }, true},
}

// work appends, reads, settles, syncs and lets time pass, until the power is
// gone.
func work(g *rig, rnd *rand.Rand, steps int) {
	a, slow := g.readers["a"], g.readers["slow"]
	for i := range steps {
		if g.m.Cut() {
			return
		}
		switch rnd.IntN(8) {
		case 0, 1, 2:
			g.append(1 + rnd.IntN(12))
		case 3:
			g.append(150)
		case 4:
			g.tick()
		case 5:
			g.sync()
		case 6:
			g.read(a, 1000)
			g.settle(a, len(a.got))
		case 7:
			g.read(slow, 60)
			g.settle(slow, rnd.IntN(60))
		}
		if i%25 == 24 {
			g.rewind(slow)
		}
	}
}

func crashRig(t *testing.T, change func(*Config)) *rig {
	cfg := rigConfig()
	change(&cfg)
	g := newRig(t, cfg)
	g.reader("a", StartNow)
	g.reader("slow", StartNow)
	g.sync()
	return g
}

const crashSteps = 100

// countOps runs a workload without a fault.
func countOps(t *testing.T, change func(*Config), seed uint64) int {
	g := crashRig(t, change)
	work(g, rand.New(rand.NewPCG(seed, 0)), crashSteps)
	return g.m.Ops()
}

// survive opens the log after a crash, checks it, and goes on with it: new
// numbers must not repeat old ones, a second crash must do no harm either.
func survive(g *rig, rnd *rand.Rand, lossy bool) {
	g.t.Helper()
	g.open()
	g.afterCrash(lossy)
	for _, rr := range g.readers {
		rr.low = rr.saved
		g.rewind(rr)
	}
	work(g, rnd, 20)
	g.sync()
	g.reboot(rnd)
	g.open()
	g.afterCrash(lossy)
}

// fork runs f with a copy of the rig's knowledge.
func (g *rig) fork(what string, f func(g *rig)) {
	g.t.Helper()
	c := *g
	c.given = maps.Clone(g.given)
	c.must = maps.Clone(g.must)
	c.num.of, c.num.given = maps.Clone(g.num.of), maps.Clone(g.num.given)
	c.readers = map[string]*rigReader{}
	for name, rr := range g.readers {
		r := *rr
		r.got, r.done = nil, maps.Clone(rr.done)
		c.readers[name] = &r
	}
	defer func() {
		if g.t.Failed() {
			g.t.Log("in", what)
		}
	}()
	f(&c)
}
