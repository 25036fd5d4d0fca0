package modbus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/drivers/modbus/write"
	"fieldferry/tag"
)

// option finds the options of a tag of the first device.
func option(t *testing.T, l *tag.Link, name string) *TagOptions {
	t.Helper()
	for _, tg := range l.Devices[0].Tags {
		if tg.Name == name {
			return tg.Options.(*TagOptions)
		}
	}
	t.Fatalf("no tag %s", name)
	return nil
}

// TestTypesOfADevice reads what the types have beyond plain numbers through
// the whole driver.
func TestTypesOfADevice(t *testing.T) {
	m := memory()
	m.Set(10, 0x42F6, 0xE979) // 123.456
	m.Set(20, 0x7FC0, 0)
	m.Set(30, 2311, 0xFFFF, 0x8000)
	m.Set(40, 0xB043, 0)
	m.Set(50, 0x1234)
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: m})
	l := newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: {
		"list hr:0 uint16[3]", "nan hr:20 float32", "power hr:30 int16", "gone hr:32 int16",
		"degree hr:40 string - 1", "hi hr:50.hi uint8", "lo hr:50.lo uint8", "coils coil:0 bool[3]", "e hr:5 uint64 CDABGHEF",
	}})
	option(t, l, "power").ScaleFrom = "hr:31"
	option(t, l, "gone").Invalid = []uint64{0x8000}
	option(t, l, "degree").Encoding = "latin-1"
	_, g := open(t, l)
	wantRead(t, g[0], "list=[100,101,102] nan!not finite power=231.1 gone!"+layout.ReasonInvalid+
		" degree=°C hi=18 lo=52 coils=[false,false,false] e="+fmt.Sprint(uint64(106)<<48|105<<32|108<<16|107))
}

// TestReadTogether: tags that belong together come out of one request, also
// where the plan would ask for them separately, and all are bad when it fails.
func TestReadTogether(t *testing.T) {
	m := memory()
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: m})
	l := newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: {"low hr:10 uint16", "other hr:300 uint16", "high hr:90 uint16", "mid hr:50 uint16"}})
	option(t, l, "low").ReadTogether = []string{"high"}
	var asked []string
	s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
		asked = append(asked, fmt.Sprintf("%d+%d", int(r.PDU[1])<<8|int(r.PDU[2]), r.PDU[4]))
		c.Write(c.Answer(r))
	})
	c, g := open(t, l)
	wantRead(t, g[0], "low=110 other=400 high=190 mid=150")
	if want := []string{"10+81", "300+1"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %v, want %v", asked, want)
	}
	m.Hole(90)
	asked = nil
	wantRead(t, g[0], "low!bad address other=400 high!bad address mid=150")
	for _, a := range asked {
		if a == "10+1" || a == "90+1" {
			t.Errorf("asked for %v: %s is a part of what belongs together", asked, a)
		}
	}
	m.Fill(90)
	asked = nil
	alone, err := c.Prepare(t.Context(), l.Devices[0], l.Devices[0].Tags[:1])
	if err != nil {
		t.Fatal(err)
	}
	wantRead(t, alone, "low=110")
	if want := []string{"10+81"}; !slices.Equal(asked, want) {
		t.Errorf("one tag alone: asked for %v, want %v", asked, want)
	}
}

func TestReadTogetherFaults(t *testing.T) {
	l := newLink(t, "modbus-tcp", "tcp://127.0.0.1:502", map[int][]string{1: {
		"a hr:0 uint16", "far hr:200 uint16", "in ir:0 uint16", "slow hr:2 uint16", "w hr:3 uint16", "b hr:4 uint16"}})
	option(t, l, "a").ReadTogether = []string{"b", "bb", "a", "far", "in", "slow", "w"}
	l.Devices[0].Tags[3].Interval = time.Minute
	l.Devices[0].Tags[4].Access = tag.AccessWrite
	d, _ := drivers.Lookup("modbus-tcp")
	want := []string{"", `the device has no tag "bb"`, "together with itself", "they span 201", "in one of the input registers", "every 1s, but slow every 1m0s", "its access is write"}
	got := map[string]string{}
	for _, f := range d.Check(l) {
		if f.Hint == "" {
			t.Errorf("%v: no hint", f.Fault)
		}
		got[f.Path] = f.Text
	}
	for i, w := range want {
		text, found := got[fmt.Sprintf("read_together[%d]", i)]
		if found != (w != "") && i > 0 || !strings.Contains(text, w) {
			t.Errorf("read_together[%d]: %q, want %q", i, text, w)
		}
	}
}

