package buffer

import (
	"math/rand/v2"
	"testing"

	"fieldferry/buffer/account"
)

// TestLiveFirst: after a split what is appended goes first, the backlog comes
// marked as history, every sample comes once, and nothing of what was settled
// comes again, whatever ends the run.
func TestLiveFirst(t *testing.T) {
	ends := map[string]func(g *rig){
		"close": func(g *rig) { _ = g.b.Close() },
		"kill":  func(g *rig) { g.kill() },
		"power": func(g *rig) { g.sync(); g.reboot(rand.New(rand.NewPCG(1, 1))) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, rigConfig())
			a := g.reader("a", StartNow)
			g.faulty = true // what comes is not in order
			g.append(300)
			g.sync()
			if !a.r.SplitLive(Pace{}) {
				t.Fatal("the first split is refused")
			}
			g.append(40)
			got := takeAll(t, g, a, 20)
			for i, e := range got[:20] {
				if v, _ := e.Sample.Value.Integer(); v != int64(301+i) || e.Historical {
					t.Fatalf("entry %d is sample %d, historical %v; want the live ones first", i, v, e.Historical)
				}
			}
			a.r.Settle(got[19].Turn)
			g.conserved()
			if st := g.stats("a"); st.Pending != 320 || st.Delivered != 20 {
				t.Fatalf("got %+v, want 20 delivered, 320 pending", st)
			}
			end(g)
			g.open()
			g.conserved()
			if st := g.stats("a"); st.Pending != 320 {
				t.Fatalf("after the end: %+v, want 320 pending", st)
			}
			seen := map[int64]bool{}
			for _, e := range takeAll(t, g, a, 320) {
				v, _ := e.Sample.Value.Integer()
				if seen[v] || v > 300 && v <= 320 {
					t.Fatalf("sample %d comes again", v)
				}
				seen[v] = true
				a.r.Settle(e.Turn)
			}
			if st := g.stats("a"); st.Pending != 0 || st.Delivered != 340 {
				t.Fatalf("got %+v, want all delivered", st)
			}
			g.conserved()
		})
	}
}

func takeAll(t *testing.T, g *rig, a *rigReader, n int) (es []Entry) {
	t.Helper()
	for try := 0; len(es) < n; try++ {
		if try > 1000 {
			t.Fatalf("%d of %d samples came: %+v", len(es), n, g.stats("a"))
		}
		got, _ := a.r.Next(ended, make([]Entry, 0, n-len(es)))
		es = append(es, got...)
	}
	return es
}

// TestSplitsAreBounded: with every place taken a split is refused, and
// everything comes in order then.
func TestSplitsAreBounded(t *testing.T) {
	g := newRig(t, rigConfig())
	a := g.reader("a", StartNow)
	g.append(50)
	splits := 0
	for ; a.r.SplitLive(Pace{}); splits++ {
		if splits > 20 {
			t.Fatal("no split is refused")
		}
		g.append(20)
		es := takeAll(t, g, a, 10)
		a.r.Settle(es[9].Turn)
		g.conserved()
	}
	if splits != account.MaxAhead {
		t.Errorf("%d splits, want %d", splits, account.MaxAhead)
	}
	last := int64(0)
	for _, e := range takeAll(t, g, a, int(g.stats("a").Pending)) {
		v, _ := e.Sample.Value.Integer()
		if v <= last {
			t.Fatalf("sample %d after %d", v, last)
		}
		last = v
		a.r.Settle(e.Turn)
	}
	if st := g.stats("a"); st.Pending != 0 {
		t.Fatalf("got %+v, want nothing pending", st)
	}
	g.conserved()
}
