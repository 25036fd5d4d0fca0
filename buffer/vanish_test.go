package buffer

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fieldferry/buffer/disk"
	"fieldferry/buffer/store"
	"fieldferry/tag"
)

// vanishings are what may go while the buffer is used.
var vanishings = []struct {
	name    string
	dir     string // below the buffer's own
	pending int    // samples that are not durable yet
}{
	{"everything, idle", "", 0},
	{"everything, samples waiting", "", 50},
	{"one class, idle", "normal", 0},
	{"one class, samples waiting", "normal", 50},
}

// TestVanishedDirectory: a directory that goes while the buffer is used is
// noticed in 5 s, made again and used; what was not durable is delivered, what
// was and is not there any more is counted, and a power cut later loses
// nothing.
func TestVanishedDirectory(t *testing.T) {
	for _, c := range vanishings {
		t.Run(c.name, func(t *testing.T) {
			cfg := rigConfig()
			g := newRig(t, cfg)
			a := g.reader("a", StartNow)
			late := g.reader("late", StartNow)
			g.append(300)
			g.sync()
			g.settle(a, g.read(a, 100))
			g.sync()
			durable := g.next
			g.append(c.pending)
			g.m.Vanish(filepath.Join(cfg.Dir, c.dir))
			ticks := 0
			for ; g.b.Stats().Failures == 0 && ticks < 20; ticks++ {
				g.tick()
			}
			if st := g.b.Stats(); ticks > 11 || !errors.Is(st.Degraded, store.ErrVanished) {
				t.Fatalf("after %d ticks of 0.5 s: degraded %v, want ErrVanished after 11 at most", ticks, st.Degraded)
			}
			g.append(100)
			for range 4 {
				g.tick()
			}
			if st := g.b.Stats(); st.Degraded != nil {
				t.Fatalf("still degraded: %v", st.Degraded)
			}
			for _, rr := range []*rigReader{a, late} {
				vanishedFor(g, rr, durable)
			}
			if n := g.lost("late"); n == 0 {
				t.Error("no sample was lost: nothing was tested")
			}
			g.append(70)
			if !g.sync() {
				t.Fatal("cannot sync")
			}
			clear(g.must) // what vanished was promised
			for v := g.next - 70; v < g.next; v++ {
				g.must[v] = true
			}
			lost := g.lost("late")
			g.reboot(rand.New(rand.NewPCG(1, 1)))
			g.open()
			if n := g.read(g.readers["late"], 1<<20); n < 70 || g.lost("late") != lost {
				t.Errorf("after a power cut: %d samples came, %d are lost, want 70 and %d", n, g.lost("late"), lost)
			}
			g.conserved()
		})
	}
}

// vanishedFor reads what is left for a reader: nothing from end on is missing.
func vanishedFor(g *rig, rr *rigReader, end int64) {
	g.t.Helper()
	g.settle(rr, g.read(rr, 1<<20))
	for v := end; v < g.next; v++ {
		if !rr.done[v] {
			g.t.Fatalf("sample %d, which was not on the disk that vanished, did not come", v)
		}
	}
	name := rr.r.name()
	if s := g.stats(name); s.Pending != 0 || uint64(len(rr.done))+g.lost(name) != uint64(g.next-1) || s.Dropped[store.Missing] != g.lost(name) {
		g.t.Fatalf("reader %s: %d of %d samples came, account %+v", name, len(rr.done), g.next-1, s)
	}
	g.conserved()
}

// TestVanishedAtRoll: at a full segment too.
func TestVanishedAtRoll(t *testing.T) {
	g := newRig(t, rigConfig())
	a := g.reader("a", StartNow)
	g.append(100)
	g.sync()
	durable := g.next
	g.m.Vanish(g.cfg.Dir)
	g.append(1500)
	if g.sync() {
		t.Fatal("sync succeeded without a directory")
	}
	if !g.sync() {
		t.Fatalf("the next sync failed too: %v", g.b.Stats().Degraded)
	}
	vanishedFor(g, a, durable)
}

// TestVanishedAtClose: Close says that the directory is gone, and saves what is
// still known.
func TestVanishedAtClose(t *testing.T) {
	for _, runtime := range []string{"/run/ff", ""} {
		for _, pending := range []int{0, 50} {
			t.Run(fmt.Sprintf("runtime %q, %d pending", runtime, pending), func(t *testing.T) {
				cfg := rigConfig()
				cfg.RuntimeDir = runtime
				g := newRig(t, cfg)
				g.reader("a", StartNow)
				g.append(100)
				g.sync()
				g.append(pending)
				g.m.Vanish(cfg.Dir)
				if err := g.b.Close(); !errors.Is(err, store.ErrVanished) {
					t.Fatalf("close: %v, want ErrVanished", err)
				}
				g.run = g.next
				g.open()
				vanishedFor(g, g.readers["a"], 101)
			})
		}
	}
}

