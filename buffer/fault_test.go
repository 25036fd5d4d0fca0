package buffer

import (
	"errors"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"fieldferry/buffer/disk"
	"fieldferry/tag"
)

// TestFullDisk keeps the disk full for longer than the memory lasts: the
// oldest samples go, every one of them is counted, for every reader, and the
// disk is used again as soon as it can be.
func TestFullDisk(t *testing.T) {
	for _, c := range crashCases[:2] {
		t.Run(c.name, func(t *testing.T) {
			cfg := rigConfig()
			c.cfg(&cfg)
			g := newRig(t, cfg)
			a := g.reader("a", StartNow)
			g.append(100)
			g.sync()
			g.m.Plan(func(_ int, kind, name string) error {
				if strings.HasSuffix(name, ".seg") && (kind == "write" || kind == "create") {
					return syscall.ENOSPC
				}
				return nil
			})
			for range 200 {
				g.append(150)
				g.tick()
			}
			st := g.b.Stats()
			if st.Degraded == nil || !errors.Is(st.Degraded, syscall.ENOSPC) || st.InMemory > classes*g.lim.ring {
				t.Fatalf("degraded %v, %d bytes in memory, want ENOSPC and at most %d", st.Degraded, st.InMemory, classes*g.lim.ring)
			}
			g.m.Plan(nil)
			for range 200 {
				g.tick()
			}
			if st := g.b.Stats(); st.Degraded != nil {
				t.Fatalf("still degraded: %v", st.Degraded)
			}
			got := g.read(a, 1<<20)
			g.settle(a, got)
			g.conserved()
			st = g.b.Stats()
			lost := g.stats("a").Dropped["disk"]
			if lost == 0 || lost != st.Dropped["disk"] || uint64(got)+lost != uint64(g.next-1) {
				t.Fatalf("appended %d, got %d, lost %d (%v in all)", g.next-1, got, lost, st.Dropped)
			}
			if err := g.b.Close(); err != nil {
				t.Fatal(err)
			}
			g.open()
			if s := g.stats("a"); s.Dropped["disk"] != lost || s.Pending != 0 {
				t.Fatalf("after a restart: %+v, want %d lost", s, lost)
			}
			g.conserved()
		})
	}
}

// TestSyncIsNotRetried: after a failed sync the file is never synced again,
// and what it held is written anew.
func TestSyncIsNotRetried(t *testing.T) {
	g := newRig(t, rigConfig())
	g.reader("a", StartNow)
	g.sync()
	g.append(10)
	var failed string
	g.m.Plan(func(_ int, kind, name string) error {
		if kind != "sync" {
			return nil
		}
		if failed == "" {
			failed = name
			return syscall.EIO
		}
		if name == failed {
			t.Errorf("%s was synced again after its sync failed", name)
		}
		return nil
	})
	if g.sync() {
		t.Fatal("sync succeeded on a disk whose sync fails")
	}
	if !g.sync() {
		t.Fatal("the next sync failed too")
	}
	g.reboot(rand.New(rand.NewPCG(0, 0)))
	g.open()
	g.afterCrash(false)
}

// TestDiskUnreadable: a disk that cannot be read is waited for; nothing
// counts as lost.
func TestDiskUnreadable(t *testing.T) {
	g := newRig(t, rigConfig())
	a := g.reader("a", StartNow)
	g.append(500)
	g.sync()
	g.m.Plan(func(_ int, kind, _ string) error {
		if kind == "read" || kind == "open" || kind == "readdir" {
			return syscall.EIO
		}
		return nil
	})
	for range 20 {
		if n := g.read(a, 1000); n > 0 {
			t.Fatalf("read %d samples from a disk that cannot be read", n)
		}
	}
	g.m.Plan(nil)
	if n := g.read(a, 1000); n != 500 {
		t.Fatalf("got %d samples, want 500", n)
	}
	if n := g.lost("a"); n != 0 {
		t.Fatalf("%d samples count as lost", n)
	}
}