// TestWriteParts: a bit and a half are written and their neighbours stay,
// whatever the device can do.
func TestWriteParts(t *testing.T) {
	for _, c := range []struct {
		way       write.Bits
		mask      bool // the device knows function 22
		functions []byte
		fails     bool
	}{
		{write.BitsAuto, true, []byte{22, 3, 22, 3}, false},
		{write.BitsAuto, false, []byte{22, 3, 3, 6, 3, 3, 3, 3, 6, 3, 3}, false},
		{write.BitsMask, true, []byte{22, 3, 22, 3}, false},
		{write.BitsMask, false, []byte{22, 22}, true},
		{write.BitsReadModifyWrite, true, []byte{3, 3, 6, 3, 3, 3, 3, 6, 3, 3}, false},
	} {
		t.Run(fmt.Sprintf("%s mask=%t", c.way, c.mask), func(t *testing.T) {
			m := memory()
			m.Set(11, 0xA5F0)
			s := modbustest.New(t, map[byte]*modbustest.Memory{1: m})
			l := newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: writable})
			l.Devices[0].Options.(*DeviceOptions).WriteBits = c.way
			_, g := open(t, l)
			var functions []byte
			s.Handle(func(conn *modbustest.Conn, r modbustest.Request) {
				functions = append(functions, r.PDU[0])
				if r.PDU[0] == 22 && !c.mask {
					conn.Write(conn.Frame(r.ID, r.Unit, []byte{0x96, 1}))
					return
				}
				conn.Write(conn.Answer(r))
			})
			for _, w := range []struct {
				name string
				v    tag.Value
			}{{"bit", tag.Bool(true)}, {"half", tag.Uint(0x3C)}} {
				got, err := writeTo(t, l, g[0], w.name, w.v)
				if (err != nil) != c.fails || err == nil && (got.Value != w.v || got.Quality != tag.OK()) {
					t.Errorf("write %v to %s: %+v, %v", w.v, w.name, got, err)
				}
				if errors.Is(err, drivers.ErrOutcomeUnknown) {
					t.Errorf("write to %s: %v, but nothing was written", w.name, err)
				}
			}
			want := uint16(0x3CF8)
			if c.fails {
				want = 0xA5F0
			}
			if got := m.Get(11); got != want {
				t.Errorf("the register holds %04x, want %04x", got, want)
			}
			if !slices.Equal(functions, c.functions) {
				t.Errorf("functions %v, want %v", functions, c.functions)
			}
		})
	}
}

// TestReadModifyWriteRefusesToRace: a register that moves by itself is left
// alone, and one that moved meanwhile is said.
func TestReadModifyWriteRefusesToRace(t *testing.T) {
	for _, c := range []struct {
		name    string
		before  int // the read after which the register moves
		text    string
		unknown bool
		writes  int
	}{
		{"before", 1, "refused: the register went from 0x00FF to 0x80FF", false, 0},
		{"meanwhile", 2, "something else wrote to it, too", true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := memory()
			m.Set(11, 0x00FF)
			s := modbustest.New(t, map[byte]*modbustest.Memory{1: m})
			l := newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: writable})
			l.Devices[0].Options.(*DeviceOptions).WriteBits = write.BitsReadModifyWrite
			_, g := open(t, l)
			reads, writes := 0, 0
			s.Handle(func(conn *modbustest.Conn, r modbustest.Request) {
				conn.Write(conn.Answer(r))
				if r.PDU[0] == 6 {
					writes++
				}
				if r.PDU[0] == 3 {
					reads++
				}
				if r.PDU[0] == 3 && reads == c.before && c.before == 1 || r.PDU[0] == 6 && c.before == 2 {
					m.Set(11, m.Get(11)|0x8000)
				}
			})
			_, err := writeTo(t, l, g[0], "bit", tag.Bool(false))
			if err == nil || !strings.Contains(err.Error(), c.text) || errors.Is(err, drivers.ErrOutcomeUnknown) != c.unknown || writes != c.writes {
				t.Errorf("got %v and %d writes, want %q, unknown %t, %d writes", err, writes, c.text, c.unknown, c.writes)
			}
		})
	}
}

