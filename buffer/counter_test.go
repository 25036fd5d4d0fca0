package buffer

import (
	"math/rand/v2"
	"testing"
	"time"

	"fieldferry/buffer/disk"
	"fieldferry/tag"
)

// numbering is what a rig knows of the counters of tags.
type numbering struct {
	of     map[int64]numbered // sample -> it, as it was handed out
	given  map[tagN]int64     // number of a tag -> sample
	steady int64              // samples from here on have numbers without a jump
	carry  bool               // and those of the next run go on without one

	anyClock bool // the clock is wrong, or what is known of it was destroyed
}

// numbered is what is kept of an entry.
type numbered struct{ N, Seq uint64 }

type tagN struct {
	tag int
	n   uint64
}

func newNumbering() numbering {
	return numbering{of: map[int64]numbered{}, given: map[tagN]int64{}}
}

// checkNumber looks at the counter of a sample: it is the sample's own, higher
// than those before, and by one only where nothing unclean lies between.
func (g *rig) checkNumber(v int64, e *Entry) {
	g.t.Helper()
	tags := int64(len(g.tags))
	num := &g.num
	key := tagN{int(v % tags), e.N}
	if before, ok := num.given[key]; ok && before != v {
		g.t.Fatalf("number %d of tag %d was used for sample %d and for %d", e.N, key.tag, before, v)
	}
	if old, ok := num.of[v]; ok && old.N != e.N {
		g.t.Fatalf("sample %d had the number %d, now %d", v, old.N, e.N)
	}
	num.given[key], num.of[v] = v, numbered{e.N, e.Seq}
	before, ok := num.of[v-tags]
	switch {
	case ok && before.Seq < e.Seq && before.N >= e.N:
		g.t.Fatalf("sample %d has the number %d, the one before it %d", v, e.N, before.N)
	case ok && v-tags >= num.steady && e.N != before.N+1:
		g.t.Fatalf("sample %d has the number %d, the one before it %d, and nothing happened in between", v, e.N, before.N)
	case v == v%tags && num.steady <= 1 && e.Seq == uint64(v) && e.N != 1:
		g.t.Fatalf("the first sample of tag %d has the number %d", v, e.N)
	}
	if e.Clock != Trusted && !num.anyClock {
		g.t.Fatalf("sample %d: its clock is %v, want trusted", v, e.Clock)
	}
}

// ends notes how a run ends: kept says that its counters survive.
func (g *rig) ends(kept bool) { g.num.carry = kept }

// begins notes that a run begins.
func (g *rig) begins() {
	if !g.num.carry {
		g.num.steady = g.next
	}
	g.num.carry = false
}

// survives says that the counters of this run survive a kill.
func (g *rig) survives() bool {
	if g.b == nil || g.m.Cut() {
		return false
	}
	st := g.b.Stats()
	return st.Shared && st.Degraded == nil && g.kept == g.next
}

// TestCountersGoOn: the number of a tag's sample goes on by one over clean
// restarts and kills, for samples that were never written too, and jumps by
// less than 2^33 with a power cut.
func TestCountersGoOn(t *testing.T) {
	g := newRig(t, rigConfig())
	rr := g.reader("a", StartNow)
	steps := []struct {
		name string
		end  func()
		jump bool
	}{
		{"kill", g.kill, false},
		{"close", func() {
			if err := g.b.Close(); err != nil {
				t.Fatal(err)
			}
			g.ends(true)
		}, false},
		{"power cut", func() { g.sync(); g.reboot(rand.New(rand.NewPCG(1, 2))) }, true},
		{"kill after the power cut", g.kill, false},
		{"power cut again", func() { g.sync(); g.reboot(rand.New(rand.NewPCG(3, 4))) }, true},
	}
	for round := range 2 {
		for _, step := range steps {
			for range 3 {
				g.append(50)
				g.settle(rr, g.read(rr, 50)) // before it is written: it never is
				g.append(20)
				g.read(rr, 20)
				g.tick()
			}
			last := g.next - 1
			before := g.num.of[last].N
			step.end()
			g.open()
			rr.again(rr.saved)
			g.append(7)
			g.read(rr, 1<<20)
			g.settle(rr, len(rr.got))
			after := g.num.of[last+int64(len(g.tags))].N
			if jump := after - before; jump == 0 || step.jump != (jump > 1) || jump > 1<<33 {
				t.Fatalf("round %d: %s: from number %d to %d", round, step.name, before, after)
			}
		}
	}
}

