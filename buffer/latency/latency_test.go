package latency

import (
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	var a, b Times
	if got := a.Quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing: got %v", got)
	}
	for range 90 {
		a.Add(3 * time.Millisecond)
	}
	for range 10 {
		b.Add(20 * time.Second)
	}
	a.Merge(&b)
	if a.Count != 100 || a.Sum != 90*3*time.Millisecond+200*time.Second || a.Last != 20*time.Second || a.Max != 20*time.Second {
		t.Errorf("got %+v", a)
	}
	if want := [bounds]uint64{0, 90, 90, 90, 90, 90, 90, 90}; a.Up != want {
		t.Errorf("up: got %v, want %v", a.Up, want)
	}
	for q, want := range map[float64]time.Duration{0.5: 4 * time.Millisecond, 0.9: 4 * time.Millisecond, 0.99: 20 * time.Second} {
		if got := a.Quantile(q); got != want {
			t.Errorf("quantile %v: got %v, want %v", q, got, want)
		}
	}
	a.Merge(new(Times))
	if a.Last != 20*time.Second {
		t.Errorf("nothing changes the last time to %v", a.Last)
	}
}
