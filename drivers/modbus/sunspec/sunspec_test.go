package sunspec

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

// device holds registers; what it does not hold is absent.
type device map[int]uint16

func (d device) read(_ context.Context, address, n int) ([]byte, error) {
	var b []byte
	for i := range n {
		w, ok := d[address+i]
		if !ok {
			return nil, ErrAbsent
		}
		b = binary.BigEndian.AppendUint16(b, w)
	}
	return b, nil
}

// chainAt makes a device of models given as number, length, number, length...
func chainAt(base int, ended bool, models ...uint16) device {
	d := device{base: 0x5375, base + 1: 0x6E53}
	at := base + 2
	for i := 0; i+1 < len(models); i += 2 {
		d[at], d[at+1] = models[i], models[i+1]
		for j := range int(models[i+1]) {
			d[at+2+j] = 0
		}
		at += 2 + int(models[i+1])
	}
	if ended {
		d[at], d[at+1] = 0xFFFF, 0
	}
	return d
}

func TestWalk(t *testing.T) {
	for _, base := range []int{40000, 50000, 0} {
		for _, ended := range []bool{true, false} {
			c, err := Walk(t.Context(), chainAt(base, ended, 1, 66, 103, 50, 160, 48).read)
			if err != nil {
				t.Fatalf("base %d: %v", base, err)
			}
			want := []Block{{1, base + 2, 66}, {103, base + 70, 50}, {160, base + 122, 48}}
			if c.Base != base || c.Ended != ended || !slices.Equal(c.Blocks, want) {
				t.Errorf("base %d: got %+v, want %v, ended %t", base, c, want, ended)
			}
		}
	}
}

func TestWalkRefuses(t *testing.T) {
	endless := device{0: 0x5375, 1: 0x6E53}
	for i := 2; i < 2000; i++ {
		endless[i] = 1
	}
	broken := errors.New("the wire is cut")
	for _, c := range []struct {
		name string
		read Read
		text string
		is   error
	}{
		{"nothing", device{}.read, "no SunSpec marker", ErrNone},
		{"other registers", device{40000: 1, 40001: 2, 0: 0x5375, 1: 0}.read, "no SunSpec marker", ErrNone},
		{"no model", chainAt(40000, false).read, "read the head of the SunSpec model at 40002", ErrAbsent},
		{"length 0", chainAt(40000, true, 1, 66, 103, 0).read, "breaks off at 40070, after model 1 at 40002: model 103 of length 0", nil},
		{"beyond the end", chainAt(50000, false, 1, 15540).read, "beyond register 65535", nil},
		{"endless", endless.read, "does not end after 100 models", nil},
		{"silent", func(context.Context, int, int) ([]byte, error) { return nil, broken }, "look for the SunSpec marker at 40000", broken},
		{"half an answer", func(context.Context, int, int) ([]byte, error) { return []byte{0x53}, nil }, "1 bytes where 4", nil},
	} {
		if chain, err := Walk(t.Context(), c.read); err == nil || !strings.Contains(err.Error(), c.text) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: got %+v, %v; want %q", c.name, chain, err, c.text)
		}
	}
}

// lengths are those of the models as they are published.
var lengths = map[int]int{1: 66, 101: 50, 102: 50, 103: 50, 111: 60, 112: 60, 113: 60, 160: 28, 201: 105, 202: 105, 203: 105, 204: 105, 211: 124, 212: 124, 213: 124, 214: 124}

// TestTables: every point is in its model, has a type, overlaps no other, and
// is found by its name.
func TestTables(t *testing.T) {
	n := 0
	for model, ps := range table {
		c := &Chain{Blocks: []Block{{model, 100, lengths[model]}}}
		taken := map[int]string{}
		for _, p := range ps {
			n++
			kind, ok := types[p.typ]
			if !ok || p.name == "" || p.offset < 2 || (p.typ == "string") != (p.length > 0) {
				t.Errorf("model %d: %+v is not whole", model, p)
			}
			for i := range max(kind.size, p.length) {
				if other := taken[p.offset+i]; other != "" {
					t.Errorf("model %d: %s overlaps %s", model, p.name, other)
				}
				taken[p.offset+i] = p.name
			}
			module := ""
			if p.repeat > 0 {
				module = "1."
			}
			r, err := ParseRef(Prefix + itoa(model) + "." + module + strings.ToUpper(p.name))
			if err != nil {
				t.Errorf("model %d: %v", model, err)
				continue
			}
			spec, err := c.Find(r)
			if err != nil {
				t.Errorf("model %d: %v", model, err)
				continue
			}
			if _, faults := spec.Parse(); len(faults) > 0 {
				t.Errorf("model %d: %s gives %+v: %v", model, p.name, spec, faults)
			}
		}
	}
	if len(table) != len(lengths) || n < 400 {
		t.Errorf("%d models with %d points, want %d models", len(table), n, len(lengths))
	}
}

