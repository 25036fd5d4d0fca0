package modbus

import (
	"errors"
	"strings"
	"testing"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/tag"
)

// inverter is a device with the models 1, 103 and 160 at a base address, and
// nothing else.
func inverter(base int) *modbustest.Memory {
	m := modbustest.NewMemory(65536)
	words := []uint16{0x5375, 0x6E53, 1, 66}
	words = append(words, make([]uint16, 66)...)
	words = append(words, 103, 50)
	words = append(words, make([]uint16, 50)...)
	words = append(words, 160, 28)
	words = append(words, make([]uint16, 28)...)
	words = append(words, 0xFFFF, 0)
	copy(words[4:], []uint16{0x4143, 0x4D45}) // ACME
	three := words[70:]
	three[14], three[15] = 2311, 0xFFFF       // W 231.1
	three[16], three[17] = 5001, 0xFFFE       // Hz 50.01
	three[24], three[25], three[26] = 1, 2, 0 // WH 65538
	three[18], three[19] = 0x8000, 0x8000     // VA is not offered
	three[38] = 4                             // St: MPPT
	words[122+21], words[122+4] = 500, 1      // DCW of the first module, 5000 W
	for i, w := range words {
		m.Set(base+i, w)
	}
	for i := range 65536 {
		if i < base || i >= base+len(words) {
			m.Hole(i)
		}
	}
	return m
}

var solar = []string{"maker sunspec:common.Mn -", "w sunspec:inverter.W -", "hz sunspec:inverter.Hz -", "wh sunspec:inverter.WH -",
	"va sunspec:inverter.VA -", "st sunspec:103.St -", "dcw sunspec:mppt.1.DCW -", "dcw2 sunspec:mppt.2.DCW -", "m sunspec:meter.W -"}

const solarReads = "maker=ACME w=231.1 hz=50.01 wh=65538 va!invalid at the device st=4 dcw=5000 dcw2!no such SunSpec point m!no such SunSpec point"

func readOnly(l *tag.Link) {
	for _, t := range l.Devices[0].Tags {
		t.Access = tag.AccessRead
	}
}

// TestSunSpec reads an inverter by its own description, wherever that begins,
// and walks the chain once for a connection.
func TestSunSpec(t *testing.T) {
	for _, base := range []int{40000, 50000, 0} {
		s := modbustest.New(t, map[byte]*modbustest.Memory{1: inverter(base)})
		l := newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: solar})
		readOnly(l)
		c, g := open(t, l)
		wantRead(t, g[0], solarReads)
		before := s.Requests(0)
		again, err := c.Prepare(t.Context(), l.Devices[0], l.Devices[0].Tags)
		if err != nil || s.Requests(0) != before {
			t.Errorf("base %d: the chain was walked again: %d requests, %v", base, s.Requests(0)-before, err)
		}
		wantRead(t, again, solarReads)
	}
}

// TestSunSpecElsewhere: a device that does not describe itself makes these
// tags bad and no others, and is asked again; a silent one is silent.
func TestSunSpecElsewhere(t *testing.T) {
	m := inverter(40000)
	m.Hole(40000)
	m.Fill(0)
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: m})
	l := newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: {"a hr:0 uint16", "w sunspec:inverter.W -"}})
	readOnly(l)
	c, g := open(t, l)
	wantRead(t, g[0], "a=0 w!"+reasonNoSunSpec)
	m.Fill(40000)
	g[0].(*group).described.retryAt = time.Now()
	wantRead(t, g[0], "a=0 w=231.1")

	s.Handle(func(*modbustest.Conn, modbustest.Request) {})
	delete(c.(*conn).chains, l.Devices[0])
	var gone *drivers.DeviceError
	if _, err := c.Prepare(t.Context(), l.Devices[0], l.Devices[0].Tags); !errors.As(err, &gone) || gone.Reason != tag.ReasonTimeout {
		t.Errorf("a silent device: %v, want a timeout of it", err)
	}
}

func TestSunSpecFaults(t *testing.T) {
	l := newLink(t, "modbus-tcp", "tcp://127.0.0.1:502", map[int][]string{1: {"w sunspec:inverter.Watt int16"}})
	optionOf(t, l, "w").ReadTogether = []string{"w"}
	d, _ := drivers.Lookup("modbus-tcp")
	var got []string
	for _, f := range d.Check(l) {
		got = append(got, f.Path)
		if f.Hint == "" {
			t.Errorf("%v: no hint", f.Fault)
		}
	}
	if want := "address type read_together access read_together[0]"; strings.Join(got, " ") != want {
		t.Errorf("faults at %v, want %s", got, want)
	}
}
