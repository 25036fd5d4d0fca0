package buffer

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fieldferry/buffer/segment"
	"fieldferry/tag"
)

// damageRig has a log of several sealed segments of many blocks, closed in
// order, that nobody has read.
func damageRig(t tester) *rig { return closedRig(t, 60, 120, 8<<10) }

func closedRig(t tester, blocks, samples int, segment int64) *rig {
	g := emptyRig(t, rigConfig())
	g.lim.segment = segment
	g.open()
	g.reader("a", StartNow)
	for range blocks {
		g.append(samples)
		g.sync()
	}
	if err := g.b.Close(); err != nil {
		t.Fatal(err)
	}
	return g
}

// segments lists the segment files, oldest first.
func (g *rig) segments() []string {
	g.t.Helper()
	var out []string
	for _, class := range []string{"alarm", "bulk", "normal"} {
		dir := filepath.Join(g.cfg.Dir, class)
		names, err := g.m.ReadDir(dir)
		if err != nil {
			g.t.Fatal(err)
		}
		for _, n := range names {
			if strings.HasSuffix(n, ".seg") {
				out = append(out, filepath.Join(dir, n))
			}
		}
	}
	return out
}

// drainDamaged reads everything and checks that what is missing is counted
// exactly. It returns the number of missing samples.
func drainDamaged(g *rig) uint64 {
	g.t.Helper()
	g.open()
	rr := g.readers["a"]
	rr.seenTo(0)
	n := g.read(rr, 1<<20)
	g.settle(rr, n)
	lost := g.lost("a")
	if missing := uint64(g.next-1) - uint64(n); missing != lost {
		g.t.Fatalf("%d of %d samples are missing, %d are counted: %v", missing, g.next-1, lost, g.stats("a").Dropped)
	}
	g.conserved()
	return lost
}

// TestAnyPageDestroyed destroys each 4 KiB page of the log in turn: at most
// the blocks that lie in it are lost, the number is exact, the log opens, and
// the file is set aside.
func TestAnyPageDestroyed(t *testing.T) {
	const page = 4096
	worst := uint64(0)
	for fi := 0; ; fi++ {
		g := damageRig(t)
		files := g.segments()
		if fi >= len(files) {
			break
		}
		var pages int
		g.m.Damage(files[fi], func(p []byte) { pages = (len(p) + page - 1) / page })
		for i := range pages {
			g := damageRig(t)
			name := g.segments()[fi]
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			most := uint64(0)
			g.m.Damage(name, func(p []byte) {
				most = samplesIn(name, p, i*page, (i+1)*page)
				for j := i * page; j < min(len(p), (i+1)*page); j++ {
					p[j] = byte(rnd.Uint32())
				}
			})
			g.fork(fmt.Sprintf("page %d of file %d", i, fi), func(g *rig) {
				lost := drainDamaged(g)
				if lost > most {
					g.t.Fatalf("%d samples lost with one page, and %d were in the blocks that it held", lost, most)
				}
				worst = max(worst, lost)
				aside(g, lost)
			})
		}
	}
	t.Logf("at most %d samples lost with one page", worst)
}

// TestAnyPageOfTheOpenSegment destroys each page of the segment that was being
// written when the process was killed. It has one copy of its dictionary: what
// needs that is lost with it, and counted exactly; no other value is changed.
func TestAnyPageOfTheOpenSegment(t *testing.T) {
	const page = 4096
	open := func() (*rig, string) {
		g := emptyRig(t, rigConfig())
		g.lim.segment = 256 << 10
		g.open()
		g.reader("a", StartNow)
		for range 40 {
			g.append(120)
			g.sync()
		}
		g.kill()
		files := g.segments()
		return g, files[len(files)-1]
	}
	size := 0
	g, name := open()
	g.m.Damage(name, func(p []byte) { size = len(p) })
	lossy := 0
	for i := range min(size, 64<<10) / page {
		g, name := open()
		g.num.anyClock = true // it may be in the page
		g.m.Damage(name, func(p []byte) { clear(p[i*page : (i+1)*page]) })
		g.fork(fmt.Sprintf("page %d", i), func(g *rig) {
			if drainDamaged(g) > 0 {
				lossy++
			}
		})
	}
	if lossy == 0 {
		t.Errorf("no page of %d bytes held anything", size)
	}
}

// samplesIn counts the samples of the blocks of a segment that have bytes
// between two offsets.
func samplesIn(name string, p []byte, from, to int) (n uint64) {
	var h segment.Header
	h.ParseName(filepath.Base(name))
	for sc := segment.NewScanner(bytes.NewReader(bytes.Clone(p)), h.Key(), segment.HeaderSize, int64(len(p))); ; {
		b, err := sc.Next()
		if err != nil {
			return n
		}
		if b.Off < int64(to) && sc.Offset() > int64(from) {
			n += uint64(b.Count)
		}
	}
}

// aside settles everything and expects a damaged segment to be kept.
func aside(g *rig, lost uint64) {
	g.t.Helper()
	for range 4 {
		g.append(1)
		g.tick()
	}
	st := g.b.Stats()
	if lost > 0 && st.SetAside == 0 && st.Segments < 2 {
		g.t.Fatalf("nothing was set aside: %+v", st)
	}
}

