package plan

import (
	"math/rand/v2"
	"testing"
	"time"

	"fieldferry/drivers/modbus/layout"
)

// TestMeterFindsCosts: reads of many lengths, with noise, and one in five far
// too slow.
func TestMeterFindsCosts(t *testing.T) {
	want := Costs{Request: 40 * time.Millisecond, Register: 2291 * time.Microsecond}
	for name, m := range map[string]*Meter{
		"line":    NewLineMeter(Costs{Request: time.Second, Register: want.Register}),
		"network": NewMeter(Network(time.Millisecond)),
	} {
		rng := rand.New(rand.NewPCG(7, 8))
		if got, n := m.Costs(); n != 0 || got != m.prior {
			t.Errorf("%s: Costs before any read = %v from %d reads, want what was assumed", name, got, n)
		}
		for i := range 200 {
			n := 1 + rng.IntN(100)
			took := want.Request + time.Duration(n)*want.Register + time.Duration(rng.IntN(2000))*time.Microsecond
			if i%5 == 0 {
				took += time.Duration(rng.IntN(3000)) * time.Millisecond
			}
			m.Note(layout.HoldingRegisters, n, took)
		}
		got, n := m.Costs()
		if n != 200 || near(got.Request, want.Request) > 0.1 || near(got.Register, want.Register) > 0.05 {
			t.Errorf("%s: Costs = %v from %d reads, want %v from 200", name, got, n, want)
		}
		if Moved(want, got) {
			t.Errorf("%s: noise alone moved the plan: %v", name, got)
		}
	}
}

func near(a, b time.Duration) float64 {
	d := float64(a-b) / float64(b)
	return max(d, -d)
}

func TestMeterKeepsTheSlopeItCannotSee(t *testing.T) {
	m := NewMeter(Network(time.Millisecond))
	for range 100 {
		m.Note(layout.HoldingRegisters, 10, 5*time.Millisecond)
	}
	if got, _ := m.Costs(); got.Register != 320 || near(got.Request, 5*time.Millisecond) > 0.01 {
		t.Errorf("Costs = %+v, want 5ms a request and 320ns a register", got)
	}
}

func TestMeterDoesNotAllocate(t *testing.T) {
	m := NewMeter(Network(time.Millisecond))
	n := 0
	if n := testing.AllocsPerRun(1000, func() {
		n++
		m.Note(layout.HoldingRegisters, n%100, time.Millisecond)
		m.Costs()
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestMoved(t *testing.T) {
	c := func(request, register int) Costs {
		return Costs{Request: time.Duration(request), Register: time.Duration(register)}
	}
	for _, x := range []struct {
		old, now Costs
		want     bool
	}{
		{c(100, 10), c(120, 10), false},
		{c(100, 10), c(130, 10), true},
		{c(100, 10), c(70, 10), true},
		{c(100, 10), c(200, 20), false},
		{c(1000000, 10), c(9000000, 10), false}, // longer than any block, both
		{c(100, 0), c(9000, 0), false},
	} {
		if got := Moved(x.old, x.now); got != x.want {
			t.Errorf("Moved(%v, %v) = %v, want %v", x.old, x.now, got, x.want)
		}
	}
}
