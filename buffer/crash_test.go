//go:build !race

// Thousands of crash states, in one goroutine each: the race detector would
// find nothing in them and take ten times as long.

package buffer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"fieldferry/buffer/fault"
)

// seeds is how many workloads each test runs: as many as CRASH_SEEDS says, in
// the long run of "make proof"; otherwise one.
func seeds(t *testing.T) uint64 {
	text, ok := os.LookupEnv("CRASH_SEEDS")
	if !ok {
		return 1
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		t.Fatalf("CRASH_SEEDS is %q, want a number of workloads", text)
	}
	return n
}

// TestKillAtEveryOperation kills the process before every single operation of
// a workload.
func TestKillAtEveryOperation(t *testing.T) {
	for _, c := range crashCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for seed := range seeds(t) {
				for cut := range countOps(t, c.cfg, seed+1) {
					g := crashRig(t, c.cfg)
					g.m.CutAt(max(cut, g.m.Ops()))
					work(g, rand.New(rand.NewPCG(seed+1, 0)), crashSteps)
					g.fork(fmt.Sprintf("seed %d kill at %d", seed+1, cut), func(g *rig) {
						g.kill()
						survive(g, rand.New(rand.NewPCG(7, uint64(cut))), c.lossy)
					})
				}
			}
		})
	}
}

// failures are what an operation is made to fail with.
var failures = []error{syscall.EIO, syscall.ENOSPC, syscall.EROFS, fault.ErrShort}

// applies says that an operation of that kind can fail like that.
func applies(err error, kind string) bool {
	return !errors.Is(err, fault.ErrShort) || kind == "read" || kind == "write"
}

// TestEveryOperationFailsOnce makes each operation of a workload fail, alone
// and for a while, in each way that it can, and expects that nothing is lost
// and that the buffer comes back by itself.
func TestEveryOperationFailsOnce(t *testing.T) {
	var runs atomic.Int64
	t.Run("cases", func(t *testing.T) {
		for _, c := range crashCases[:2] {
			for _, length := range []int{1, 7} {
				t.Run(fmt.Sprintf("%s, %d in a row", c.name, length), func(t *testing.T) {
					t.Parallel()
					for seed := range seeds(t) {
						runs.Add(failEach(t, c.cfg, seed+3, length))
					}
				})
			}
		}
	})
	t.Logf("%d runs with a failure", runs.Load())
}

const failSteps = 60

// failEach runs a workload once for every operation of it and every way to
// fail, and returns how often.
func failEach(t *testing.T, change func(*Config), seed uint64, length int) (runs int64) {
	t.Helper()
	var kinds []string
	g := faultyRig(t, change, func(_ int, kind, _ string) error {
		kinds = append(kinds, kind)
		return nil
	})
	work(g, rand.New(rand.NewPCG(seed, 0)), failSteps)
	for op, kind := range kinds {
		for _, err := range failures {
			if !applies(err, kind) {
				continue
			}
			runs++
			g := faultyRig(t, change, func(i int, kind, _ string) error {
				if i >= op && i < op+length && applies(err, kind) {
					return err
				}
				return nil
			})
			work(g, rand.New(rand.NewPCG(seed, 0)), failSteps)
			g.fork(fmt.Sprintf("seed %d: operation %d (%s) fails with %v", seed, op, kind, err), comeBack)
		}
	}
	return runs
}

// faultyRig opens a buffer on a machine whose operations fail as planned, and
// tries that until it succeeds.
func faultyRig(t *testing.T, change func(*Config), plan func(op int, kind, name string) error) *rig {
	cfg := rigConfig()
	change(&cfg)
	g := emptyRig(t, cfg)
	g.faulty = true
	g.m.Plan(plan)
	for try := 0; ; try++ {
		b, err := open(g.m, g.cfg, quiet(), g.lim)
		if err == nil {
			g.b = b
			break
		}
		if try > 10 {
			t.Fatalf("open fails for ever: %v", err)
		}
	}
	g.reader("a", StartNow)
	g.reader("slow", StartNow)
	g.sync()
	return g
}

// comeBack lets time pass until the disk works again, and checks that nothing
// is missing, then and after a power cut.
func comeBack(g *rig) {
	g.t.Helper()
	for i := 0; g.b.Stats().Degraded != nil; i++ {
		if i > 200 {
			g.t.Fatalf("still degraded: %v", g.b.Stats().Degraded)
		}
		g.tick()
	}
	for i := 0; !g.sync(); i++ { // the last of its failures may still be ahead
		if i > 10 {
			g.t.Fatal("sync fails on a disk that works")
		}
	}
	for name, rr := range g.readers {
		g.rewind(rr)
		for i := 0; g.stats(name).Pending > uint64(len(rr.got)); i++ {
			if i > 100 {
				g.t.Fatalf("reader %s: %+v, but only %d came", name, g.stats(name), len(rr.got))
			}
			g.read(rr, 1<<20)
		}
		if n := g.lost(name); n > 0 {
			g.t.Fatalf("reader %s: %v, want nothing lost", name, g.stats(name).Dropped)
		}
	}
	g.conserved()
	g.reboot(rand.New(rand.NewPCG(1, 1)))
	g.open()
	g.afterCrash(false)
}
