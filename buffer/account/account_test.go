package account

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"fieldferry/buffer/frame"
)

// TestSum does everything that can be done to an account, at random, and
// checks the sum after every step.
func TestSum(t *testing.T) {
	for luck := range uint64(200) {
		rnd := rand.New(rand.NewPCG(luck, 0))
		a := newAccount(frame.Reader{Name: "a", Start: 7, Ord: 7, Seq: 7}, false)
		next := a.Ord // handed out or passed over up to here
		for step := range 500 {
			what := ""
			switch n := 1 + rnd.Uint64N(9); rnd.IntN(8) {
			case 0, 1, 2:
				what = fmt.Sprint("hand out ", n)
				a.Push(Span{Ord: next, N: n, Seq: next + 1})
				next += n
			case 3:
				what = fmt.Sprint("lose ", n)
				a.Push(Span{Ord: next, N: n, Kind: Lost + Kind(rnd.IntN(2)), Reason: fmt.Sprint(rnd.IntN(30))})
				next += n
			case 4:
				what = "settle"
				a.Settle(a.Ord + rnd.Uint64N(20))
			case 5:
				what = "mark"
				for range n {
					a.Mark(a.Ord+rnd.Uint64N(20), []string{"", "x", "y"}[rnd.IntN(3)])
				}
			case 6:
				what = "rewind"
				a.Rewind()
				next = a.Ord
			case 7:
				ord := a.Ord + rnd.Uint64N(15)
				what = fmt.Sprint("drop to ", ord)
				a.DropTo(ord, ord, "max bytes")
				next = max(next, a.Ord)
			}
			sum := a.Start + a.Delivered + a.Filtered
			for _, c := range append(append([]frame.Count(nil), a.Dropped...), a.PutAside...) {
				sum += c.N
			}
			if sum != a.Ord || len(a.Dropped) > maxReasons || a.Ord > next {
				t.Fatalf("luck %d, step %d: after %s the sum is %d, the position %d of %d: %+v", luck, step, what, sum, a.Ord, next, a)
			}
		}
	}
}

// TestMarks: a mark counts once, when its sample is settled, and not after a
// rewind.
func TestMarks(t *testing.T) {
	a := newAccount(frame.Reader{}, false)
	a.Push(Span{Ord: 0, N: 10, Seq: 1})
	for _, seq := range []uint64{2, 3, 3, 9, 0, 99} {
		a.Mark(seq, "")
	}
	a.Mark(5, "too large")
	a.Mark(5, "")
	a.Settle(6)
	if a.Filtered != 2 || a.Delivered != 3 || len(a.PutAside) != 1 || a.PutAside[0].N != 1 {
		t.Fatalf("got %+v, want 2 filtered, 1 put aside, 3 delivered", a.Reader)
	}
	a.Rewind()
	a.Push(Span{Ord: 6, N: 4, Seq: 7})
	a.Settle(10)
	if a.Filtered != 2 || a.Delivered != 7 {
		t.Fatalf("got %+v, want 2 filtered, 7 delivered", a.Reader)
	}
}