// TestStartWithoutDisk: with an impossible disk from the first moment on samples
// still flow, and no number is given twice afterwards.
func TestStartWithoutDisk(t *testing.T) {
	g := newRig(t, rigConfig())
	a := g.reader("a", StartNow)
	g.append(10)
	g.read(a, 10)
	g.settle(a, 10)
	if err := g.b.Close(); err != nil {
		t.Fatal(err)
	}
	broken := func(_ int, kind, name string) error {
		if kind == "create" && strings.HasSuffix(name, ".seg") {
			return syscall.EROFS
		}
		return nil
	}
	for luck := range uint64(3) {
		g.m.Plan(broken)
		g.open()
		g.append(10)
		a.seenTo(a.settled)
		if n := g.read(a, 100); n != 10 {
			t.Fatalf("got %d samples, want 10", n)
		}
		g.settle(a, 10)
		g.reboot(rand.New(rand.NewPCG(luck, 0)))
	}
	g.open()
	g.append(5)
	a.seenTo(g.next - 6)
	if n := g.read(a, 100); n != 5 {
		t.Fatalf("got %d samples, want 5", n)
	}
}

func TestOneProcessOnly(t *testing.T) {
	g := newRig(t, rigConfig())
	if _, err := open(g.m, g.cfg, quiet(), g.lim); !errors.Is(err, ErrLocked) {
		t.Fatalf("second open: %v, want ErrLocked", err)
	}
	if err := g.b.Close(); err != nil {
		t.Fatal(err)
	}
	g.open()
}

// TestClockJumps: whatever the wall clock says, nothing is dropped for its
// age but by the log's own time, and the order stays.
func TestClockJumps(t *testing.T) {
	cfg := rigConfig()
	cfg.MaxAge = time.Hour
	g := newRig(t, cfg)
	g.num.anyClock = true
	a := g.reader("a", StartNow)
	for _, wall := range []int64{0, 2_147_483_647, -1, 1_790_000_000} {
		g.append(100)
		g.sync()
		g.m.SetClock(func(c *disk.Clock) { c.Wall = time.Unix(wall, 0) })
		g.tick()
		g.reboot(rand.New(rand.NewPCG(1, 1)))
		g.m.SetClock(func(c *disk.Clock) { c.Trusted = false })
		g.open()
	}
	a.seenTo(0)
	if n := g.read(a, 1000); n != 400 {
		t.Fatalf("got %d samples, want 400", n)
	}
	a.got = nil
	for range 4 {
		g.append(1)
		g.sync()
		g.m.SetClock(func(c *disk.Clock) { c.Up += 30 * time.Minute })
		g.tick()
	}
	if n := g.stats("a").Dropped["max age"]; n < 400 {
		t.Fatalf("%d samples dropped for their age, want 400 at least: %+v", n, g.b.Stats())
	}
	g.conserved()
}

// TestFreeFloor: when others fill the disk the oldest samples make room.
func TestFreeFloor(t *testing.T) {
	cfg := rigConfig()
	cfg.MinFree = 100 << 10
	g := newRig(t, cfg)
	g.m.SetFree(1 << 20)
	g.reader("a", StartNow)
	for range 20 {
		g.append(500)
		g.sync()
	}
	g.m.SetFree(int64(cfg.MinFree) + int64(classes+1)*g.lim.segment) // the last segment of a class stays
	for range 30 {
		g.tick()
	}
	free, err := g.m.Free("")
	if err != nil || free < int64(cfg.MinFree) {
		t.Fatalf("%d bytes free (%v), want %d", free, err, cfg.MinFree)
	}
	if g.stats("a").Dropped["min free"] == 0 {
		t.Fatalf("nothing was dropped: %+v", g.stats("a"))
	}
	g.conserved()
}

func TestOversizedValue(t *testing.T) {
	g := newRig(t, rigConfig())
	r := g.reader("a", StartNow)
	const largest = 48 << 10
	big := tag.Sample{Tag: g.tags[0], Value: tag.String(strings.Repeat("x", largest+1))}
	fits := tag.Sample{Tag: g.tags[0], Value: tag.String(strings.Repeat("y", largest)), Quality: tag.BadFor(strings.Repeat("z", 2000))}
	if err := g.b.Append([]tag.Sample{big, fits}); err != nil {
		t.Fatal(err)
	}
	es, err := r.r.Next(ended, nil)
	if err != nil || len(es) != 2 {
		t.Fatalf("got %d samples, %v, want 2", len(es), err)
	}
	if s := es[0].Sample; !s.Value.IsNull() || s.Quality.Level != tag.Bad || g.b.Stats().Oversized != 1 {
		t.Errorf("large value: got %v %v, counted %d", s.Value, s.Quality, g.b.Stats().Oversized)
	}
	if !es[1].Sample.Value.Equal(fits.Value) || len(es[1].Sample.Quality.Reason) != 1<<10 {
		t.Errorf("largest value came back changed")
	}
}
