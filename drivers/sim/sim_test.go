package sim_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/drivertest"
	"fieldferry/drivers/sim"
	"fieldferry/tag"
)

func link(tags ...*tag.Tag) *tag.Link {
	l := &tag.Link{Name: "l", Driver: "sim"}
	for _, name := range []string{"a", "b"} {
		d := &tag.Device{Name: name, Link: l, Options: &sim.DeviceOptions{}}
		for _, t := range tags {
			c := *t
			c.Device = d
			d.Tags = append(d.Tags, &c)
		}
		l.Devices = append(l.Devices, d)
	}
	return l
}

func newTag(name, signal, typ string) *tag.Tag {
	return &tag.Tag{Name: name, Address: signal, Type: typ, Options: &sim.TagOptions{High: 100, Period: time.Minute}}
}

func TestConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{
		Driver: sim.New(),
		Link: func(*testing.T) *tag.Link {
			m := newTag("m", "memory", "int16")
			m.Access = tag.AccessReadWrite
			return link(newTag("s", "sine", "float32"), newTag("c", "counter", "uint32"), newTag("t", "text", "string"), m)
		},
		Faulty: func(*testing.T) *tag.Link { return link(newTag("x", "sinus", "float32")) },
		Write:  func(l *tag.Link) (*tag.Tag, tag.Value) { return l.Devices[1].Tags[3], tag.Int(-7) },
	})
}

func TestCheckTellsEveryFault(t *testing.T) {
	bad := newTag("x", "sinus", "float16")
	bad.Access = tag.AccessReadWrite
	bad.Options = &sim.TagOptions{Low: 2, High: 1}
	l := link(bad)
	l.Devices[0].Options = &sim.DeviceOptions{DeadEvery: time.Second, DeadFor: time.Second}
	got := map[string]int{}
	for _, f := range sim.New().Check(l) {
		got[f.Path]++
	}
	want := map[string]int{"address": 2, "type": 2, "access": 2, "low": 2, "period": 2, "dead_for": 1}
	for path, n := range want {
		if got[path] != n {
			t.Errorf("faults at %s: got %d, want %d (all: %v)", path, got[path], n, got)
		}
	}
}

func TestSignalsStayWithinTheirLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := link(newTag("sine", "sine", "float64"), newTag("ramp", "ramp", "float64"), newTag("square", "square", "float64"),
			newTag("noise", "noise", "float64"), newTag("constant", "constant", "float64"))
		conn, err := sim.New().Open(t.Context(), l, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		g, err := conn.Prepare(t.Context(), l.Devices[0], l.Devices[0].Tags)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]map[float64]bool{}
		for range 120 {
			got, err := g.Read(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range got {
				f, _ := s.Value.Number()
				if f < 0 || f > 100 || math.IsNaN(f) {
					t.Fatalf("%s: got %v, want 0 to 100", s.Tag.Name, f)
				}
				if seen[s.Tag.Name] == nil {
					seen[s.Tag.Name] = map[float64]bool{}
				}
				seen[s.Tag.Name][math.Round(f)] = true
			}
			time.Sleep(time.Second)
		}
		for name, least := range map[string]int{"sine": 20, "ramp": 40, "square": 2, "noise": 20, "constant": 1} {
			if n := len(seen[name]); n < least {
				t.Errorf("%s: got %d different values in two minutes, want at least %d", name, n, least)
			}
		}
	})
}

func TestDeviceFallsSilentOnRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := link(newTag("c", "counter", "uint32"))
		l.Devices[0].Options = &sim.DeviceOptions{DeadEvery: 10 * time.Second, DeadFor: 3 * time.Second}
		conn, _ := sim.New().Open(t.Context(), l, slog.New(slog.DiscardHandler))
		g, _ := conn.Prepare(t.Context(), l.Devices[0], l.Devices[0].Tags)
		silent := 0
		for range 100 {
			if _, err := g.Read(t.Context(), nil); err != nil {
				var de *drivers.DeviceError
				if !errors.As(err, &de) {
					t.Fatalf("got %v, want a *DeviceError", err)
				}
				silent++
			}
			time.Sleep(time.Second)
		}
		if silent != 30 {
			t.Errorf("silent in %d of 100 reads, want 30", silent)
		}
	})
}

func TestDelayEndsWithTheContext(t *testing.T) {
	l := link(newTag("c", "counter", "uint32"))
	l.Devices[0].Options = &sim.DeviceOptions{Delay: time.Hour}
	conn, _ := sim.New().Open(t.Context(), l, slog.New(slog.DiscardHandler))
	g, _ := conn.Prepare(t.Context(), l.Devices[0], l.Devices[0].Tags)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Read(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestWriteRefusesWhatDoesNotFit(t *testing.T) {
	for _, c := range []struct {
		typ string
		v   tag.Value
		ok  bool
	}{
		{"int16", tag.Int(32767), true}, {"int16", tag.Int(32768), false}, {"uint16", tag.Int(-1), false},
		{"int16", tag.Float64(1.5), false}, {"float32", tag.Float64(math.NaN()), false}, {"string", tag.String("x"), true},
		{"string", tag.Int(1), false}, {"int16", tag.String("1"), false}, {"bool", tag.Bool(true), true},
	} {
		m := newTag("m", "memory", c.typ)
		l := link(m)
		conn, _ := sim.New().Open(t.Context(), l, slog.New(slog.DiscardHandler))
		g, _ := conn.Prepare(t.Context(), l.Devices[0], l.Devices[0].Tags)
		_, err := g.(drivers.Writer).Write(t.Context(), l.Devices[0].Tags[0], c.v)
		if (err == nil) != c.ok {
			t.Errorf("write %v to %s: got error %v, want success %t", c.v, c.typ, err, c.ok)
		}
	}
}