// TestBitFlips flips single bits all over the log.
func TestBitFlips(t *testing.T) {
	for i := range uint64(60) {
		g := damageRig(t)
		rnd := rand.New(rand.NewPCG(i, 2))
		files := g.segments()
		name := files[rnd.IntN(len(files))]
		g.m.Damage(name, func(p []byte) { p[rnd.IntN(len(p))] ^= 1 << rnd.IntN(8) })
		g.fork(fmt.Sprintf("flip %d", i), func(g *rig) {
			if lost := drainDamaged(g); lost > 120 {
				g.t.Fatalf("%d samples lost with one bit", lost)
			}
		})
	}
}

// TestHeadersGone destroys the header and the accounts of every segment: no
// sample is lost, and the reader starts at the oldest one.
func TestHeadersGone(t *testing.T) {
	g := damageRig(t)
	g.num.anyClock = true
	for _, name := range g.segments() {
		g.m.Damage(name, func(p []byte) { clear(p[:min(len(p), segment.HeaderSize+200)]) })
	}
	if lost := drainDamaged(g); lost != 0 {
		t.Fatalf("%d samples lost with the headers", lost)
	}
}

// TestEverythingGone: files full of garbage, of zeros and of nothing do not
// keep the log from opening, and none of them is deleted.
func TestEverythingGone(t *testing.T) {
	g := damageRig(t)
	for i, name := range g.segments() {
		g.m.Damage(name, func(p []byte) {
			for j := range p {
				p[j] = byte(i * j)
			}
		})
	}
	before := len(g.segments())
	g.open()
	g.append(3)
	rr := g.readers["a"]
	rr.seenTo(g.next - 4)
	if n := g.read(rr, 100); n != 3 {
		t.Fatalf("got %d samples, want the 3 new ones", n)
	}
	g.conserved()
	g.settle(rr, 3)
	g.sync()
	g.tick()
	if st := g.b.Stats(); st.SetAside < before-1 {
		t.Fatalf("%d of %d files were set aside", st.SetAside, before)
	}
}

// TestFileGone: a segment that somebody deleted is counted, exactly.
func TestFileGone(t *testing.T) {
	for _, running := range []bool{false, true} {
		g := damageRig(t)
		if running {
			g.open()
		}
		if err := g.m.Remove(g.segments()[1]); err != nil {
			t.Fatal(err)
		}
		if !running {
			g.open()
		}
		rr := g.readers["a"]
		rr.seenTo(0)
		n := g.read(rr, 1<<20)
		g.settle(rr, n)
		if lost := g.lost("a"); lost == 0 || uint64(n)+lost != uint64(g.next-1) {
			t.Fatalf("running %v: got %d of %d samples, %d counted: %v", running, n, g.next-1, lost, g.stats("a").Dropped)
		}
		g.conserved()
	}
}

// TestMainLogGone: when the files of the normal class are taken away, whose
// log tells of all numbers, none is given again in any class.
func TestMainLogGone(t *testing.T) {
	g := newRig(t, rigConfig())
	r := g.reader("a", StartNow).r
	device := tag.Device{Name: "pump", Link: &tag.Link{Name: "line1"}}
	last := Entry{}
	add := func(class tag.Class, n int) {
		t.Helper()
		for range n {
			s := tag.Sample{Tag: &tag.Tag{Name: "speed", Device: &device, Class: class}, Value: tag.Int(1), Time: time.Unix(1, 0)}
			if err := g.b.Append([]tag.Sample{s}); err != nil {
				t.Fatal(err)
			}
			es, err := r.Next(t.Context(), nil)
			if err != nil || len(es) != 1 || es[0].Seq <= last.Seq || es[0].N <= last.N {
				t.Fatalf("%v after %v (%v)", es, last, err)
			}
			last = es[0]
		}
		r.Settle(last.Turn)
	}
	again := func() {
		t.Helper()
		if err := g.b.Close(); err != nil {
			t.Fatal(err)
		}
		for _, name := range g.segments() {
			if strings.Contains(name, "/normal/") && last.N > 20 {
				if err := g.m.Remove(name); err != nil {
					t.Fatal(err)
				}
			}
		}
		g.open()
		r = g.readers["a"].r
	}
	add(tag.ClassNormal, 10)
	add(tag.ClassAlarm, 10)
	again()
	add(tag.ClassNormal, 100) // of which the log of the alarms knows nothing
	again()
	add(tag.ClassNormal, 10)
	add(tag.ClassAlarm, 10)
}

// TestMainLogGoneKeepsReaders: when the files of the normal class are taken
// away, with them what says which readers there are, nothing of the other
// classes counts as settled that was not.
func TestMainLogGoneKeepsReaders(t *testing.T) {
	g := newRig(t, rigConfig())
	g.reader("a", StartNow)
	const n = 9
	add := func(class tag.Class) {
		s := tag.Sample{Tag: &tag.Tag{Name: class.String(), Class: class, Device: &tag.Device{Link: &tag.Link{}}}, Value: tag.Int(1), Time: time.Unix(1, 0)}
		for range n {
			if err := g.b.Append([]tag.Sample{s}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for c := range classes {
		add(tag.Class(c))
	}
	if err := g.b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range g.segments() {
		if strings.Contains(name, "/normal/") {
			if err := g.m.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	b, err := open(g.m, g.cfg, quiet(), g.lim)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	r, err := b.Reader("a", StartNow)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	es, err := r.Next(ctx, make([]Entry, 0, 10*n))
	if st := b.Stats(); err != nil || len(es) != (classes-1)*n || len(st.Dropped) > 0 {
		t.Errorf("%d samples came (%v), want %d; dropped %v", len(es), err, (classes-1)*n, st.Dropped)
	}
}
