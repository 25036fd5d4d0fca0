package account

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"fieldferry/buffer/frame"
)

// model is an account sample by sample: what became of each, "" for nothing.
type model []string

func (m model) settle(g frame.Range, as string) {
	for i := g.From; i < g.To && i < uint64(len(m)); i++ {
		if m[i] == "" {
			m[i] = as
		}
	}
}

func (m model) count(as string) (n uint64) {
	for _, s := range m {
		if s == as {
			n++
		}
	}
	return n
}

// TestSum does everything that can be done to an account, at random, and
// compares every number with a model that knows each sample.
func TestSum(t *testing.T) {
	for luck := range uint64(200) {
		rnd := rand.New(rand.NewPCG(luck, 0))
		m := make(model, 600)
		a := newAccount(frame.Reader{Name: "a", Start: 7, Ord: 7}, false)
		m.settle(frame.Range{To: 7}, "skipped")
		for step := range 300 {
			from := rnd.Uint64N(590)
			g := frame.Range{From: from, To: from + 1 + rnd.Uint64N(9)}
			what := fmt.Sprint(g)
			switch rnd.IntN(6) {
			case 0, 1:
				a.Settle(g, Delivered, "")
				m.settle(g, "delivered")
			case 2:
				a.Settle(g, Lost, "x")
				m.settle(g, "lost")
			case 3:
				a.Settle(g, Skipped, "")
				m.settle(g, "skipped")
			case 4:
				a.Mark(g.From, "")
				a.Settle(frame.Range{From: g.From, To: g.From + 1}, Delivered, "")
				m.settle(frame.Range{From: g.From, To: g.From + 1}, "filtered")
			case 5:
				if g.To = uint64(rnd.IntN(step + 1)); rnd.IntN(4) == 0 {
					a.DropTo(g.To, "max bytes")
					m.settle(frame.Range{To: g.To}, "lost")
				}
			}
			lost := uint64(0)
			for _, c := range a.Dropped {
				lost += c.N
			}
			ahead := uint64(0)
			for _, g := range a.Ahead {
				ahead += g.To - g.From
			}
			got := []uint64{a.Delivered, a.Filtered, lost, a.Start, a.Pending(600)}
			want := []uint64{m.count("delivered"), m.count("filtered"), m.count("lost"), m.count("skipped"), m.count("")}
			if !slices.Equal(got, want) || a.Start+a.Delivered+a.Filtered+lost != a.Ord+ahead {
				t.Fatalf("luck %d, step %d, %s: delivered, filtered, lost, skipped, pending are %v, want %v: %+v", luck, step, what, got, want, a.Reader)
			}
			var c frame.Reader
			if err := c.ParseCell(a.AppendCell(nil)); err != nil || !slices.Equal(c.Ahead, a.Ahead) {
				t.Fatalf("luck %d, step %d: %v is read back as %v, %v", luck, step, a.Ahead, c.Ahead, err)
			}
		}
	}
}

// TestMarks: a mark counts once, when its sample is settled, and not after it
// was forgotten.
func TestMarks(t *testing.T) {
	a := newAccount(frame.Reader{}, false)
	for _, ord := range []uint64{1, 2, 2, 8} {
		a.Mark(ord, "")
	}
	a.Mark(4, "too large")
	a.Mark(4, "")
	a.Settle(frame.Range{To: 6}, Delivered, "")
	if a.Filtered != 2 || a.Delivered != 3 || len(a.PutAside) != 1 || a.PutAside[0].N != 1 {
		t.Fatalf("got %+v, want 2 filtered, 1 put aside, 3 delivered", a.Reader)
	}
	a.Forget()
	a.Settle(frame.Range{From: 6, To: 10}, Delivered, "")
	if a.Filtered != 2 || a.Delivered != 7 {
		t.Fatalf("got %+v, want 2 filtered, 7 delivered", a.Reader)
	}
}

// TestUnsettled: what some reader has not settled, of several with holes.
func TestUnsettled(t *testing.T) {
	b := Book{Cells: 4}
	b.Open(frame.Reader{Name: "a", Ord: 10, Start: 10, Ahead: []frame.Range{{From: 20, To: 30}}})
	b.Open(frame.Reader{Name: "b", Ord: 15, Start: 15, Ahead: []frame.Range{{From: 18, To: 25}, {From: 40, To: 50}}})
	open, n := b.Unsettled(5, 45)
	want := []frame.Range{{From: 10, To: 20}, {From: 25, To: 45}}
	if n != 30 || !slices.Equal(open, want) {
		t.Fatalf("got %v, %d, want %v, 30", open, n, want)
	}
	if !b.Covers(20, 25) || b.Covers(20, 26) {
		t.Fatal("Covers does not tell what both have settled")
	}
}
