//go:build demo

package demo

import (
	"math"
	"strings"
	"testing"
)

func TestMeterFillsItsRegisters(t *testing.T) {
	dev := newSlave(1)
	get := func(a uint16) float64 {
		return float64(math.Float32frombits(uint32(dev.input[a])<<16 | uint32(dev.input[a+1])))
	}
	last := map[uint16]float64{}
	for s := float64(begun + 30*86400); s < begun+31*86400; s += 600 {
		updateMeter(dev, 1, s)
		for a := uint16(0); a <= 0x22; a += 2 {
			if get(a) <= 0 {
				t.Fatalf("register %#x is %v, want more than 0", a, get(a))
			}
		}
		for _, a := range []uint16{0x2A, 0x2E, 0x30, 0x34, 0x38, 0x3C, 0x54, 0xC8, 0xCA, 0xCC, 0xCE, 0xE0} {
			if get(a) <= 0 {
				t.Fatalf("register %#x is %v, want more than 0", a, get(a))
			}
		}
		if f := get(0x46); f < 49.9 || f > 50.1 {
			t.Fatalf("frequency is %v", f)
		}
		if f := get(0x3E); f < 0.8 || f > 1 {
			t.Fatalf("power factor is %v", f)
		}
		for _, a := range []uint16{0x48, 0x4A, 0x4C, 0x4E, 0x156, 0x158} {
			if now := get(a); now <= last[a] {
				t.Fatalf("counter %#x goes from %v to %v", a, last[a], now)
			} else {
				last[a] = now
			}
		}
	}
}

func TestStationsCountForThemselves(t *testing.T) {
	seen := map[uint32]bool{}
	for u := byte(1); u <= 3; u++ {
		n := bottles(u, 1.7e9)
		if seen[n] || bottles(u, 1.7e9+1) != n+5 {
			t.Errorf("station %d counts %d, then %d", u, n, bottles(u, 1.7e9+1))
		}
		seen[n] = true
	}
}

func TestWelcomeNamesTheSocket(t *testing.T) {
	var b strings.Builder
	(&Plant{Broker: "mqtt://127.0.0.1:1"}).Welcome(&b, "http://page", "/tmp/demo/config")
	for _, command := range []string{"reload", "status", "read meter01/power"} {
		if want := command + " --socket /tmp/demo/run/control.sock\n"; !strings.Contains(b.String(), want) {
			t.Errorf("got %s\nwant a line with %q", b.String(), want)
		}
	}
}