// TestVanishedAndLocked: where another process owns the directory that is
// there now, nothing is written to it.
func TestVanishedAndLocked(t *testing.T) {
	g := newRig(t, rigConfig())
	g.append(100)
	g.sync()
	g.m.Vanish(g.cfg.Dir)
	if err := g.m.MkdirAll(g.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	other, err := g.m.Lock(g.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	g.append(10)
	for range 40 {
		g.tick()
	}
	if st, files := g.b.Stats(), g.m.Dump(); !errors.Is(st.Degraded, ErrLocked) || strings.Contains(files, ".seg") {
		t.Fatalf("degraded %v, files %q, want ErrLocked and no segment", st.Degraded, files)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if !g.sync() || !strings.Contains(g.m.Dump(), ".seg") {
		t.Fatalf("not recovered: %v", g.b.Stats().Degraded)
	}
	if _, err := g.m.Lock(g.cfg.Dir); !errors.Is(err, ErrLocked) {
		t.Errorf("lock: %v, want ErrLocked: the buffer has it again", err)
	}
}

// stepped is this machine with a clock that is moved by hand.
type stepped struct {
	disk.Dir
	up *atomic.Int64
}

func (s stepped) Clock() disk.Clock {
	c := s.Dir.Clock()
	c.Up = time.Duration(s.up.Load())
	return c
}

// realRig is a buffer in a real directory.
type realRig struct {
	t    *testing.T
	fs   stepped
	cfg  Config
	log  strings.Builder
	tags []*tag.Tag
	b    *Buffer
	r    *Reader
}

func (g *realRig) open() {
	g.t.Helper()
	var err error
	if g.b, err = open(g.fs, g.cfg, slog.New(slog.NewTextHandler(&g.log, nil)), smallLimits()); err != nil {
		g.t.Fatal(err)
	}
	if g.r, err = g.b.Reader("a", StartNow); err != nil {
		g.t.Fatal(err)
	}
}

func (g *realRig) add(from, to int64) {
	g.t.Helper()
	for v := from; v < to; v++ {
		if err := g.b.Append([]tag.Sample{sampleFor(g.tags, v)}); err != nil {
			g.t.Fatal(err)
		}
	}
}

func (g *realRig) ticks(n int) {
	for range n {
		g.fs.up.Add(int64(g.cfg.SyncInterval / 2))
		g.b.tick()
	}
}

// drain reads and settles everything.
func (g *realRig) drain() map[int64]bool {
	seen := map[int64]bool{}
	for {
		es, err := g.r.Next(ended, nil)
		for _, e := range es {
			v, _ := e.Sample.Value.Integer()
			seen[v] = true
			g.r.Settle(e.Turn)
		}
		if err != nil {
			return seen
		}
	}
}

// TestVanishedForReal does it to a real directory, which is closed and opened
// again after it was made again, and vanishes before the second end.
func TestVanishedForReal(t *testing.T) {
	for name, away := range map[string]func(dir string) error{
		"removed": os.RemoveAll,
		"moved":   func(dir string) error { return os.Rename(dir, filepath.Join(t.TempDir(), "away")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "buffer")
			g := &realRig{
				t: t, fs: stepped{up: new(atomic.Int64)}, tags: rigTags(7),
				cfg: Config{Dir: dir, MaxBytes: 1 << 20, SyncInterval: time.Second},
			}
			g.open()
			g.add(1, 200)
			g.ticks(3)
			if err := away(dir); err != nil {
				t.Fatal(err)
			}
			if g.ticks(11); g.b.Stats().Failures == 0 {
				t.Fatal("not noticed within 5.5 s")
			}
			g.ticks(4)
			g.add(200, 300)
			g.ticks(3)
			if st := g.b.Stats(); st.Degraded != nil {
				t.Fatalf("still degraded: %v", st.Degraded)
			}
			if n := strings.Count(g.log.String(), "level=ERROR msg=\"the buffer cannot be written"); n != classes {
				t.Errorf("told %d times, want once a class:\n%s", n, g.log.String())
			}
			if _, err := g.fs.Lock(dir); !errors.Is(err, ErrLocked) {
				t.Errorf("lock: %v, want ErrLocked", err)
			}
			if err := g.b.Close(); err != nil {
				t.Fatal(err)
			}
			g.reopened(away)
		})
	}
}

// reopened checks what is there after the restart.
func (g *realRig) reopened(away func(dir string) error) {
	g.t.Helper()
	g.open()
	seen := g.drain()
	for v := int64(200); v < 300; v++ {
		if !seen[v] {
			g.t.Fatalf("sample %d did not come", v)
		}
	}
	if s := g.b.Stats().Readers[0]; s.Pending != 0 || s.Delivered != 100 || s.Dropped[store.Missing] != 199 {
		g.t.Errorf("account %+v, want 100 delivered and 199 missing", s)
	}
	if err := away(g.cfg.Dir); err != nil {
		g.t.Fatal(err)
	}
	if err := g.b.Close(); !errors.Is(err, store.ErrVanished) || !strings.Contains(err.Error(), g.cfg.Dir) {
		g.t.Errorf("close: %v, want ErrVanished and the file", err)
	}
}