func itoa(n int) string {
	var b []byte
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

func TestFind(t *testing.T) {
	c := &Chain{Blocks: []Block{{1, 40002, 66}, {103, 40070, 50}, {160, 40122, 48}}}
	for _, x := range []struct{ ref, address, typ, scale, text string }{
		{"sunspec:inverter.W", "hr:40084", "int16", "hr:40085", ""},
		{"SunSpec:103.wh", "hr:40094", "uint32", "hr:40096", ""},
		{"sunspec:common.SN", "hr:40052", "string", "", ""},
		{"sunspec:mppt.1.DCW", "hr:40143", "uint16", "hr:40126", ""},
		{"sunspec:mppt.2.DCW", "hr:40163", "uint16", "hr:40126", ""},
		{"sunspec:mppt.N", "hr:40130", "uint16", "", ""},
		{"sunspec:mppt.3.DCW", "", "", "", "model 160 of the device has only 48 registers"},
		{"sunspec:meter.W", "", "", "", "none of the models"},
		{"sunspec:101.W", "", "", "", "none of the models [101]"},
	} {
		r, err := ParseRef(x.ref)
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Find(r)
		if x.text != "" {
			if err == nil || !strings.Contains(err.Error(), x.text) {
				t.Errorf("%s: %+v, %v; want %q", x.ref, s, err, x.text)
			}
			continue
		}
		if err != nil || s.Address != x.address || s.Type != x.typ || s.ScaleFrom != x.scale {
			t.Errorf("%s: %+v, %v; want %s %s %s", x.ref, s, err, x.address, x.typ, x.scale)
		}
	}
}

func TestParseRefRefuses(t *testing.T) {
	for _, c := range []struct{ in, text string }{
		{"hr:0", "does not begin"},
		{"sunspec:", "not a model and a point"},
		{"sunspec:inverter", "not a model and a point"},
		{"sunspec:inverter.W.x.y", "not a model and a point"},
		{"sunspec:invertor.W", `unknown model "invertor"`},
		{"sunspec:inverter.Watt", "a point that the model does not have"},
		{"sunspec:7.W", "not known here"},
		{"sunspec:mppt.DCW", "a point that the model does not have"},
		{"sunspec:mppt.0.DCW", "counted from 1"},
		{"sunspec:inverter.1.W", "a point that the model does not have"},
	} {
		if r, err := ParseRef(c.in); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%q: %+v, %v; want %q", c.in, r, err, c.text)
		}
	}
}

// FuzzWalk: whatever a device answers, the walk ends after a bounded number of
// reads, and what it finds lies within the registers.
func FuzzWalk(f *testing.F) {
	f.Add([]byte{0x53, 0x75, 0x6E, 0x53, 0, 1, 0, 66, 0xFF, 0xFF, 0, 0}, uint16(40000))
	f.Add([]byte{0x53, 0x75, 0x6E, 0x53, 0, 1, 0, 1}, uint16(0))
	f.Fuzz(func(t *testing.T, data []byte, base uint16) {
		reads := 0
		c, err := Walk(t.Context(), func(_ context.Context, at, n int) ([]byte, error) {
			reads++
			if at < 0 || at+n > 65536 {
				t.Fatalf("read of %d registers at %d", n, at)
			}
			from := 2 * (at - int(base))
			if from < 0 || from+2*n > len(data) {
				return nil, ErrAbsent
			}
			return data[from : from+2*n], nil
		})
		if reads > maxModels+len(bases)+1 {
			t.Fatalf("%d reads", reads)
		}
		if err != nil {
			return
		}
		for _, b := range c.Blocks {
			if b.Start < 2 || b.Start > 65534 || b.Length < 1 {
				t.Fatalf("%+v", c)
			}
		}
	})
}
