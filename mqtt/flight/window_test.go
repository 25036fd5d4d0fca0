package flight

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// clock is a clock that tests move.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func window(size int) (*Window[string], *clock) {
	c := &clock{now: time.Unix(1000, 0)}
	w := New[string](c.Now)
	w.Open(size)
	return w, c
}

func collect(w *Window[string]) (uint64, []Aside[string]) {
	s, a := w.Collect(nil)
	return s.Turn, a
}

func TestSettledIsAPrefix(t *testing.T) {
	w, _ := window(10)
	var tokens []uint64
	for seq := uint64(101); seq <= 105; seq++ {
		tokens = append(tokens, w.Sent(seq, "x"))
	}
	for _, c := range []struct {
		token int
		want  uint64
	}{{1, 0}, {3, 0}, {0, 102}, {4, 0}, {2, 105}} {
		w.Result(tokens[c.token], Taken, "")
		if got, _ := collect(w); got != c.want {
			t.Errorf("after message %d: settled %d, want %d", c.token, got, c.want)
		}
	}
}

func TestAnyOrderOfOutcomesSettlesAllOnce(t *testing.T) {
	for range 200 {
		w, _ := window(1 << 20)
		n := 1 + rand.IntN(300)
		order := rand.Perm(n)
		base := w.Sent(1, "x")
		for i := 1; i < n; i++ {
			w.Sent(uint64(1+i), "x")
		}
		last, taken := uint64(0), uint64(0)
		for _, i := range order {
			w.Result(base+uint64(i), Taken, "")
			w.Result(base+uint64(i), Taken, "") // a broker that repeats itself
			s, _ := w.Collect(nil)
			if s.Turn != 0 && s.Turn <= last {
				t.Fatalf("settled %d after %d", s.Turn, last)
			}
			last, taken = max(last, s.Turn), taken+s.Taken
		}
		if last != uint64(n) || taken != uint64(n) || w.Flying() != 0 {
			t.Fatalf("%d messages in order %v: settled %d, taken %d, flying %d", n, order, last, taken, w.Flying())
		}
	}
}

func TestRefusedWaitsForALaterOneToBeTaken(t *testing.T) {
	w, _ := window(10)
	a, b, c := w.Sent(1, "a"), w.Sent(2, "b"), w.Sent(3, "c")
	w.Result(a, Taken, "")
	w.Result(b, Refused, "denied")
	if got, aside := collect(w); got != 1 || aside != nil {
		t.Fatalf("after a refusal: settled %d, aside %v; want 1 and none", got, aside)
	}
	w.Result(c, Taken, "")
	got, aside := collect(w)
	if want := []Aside[string]{{"b", "denied"}}; got != 3 || !reflect.DeepEqual(aside, want) {
		t.Errorf("after a later one is taken: settled %d, aside %v; want 3, %v", got, aside, want)
	}
}

func TestEverythingRefusedIsAnOutage(t *testing.T) {
	w, clk := window(10)
	w.Result(w.Sent(1, "good"), Taken, "")
	collect(w)
	for i := range refusedLeast {
		if err := w.Fault(); err != nil {
			t.Fatalf("after %d refusals: %v", i, err)
		}
		w.Result(w.Sent(uint64(2+i), "x"), Refused, "denied")
	}
	if err := w.Fault(); err != nil {
		t.Errorf("at once: %v, want patience", err)
	}
	clk.now = clk.now.Add(refusedTime)
	if err := w.Fault(); !errors.Is(err, ErrAllRefused) {
		t.Errorf("after %v: got %v, want %v", refusedTime, err, ErrAllRefused)
	}
	if got, aside := collect(w); got != 0 || aside != nil {
		t.Errorf("settled %d, aside %v; want nothing to leave the buffer", got, aside)
	}
}

func TestManyRefusedInARowIsAnOutageAtOnce(t *testing.T) {
	w, _ := window(10)
	for i := range refusedMost {
		if err := w.Acquire(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.Refuse(uint64(1+i), "x", "too large")
	}
	if err := w.Fault(); !errors.Is(err, ErrAllRefused) {
		t.Errorf("got %v, want %v", err, ErrAllRefused)
	}
}

func TestHoldKeepsItsPlaceAndStopsTheSender(t *testing.T) {
	w, _ := window(10)
	a, b := w.Sent(1, "a"), w.Sent(2, "b")
	w.Result(a, Hold, "quota")
	w.Result(b, Taken, "")
	if got, _ := collect(w); got != 0 {
		t.Errorf("settled %d behind a message on hold", got)
	}
	if err := w.Fault(); err == nil || err.Error() != "a message has to be sent again: quota" {
		t.Errorf("fault: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.Acquire(ctx); err == nil {
		t.Error("one more may be sent behind a message on hold")
	}
}

func TestSilenceIsFound(t *testing.T) {
	w, clk := window(10)
	a := w.Sent(1, "a")
	clk.now = clk.now.Add(AckTimeout / 2)
	b := w.Sent(2, "b")
	w.Result(b, Taken, "") // a broker that forgets one message
	clk.now = clk.now.Add(AckTimeout/2 + time.Second)
	if err := w.Fault(); !errors.Is(err, ErrNoAck) {
		t.Errorf("got %v, want %v", err, ErrNoAck)
	}
	w.Result(a, Taken, "")
	if err := w.Fault(); err != nil {
		t.Errorf("once acknowledged: %v", err)
	}
}

func TestAcquireWaitsForTheWindow(t *testing.T) {
	w, _ := window(2)
	a := w.Sent(1, "a")
	w.Sent(2, "b")
	got := make(chan error)
	go func() { got <- w.Acquire(context.Background()) }()
	select {
	case <-got:
		t.Fatal("a third message may be sent in a window of two")
	case <-time.After(20 * time.Millisecond):
	}
	w.Result(a, Taken, "")
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestSkippedAndForeignEntriesAreNotCounted(t *testing.T) {
	w, _ := window(10)
	w.Skip(5)
	w.Result(w.Sent(0, "repair"), Taken, "")
	w.Result(99, Taken, "")
	s, _ := w.Collect(nil)
	if want := (Settled{Turn: 5, Token: 2}); s != want {
		t.Errorf("got %+v, want %+v", s, want)
	}
}

func BenchmarkWindow(b *testing.B) {
	w := New[[16]uint64](time.Now)
	w.Open(128)
	b.ReportAllocs()
	var seq uint64
	for b.Loop() {
		seq++
		w.Result(w.Sent(seq, [16]uint64{}), Taken, "")
		if seq%16 == 0 {
			w.Collect(nil)
		}
	}
}
