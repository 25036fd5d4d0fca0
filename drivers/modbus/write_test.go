package modbus

import (
	"context"
	"errors"
	"strings"
	"testing"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/drivers/modbus/write"
	"fieldferry/tag"
)

var writable = []string{"u hr:0 uint16", "i hr:1 int16", "f hr:2 float32 CDAB", "l hr:4 int64", "s hr:8 string - 2", "b hr:10 bcd16",
	"c coil:3 bool", "bit hr:11.3 bool", "half hr:11.hi uint8", "ro ir:1 uint16"}

func writeTo(t *testing.T, l *tag.Link, g drivers.Group, name string, v tag.Value) (tag.Sample, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, tg := range l.Devices[0].Tags {
		if tg.Name == name {
			return g.(drivers.Writer).Write(ctx, tg, v)
		}
	}
	t.Fatalf("no tag %s", name)
	return tag.Sample{}, nil
}

func TestWriteAndReadBack(t *testing.T) {
	for _, multiple := range []bool{false, true} {
		s := modbustest.New(t, map[byte]*modbustest.Memory{1: memory()})
		l := newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: writable})
		l.Devices[0].Options.(*DeviceOptions).WriteMultiple = multiple
		_, g := open(t, l)
		var functions []byte
		s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
			functions = append(functions, r.PDU[0])
			c.Write(c.Answer(r))
		})
		for _, c := range []struct {
			name   string
			v      tag.Value
			single byte
			many   byte
		}{
			{"u", tag.Uint(65535), 6, 16}, {"i", tag.Int(-5), 6, 16}, {"f", tag.Float32(231.4), 16, 16},
			{"l", tag.Int(-1 << 62), 16, 16}, {"s", tag.String("AB"), 16, 16}, {"b", tag.Uint(4711), 6, 16}, {"c", tag.Bool(true), 5, 15},
		} {
			functions = nil
			got, err := writeTo(t, l, g[0], c.name, c.v)
			if err != nil || got.Value != c.v || got.Quality != tag.OK() || got.Tag.Name != c.name || got.Time.IsZero() {
				t.Errorf("write %v to %s: got %+v, %v", c.v, c.name, got, err)
			}
			want := c.single
			if multiple {
				want = c.many
			}
			if len(functions) != 2 || functions[0] != want {
				t.Errorf("write %s: functions %v, want %d and a read", c.name, functions, want)
			}
		}
		if m := s.Units[1]; m.Get(1) != 0xFFFB || !m.Coil(3) || m.Get(10) != 0x4711 || m.Get(8) != 0x4142 {
			t.Errorf("the device holds %x %t %x %x", m.Get(1), m.Coil(3), m.Get(10), m.Get(8))
		}
	}
}

func TestWriteRefusesBeforeTheWire(t *testing.T) {
	s, l, g := serve(t, map[byte]*modbustest.Memory{1: memory()}, map[int][]string{1: writable})
	for _, c := range []struct {
		name string
		v    tag.Value
		text string
	}{
		{"u", tag.Int(65536), "outside the range of uint16"},
		{"u", tag.Int(-1), "outside the range"},
		{"i", tag.Float64(1.5), "not a whole number"},
		{"s", tag.String("ABCDE"), "do not fit"},
		{"c", tag.Int(2), "not a bool"},
		{"bit", tag.Int(2), "not a bool"},
		{"half", tag.Int(256), "outside the range of uint8"},
		{"ro", tag.Int(1), "access: read"},
	} {
		_, err := writeTo(t, l, g[0], c.name, c.v)
		if err == nil || errors.Is(err, drivers.ErrOutcomeUnknown) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("write %v to %s: got %v, want %q", c.v, c.name, err, c.text)
		}
	}
	if s.Requests(0) != 0 {
		t.Errorf("%d requests reached the device", s.Requests(0))
	}
}

// TestWriteOutcomes: what each kind of answer means for a write, which is sent
// exactly once in every case.
func TestWriteOutcomes(t *testing.T) {
	exception := func(code byte) modbustest.Handler {
		return func(c *modbustest.Conn, r modbustest.Request) {
			c.Write(c.Frame(r.ID, r.Unit, []byte{r.PDU[0] | 0x80, code}))
		}
	}
	for _, c := range []struct {
		name    string
		handler modbustest.Handler
		unknown bool
		down    bool
	}{
		{"illegal function", exception(1), false, false},
		{"illegal address", exception(2), false, false},
		{"illegal value", exception(3), false, false},
		{"device failure", exception(4), true, false},
		{"busy", exception(6), false, false},
		{"gateway path", exception(10), false, false},
		{"gateway target", exception(11), true, false},
		{"unknown code", exception(99), true, false},
		{"timeout", func(*modbustest.Conn, modbustest.Request) {}, true, false},
		{"another value", func(c *modbustest.Conn, r modbustest.Request) {
			c.Write(c.Frame(r.ID, r.Unit, []byte{6, 0, 0, 0, 8}))
		}, true, false},
		{"closed", func(c *modbustest.Conn, r modbustest.Request) { c.Close() }, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, l, g := serve(t, map[byte]*modbustest.Memory{1: memory()}, map[int][]string{1: writable})
			s.Handle(c.handler)
			_, err := writeTo(t, l, g[0], "u", tag.Uint(7))
			if err == nil || errors.Is(err, drivers.ErrOutcomeUnknown) != c.unknown || errors.Is(err, drivers.ErrLinkDown) != c.down {
				t.Errorf("got %v, want unknown %t, link down %t", err, c.unknown, c.down)
			}
			if n := s.Requests(0); n != 1 {
				t.Errorf("%d requests were sent, want 1", n)
			}
			if c.down {
				_, err := writeTo(t, l, g[0], "u", tag.Uint(7))
				if !errors.Is(err, drivers.ErrLinkDown) || errors.Is(err, drivers.ErrOutcomeUnknown) {
					t.Errorf("on a link that is down: %v", err)
				}
			}
		})
	}
}

func TestWriteThatCannotBeReadBack(t *testing.T) {
	s, l, g := serve(t, map[byte]*modbustest.Memory{1: memory()}, map[int][]string{1: writable})
	s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
		switch r.PDU[0] {
		case 6:
			c.Write(c.Frame(r.ID, r.Unit, []byte{0x86, 5})) // acknowledge: it takes its time
		case 3:
			c.Write(c.Frame(r.ID, r.Unit, []byte{0x83, 2}))
		}
	})
	got, err := writeTo(t, l, g[0], "u", tag.Uint(7))
	if err != nil || !got.Value.IsNull() || got.Quality != tag.UncertainFor(write.ReasonNotReadBack) {
		t.Errorf("got %+v, %v; want no value, not read back", got, err)
	}
	if n := s.Requests(0); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}