// TestReadModifyWriteUnknown: silence in the middle leaves the outcome unknown
// from the write on, and not before; nothing is sent twice.
func TestReadModifyWriteUnknown(t *testing.T) {
	for silentAt, want := range []struct {
		unknown bool
		writes  int
	}{{false, 0}, {false, 0}, {true, 1}, {true, 1}} {
		s := modbustest.New(t, map[byte]*modbustest.Memory{1: memory()})
		l := newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: writable})
		l.Devices[0].Options.(*DeviceOptions).WriteBits = write.BitsReadModifyWrite
		_, g := open(t, l)
		var writes atomic.Int32
		s.Handle(func(conn *modbustest.Conn, r modbustest.Request) {
			if r.PDU[0] == 6 {
				writes.Add(1)
			}
			if r.N != silentAt {
				conn.Write(conn.Answer(r))
			}
		})
		_, err := writeTo(t, l, g[0], "bit", tag.Bool(true))
		if err == nil || errors.Is(err, drivers.ErrOutcomeUnknown) != want.unknown || int(writes.Load()) != want.writes {
			t.Errorf("silent at request %d: %v and %d writes, want unknown %t and %d", silentAt, err, writes.Load(), want.unknown, want.writes)
		}
	}
}

// TestWriteScaled: a value is written with the scale that the device has now.
func TestWriteScaled(t *testing.T) {
	m := memory()
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: m})
	l := newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: {"p hr:30 int16", "list hr:40 int16[2]", "coils coil:8 bool[3]", "text hr:50 string - 2"}})
	option(t, l, "p").ScaleFrom = "hr:31"
	option(t, l, "text").Padding = "space"
	_, g := open(t, l)
	for _, c := range []struct {
		scale uint16
		want  uint16
	}{{0xFFFF, 2314}, {0xFFFE, 23140}} {
		m.Set(31, c.scale)
		got, err := writeTo(t, l, g[0], "p", tag.Float64(231.4))
		if err != nil || got.Value != tag.Float64(231.4) || m.Get(30) != c.want {
			t.Errorf("scale %x: %+v, %v, register %d; want %d", c.scale, got, err, m.Get(30), c.want)
		}
	}
	for _, c := range []struct {
		scale uint16
		v     tag.Value
		text  string
	}{{0, tag.Float64(231.4), "between two steps of 1"}, {0x8000, tag.Int(5), "holds no scale"}, {0xFFFD, tag.Int(231), "outside the range of int16"}} {
		m.Set(31, c.scale)
		before := m.Get(30)
		if _, err := writeTo(t, l, g[0], "p", c.v); err == nil || !strings.Contains(err.Error(), c.text) || m.Get(30) != before {
			t.Errorf("scale %x: %v, want %q", c.scale, err, c.text)
		}
	}
	for _, c := range []struct {
		name string
		v    tag.Value
	}{{"list", tag.JSON("[-1,7]")}, {"coils", tag.JSON("[true,false,true]")}, {"text", tag.String("ab")}} {
		if got, err := writeTo(t, l, g[0], c.name, c.v); err != nil || got.Value != c.v {
			t.Errorf("write %v to %s: %+v, %v", c.v, c.name, got, err)
		}
	}
	if m.Get(40) != 0xFFFF || !m.Coil(8) || m.Coil(9) || !m.Coil(10) || m.Get(51) != 0x2020 {
		t.Errorf("the device holds %x %t %t %t %x", m.Get(40), m.Coil(8), m.Coil(9), m.Coil(10), m.Get(51))
	}
}