// TestCounterMovesWithTheClass: a tag whose class is edited counts on in the
// log of the other class, there and back, over every end of a run.
func TestCounterMovesWithTheClass(t *testing.T) {
	g := newRig(t, rigConfig())
	r := g.reader("a", StartNow).r
	path := tag.Device{Name: "pump", Link: &tag.Link{Name: "line1"}}
	last, value := Entry{}, int64(0)
	more := func(class tag.Class, what string, jump bool) {
		t.Helper()
		for i := range 3 {
			value++
			s := tag.Sample{Tag: &tag.Tag{Name: "speed", Device: &path, Class: class}, Value: tag.Int(value), Time: time.Unix(value, 0)}
			if err := g.b.Append([]tag.Sample{s}); err != nil {
				t.Fatal(err)
			}
			es, err := r.Next(t.Context(), nil)
			if err != nil || len(es) != 1 {
				t.Fatalf("%s: %d samples, %v", what, len(es), err)
			}
			if n := es[0].N; jump && i == 0 && n <= last.N+1 || (!jump || i > 0) && n != last.N+1 || es[0].Seq <= last.Seq {
				t.Fatalf("%s, class %v: sample %d with number %d comes after %d with %d", what, class, n, es[0].Seq, last.N, last.Seq)
			}
			last = es[0]
			r.Settle(last.Turn)
		}
	}
	ends := []struct {
		name string
		end  func()
		jump bool
	}{
		{"edit", func() {}, false},
		{"kill", g.kill, false},
		{"close", func() {
			if err := g.b.Close(); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"power cut", func() { g.sync(); g.reboot(rand.New(rand.NewPCG(1, 2))) }, true},
	}
	for _, from := range []tag.Class{tag.ClassNormal, tag.ClassBulk, tag.ClassAlarm} {
		for _, to := range []tag.Class{tag.ClassNormal, tag.ClassBulk, tag.ClassAlarm} {
			for _, e := range ends {
				more(from, "before "+e.name, false)
				if e.end(); e.name != "edit" {
					g.open()
					r = g.readers["a"].r
				}
				more(to, "after "+e.name, e.jump)
			}
		}
	}
}

// TestClockRepaired: samples that were taken before the clock was set get the
// right time once it is, wherever they are by then; those of a start of the
// machine that never knew it say so; times of devices stay.
func TestClockRepaired(t *testing.T) {
	wrong := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	right := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	for _, how := range []string{"in memory", "on disk", "killed", "closed", "never set"} {
		t.Run(how, func(t *testing.T) {
			g := emptyRig(t, rigConfig())
			g.m.SetClock(func(c *disk.Clock) { c.Wall, c.Trusted = wrong.Add(c.Up), false })
			g.open()
			r := g.reader("a", StartNow).r
			one := func(at time.Time, bySource bool) {
				if err := g.b.Append([]tag.Sample{{Tag: g.tags[0], Value: tag.Int(1), Time: at, BySource: bySource}}); err != nil {
					t.Fatal(err)
				}
			}
			var up time.Duration
			read := func(c *disk.Clock) { up = c.Up }
			g.m.SetClock(read)
			first := up
			one(wrong.Add(first), false)
			one(wrong.Add(first), true)
			g.tick()
			if how == "on disk" || how == "never set" {
				g.sync()
				g.tick()
			}
			if how == "never set" {
				g.reboot(rand.New(rand.NewPCG(1, 1)))
				g.open()
				r = g.readers["a"].r
			}
			g.m.SetClock(func(c *disk.Clock) { c.Wall, c.Trusted, up = right.Add(c.Up), true, c.Up })
			one(right.Add(up), false) // nobody has noticed yet
			g.tick()
			one(right.Add(up), false)
			switch how {
			case "killed":
				g.kept = g.next
				g.kill()
				g.open()
				r = g.readers["a"].r
			case "closed":
				if err := g.b.Close(); err != nil {
					t.Fatal(err)
				}
				g.open()
				r = g.readers["a"].r
			}
			want := []struct {
				at    time.Time
				trust Trust
			}{{right.Add(first), Repaired}, {wrong.Add(first), Trusted}, {right.Add(up), Trusted}, {right.Add(up), Trusted}}
			if how == "never set" {
				want[0].at, want[0].trust = wrong.Add(first), Unsynced
			}
			got, err := r.Next(t.Context(), make([]Entry, 0, 9))
			for err == nil && len(got) < len(want) {
				got, err = r.Next(t.Context(), got)
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range want {
				if e := got[i]; !e.Sample.Time.Equal(w.at) || e.Clock != w.trust || e.N != uint64(i+1) && how != "never set" {
					t.Errorf("sample %d: got %v, %v, number %d, want %v, %v", i, e.Sample.Time, e.Clock, e.N, w.at, w.trust)
				}
			}
		})
	}
}
