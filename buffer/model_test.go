package buffer

import (
	"math/rand/v2"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"fieldferry/buffer/account"
)

// TestModel lets rapid do what it likes to a buffer, with the rig as its
// model: whatever the order of appends, reads, settlements, syncs, failures,
// kills and power cuts, every sample comes in order and unchanged, what was
// promised is there or counted, no number is used twice, and every account
// adds up.
//
// With lanes what is appended after a split comes before the backlog: either
// is in order, and every sample comes once.
func TestModel(t *testing.T) {
	for name, lanes := range map[string]bool{"in order": false, "lanes": true} {
		t.Run(name, func(t *testing.T) { model(t, lanes) })
	}
}

func model(t *testing.T, lanes bool) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := rigConfig()
		if rapid.Bool().Draw(t, "written through") {
			cfg.RuntimeDir = ""
		}
		lossy := rapid.Bool().Draw(t, "small")
		if lossy {
			cfg.MaxBytes = 40 << 10
		}
		g := newRig(t, cfg)
		g.reader("a", StartNow)
		g.reader("b", StartNow)
		g.sync()
		pick := func(t *rapid.T) *rigReader {
			return g.readers[rapid.SampledFrom([]string{"a", "b"}).Draw(t, "reader")]
		}
		actions := map[string]func(*rapid.T){
			"append": func(t *rapid.T) { g.append(rapid.IntRange(1, 200).Draw(t, "samples")) },
			"read":   func(t *rapid.T) { g.read(pick(t), rapid.IntRange(1, 500).Draw(t, "samples")) },
			"settle": func(t *rapid.T) { g.settle(pick(t), rapid.IntRange(1, 500).Draw(t, "samples")) },
			"sync":   func(*rapid.T) { g.sync() },
			"tick":   func(*rapid.T) { g.tick() },
			"rewind": func(t *rapid.T) {
				g.rewind(pick(t))
			},
			"fail": func(t *rapid.T) {
				g.faulty = true
				left := rapid.IntRange(1, 20).Draw(t, "operations")
				g.m.Plan(func(int, string, string) error {
					if left--; left < 0 {
						return nil
					}
					return syscall.EIO
				})
			},
			"restart": func(*rapid.T) {
				g.m.Plan(nil)
				g.another()
				if err := g.b.Close(); err != nil {
					g.t.Fatal(err)
				}
				g.promise(g.next)
				g.ends(!g.loose)
				g.openAgain()
			},
			"kill": func(*rapid.T) {
				g.m.Plan(nil)
				g.kill()
				g.openAgain()
			},
			"power cut": func(t *rapid.T) {
				g.m.Plan(nil)
				g.reboot(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "luck"), 0)))
				g.openAgain()
			},
			"": func(*rapid.T) { g.conserved() },
		}
		if lanes {
			for _, rr := range g.readers {
				rr.out = map[int64]bool{}
			}
			actions["split"] = func(t *rapid.T) { g.split(pick(t)) }
			actions["outage"] = func(t *rapid.T) { // what leaves a hole, which chance seldom does
				rr := pick(t)
				g.append(rapid.IntRange(1, 100).Draw(t, "waiting"))
				g.split(rr)
				n := rapid.IntRange(1, 100).Draw(t, "live")
				g.append(n)
				g.read(rr, rapid.IntRange(1, 150).Draw(t, "read"))
				g.settle(rr, rapid.IntRange(0, n).Draw(t, "settled"))
			}
			actions["reconnect"] = func(t *rapid.T) {
				rr := pick(t)
				g.rewind(rr)
				g.read(rr, 500)
				g.settle(rr, rapid.IntRange(0, 500).Draw(t, "settled"))
			}
		}
		t.Repeat(actions)
		g.m.Plan(nil)
		g.kill()
		g.openAgain()
		g.afterCrash(lossy || g.loose)
	})
}

// openAgain opens after an end of any kind: what was settled without being
// durable may come again.
func (g *rig) openAgain() {
	g.open()
	for _, rr := range g.readers {
		rr.opened()
		rr.again(rr.saved)
	}
}

// opened notes that the lanes are gone.
func (rr *rigReader) opened() {
	rr.split = 0
	if clear(rr.out); rr.out != nil {
		rr.got = nil
	}
}

// split splits the lanes of a reader, if that is granted.
func (g *rig) split(rr *rigReader) {
	g.t.Helper()
	before := g.stats(rr.r.name())
	full := false
	for _, a := range rr.r.a {
		full = full || len(a.Ahead) >= account.MaxAhead
	}
	ok := rr.r.SplitLive(Pace{Share: 0.5, PerSecond: 1e9})
	if rr.split = 0; ok {
		rr.split = g.next
	}
	rr.again(position{})
	if ok == full {
		g.t.Fatalf("the split is granted: %v, every place taken: %v", ok, full)
	}
	if ok {
		live, backlog, _ := rr.r.Lanes()
		if live != 0 || backlog != before.Pending {
			g.t.Fatalf("after a split %d are live and %d backlog, %d were pending", live, backlog, before.Pending)
		}
	}
}