func TestCheckOfWrites(t *testing.T) {
	d, _ := drivers.Lookup("modbus-tcp")
	for _, c := range []struct {
		tags   string
		change func(o *DeviceOptions, t *tag.Tag)
		want   string
	}{
		{"x hr:1.3 bool", func(o *DeviceOptions, _ *tag.Tag) { o.WriteBits = write.BitsRefuse }, "access: hr:1.3 is a part of a register, and write_bits: refuse"},
		{"x hr:1 uint8", func(o *DeviceOptions, _ *tag.Tag) { o.WriteBits = write.BitsRefuse }, "access: hr:1 is a part"},
		{"x hr:1 uint16", func(o *DeviceOptions, t *tag.Tag) { o.Broadcast = true; t.Access = tag.AccessWrite }, "broadcast: unit id 1 is one device"},
		{"x hr:1 uint16", func(o *DeviceOptions, _ *tag.Tag) { o.Broadcast, o.UnitID = true, 0 }, "access: nobody answers a broadcast"},
		{"x hr:1.0", func(o *DeviceOptions, t *tag.Tag) { o.Broadcast, o.UnitID, t.Access = true, 0, tag.AccessWrite }, "access: hr:1.0 is a part of a register, whose neighbours"},
		{"x hr:1 int16", func(o *DeviceOptions, t *tag.Tag) {
			o.Broadcast, o.UnitID, t.Access = true, 0, tag.AccessWrite
			t.Options.(*TagOptions).ScaleFrom = "hr:2"
		}, "access: hr:1 is scaled by a register that a broadcast cannot read"},
		{"x coil:0 bool[2000]", func(*DeviceOptions, *tag.Tag) {}, "access: 2000 coils cannot be written at once"},
		{"x coil:0 bool[20]", func(o *DeviceOptions, t *tag.Tag) { o.MaxBits = 10; t.Access = tag.AccessRead }, "address: coil:0 takes 20 bits, more than the 10 that max_bits allows"},
		{"x hr:0 int16", func(o *DeviceOptions, t *tag.Tag) {
			o.MaxRegisters = 10
			t.Access = tag.AccessRead
			t.Options.(*TagOptions).ScaleFrom = "hr:20"
		}, "address: hr:0 takes 21 registers"},
	} {
		l := newLink(t, "modbus-tcp", "tcp://127.0.0.1:502", map[int][]string{1: {c.tags}})
		c.change(l.Devices[0].Options.(*DeviceOptions), l.Devices[0].Tags[0])
		faults := d.Check(l)
		if len(faults) != 1 || !strings.HasPrefix(faults[0].Fault.Error(), c.want) || faults[0].Hint == "" {
			t.Errorf("%s: faults %v, want %q", c.tags, faults, c.want)
		}
	}
}

// TestBroadcast: a write to everybody is sent once, nobody is waited for or
// read, and its outcome is not known.
func TestBroadcast(t *testing.T) {
	s := modbustest.NewRTU(t, map[byte]*modbustest.Memory{1: memory()})
	l := newLink(t, "modbus-rtu", s.Endpoint(), map[int][]string{1: {"x hr:5 uint16", "bit hr:6.0"}, 2: {"y hr:5 uint16"}})
	o := l.Devices[0].Options.(*DeviceOptions)
	o.UnitID, o.Broadcast, o.WriteBits = 0, true, write.BitsMask
	for _, tg := range l.Devices[0].Tags {
		tg.Access = tag.AccessWrite
	}
	var mu sync.Mutex
	var asked []string
	s.Handle(func(_ *modbustest.Conn, r modbustest.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, fmt.Sprintf("%d: % x", r.Unit, r.PDU))
	})
	_, g := open(t, l)
	for _, w := range []struct {
		name string
		v    tag.Value
	}{{"x", tag.Int(7)}, {"bit", tag.Bool(true)}} {
		_, err := writeTo(t, l, g[0], w.name, w.v)
		if !errors.Is(err, drivers.ErrOutcomeUnknown) || !strings.Contains(err.Error(), "none answers a broadcast") {
			t.Errorf("write to %s: %v", w.name, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"0: 06 00 05 00 07", "0: 16 00 06 ff fe 00 01"}; !slices.Equal(asked, want) {
		t.Errorf("sent %q, want %q", asked, want)
	}
}
