package layout

import (
	"errors"
	"math"
	"strings"
	"testing"

	"fieldferry/tag"
)

// TestDecodeTellsWhy: bytes that are no value give the reason that the sample
// shows, and an array keeps the elements that are.
func TestDecodeTellsWhy(t *testing.T) {
	invalid := func(typ string, words ...uint64) Spec { return Spec{Address: "hr:5", Type: typ, Invalid: words} }
	scaled := Spec{Address: "hr:5", Type: "int16", ScaleFrom: "hr:6", Invalid: []uint64{0x8000}}
	for _, c := range []struct {
		spec   Spec
		wire   string
		want   tag.Value
		reason string
	}{
		{invalid("float32"), "7FC00000", tag.Value{}, tag.ReasonNotFinite},
		{invalid("float32"), "FF800000", tag.Value{}, tag.ReasonNotFinite},
		{invalid("float64"), "7FF0000000000000", tag.Value{}, tag.ReasonNotFinite},
		{invalid("int16", 0x8000, 0x7FFF), "8000", tag.Value{}, ReasonInvalid},
		{invalid("int16", 0x8000, 0x7FFF), "7FFF", tag.Value{}, ReasonInvalid},
		{invalid("uint32", 0xFFFFFFFF), "FFFFFFFF", tag.Value{}, ReasonInvalid},
		{invalid("uint64", math.MaxUint64), "FFFFFFFFFFFFFFFF", tag.Value{}, ReasonInvalid},
		{Spec{Address: "hr:5.0", Invalid: []uint64{0xFFFF}}, "FFFF", tag.Value{}, ReasonInvalid},
		{Spec{Address: "hr:5.hi", Type: "uint8", Invalid: []uint64{0xFFFF}}, "FFFF", tag.Value{}, ReasonInvalid},
		{Spec{Address: "hr:5", Type: "uint32", Order: "CDAB", Invalid: []uint64{1}}, "00010000", tag.Value{}, ReasonInvalid},
		{invalid("bcd16"), "12A4", tag.Value{}, tag.ReasonBadValue},
		{scaled, "0001000B", tag.Value{}, ReasonScale},
		{scaled, "00018000", tag.Value{}, ReasonScale},
		{scaled, "80000000", tag.Value{}, ReasonInvalid},
		{Spec{Address: "hr:5", Type: "int16", ScaleFrom: "hr:6", ScaleAs: "divisor"}, "00010000", tag.Value{}, ReasonScale},
		{invalid("int16[3]", 0x8000), "000180000003", tag.JSON("[1,null,3]"), ReasonInvalid},
		{invalid("float32[2]"), "7FC000003F800000", tag.JSON("[null,1]"), tag.ReasonNotFinite},
		{invalid("int16[2]", 0x8000), "80008000", tag.Value{}, ReasonInvalid},
	} {
		l := mustParse(t, c.spec)
		v, err := l.Decode(unhex(t, c.wire), 0)
		if err == nil || v != c.want || Reason(err) != c.reason {
			t.Errorf("%+v: decode %s = %v, %v; want %v and %q", c.spec, c.wire, v, err, c.want, c.reason)
		}
	}
}

// TestScaleFrom: a register ahead of the value or behind it scales it, and a
// value is written with the scale that is read.
func TestScaleFrom(t *testing.T) {
	for _, c := range []struct {
		from, as, typ string
		wire          string // registers 10 to 14
		want          float64
	}{
		{"hr:13", "", "int16", "0000 0000 0907 FFFF 0000", 231.1},
		{"hr:10", "", "int16", "FFFE 0000 0907 0000 0000", 23.11},
		{"hr:14", "exponent", "uint32", "0000 0000 0001 0000 0003", 65536000},
		{"hr:14", "", "uint16", "0000 0000 0005 0000 0000", 5},
		{"hr:11", "factor", "uint16", "0000 0028 0005 0000 0000", 200},
		{"hr:11", "divisor", "int16", "0000 03E8 FFFB 0000 0000", -0.005},
		{"hr:14", "", "float32", "0000 0000 3FC0 0000 0002", 150},
	} {
		l := mustParse(t, Spec{Address: "hr:12", Type: c.typ, ScaleFrom: c.from, ScaleAs: c.as})
		start, n := l.Span()
		b := unhex(t, c.wire)
		got, err := l.Decode(b, 2)
		if err != nil || got != tag.Float64(c.want) {
			t.Errorf("%s by %s as %q: got %v, %v; want %v", c.typ, c.from, c.as, got, err, c.want)
		}
		if got, err := l.Decode(b[2*(start-10):2*(start-10+n)], 12-start); err != nil || got != tag.Float64(c.want) {
			t.Errorf("%s by %s within its span of %d at %d: got %v, %v", c.typ, c.from, n, start, got, err)
		}
		if n > 1 {
			if v, err := l.Decode(b[:2*(max(12, start)-10)+2], 2); err == nil && start+n > 13 {
				t.Errorf("%s by %s without the last register: got %v", c.typ, c.from, v)
			}
		}
		number, _ := l.Scaled()
		raw := uint16(b[2*(number-10)])<<8 | uint16(b[2*(number-10)+1])
		back, err := l.Unscale(tag.Float64(c.want), raw)
		if err != nil {
			t.Fatalf("unscale %v: %v", c.want, err)
		}
		if wire, err := l.Encode(back); err != nil || string(wire) != string(b[4:4+len(wire)]) {
			t.Errorf("%v is written as %x, %v; want the registers it was read from", c.want, wire, err)
		}
	}
}

func TestUnscaleRefuses(t *testing.T) {
	l := mustParse(t, Spec{Address: "hr:0", Type: "int16", ScaleFrom: "hr:1"})
	for _, c := range []struct {
		v    tag.Value
		raw  uint16
		text string
	}{
		{tag.Float64(231.44), 0xFFFF, "between two steps of 0.1"},
		{tag.Float64(math.NaN()), 0, "not a finite number"},
		{tag.String("x"), 0, "not a finite number"},
		{tag.Int(1), 0x8000, "holds no scale"},
	} {
		if v, err := l.Unscale(c.v, c.raw); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("unscale %v by %x = %v, %v; want %q", c.v, c.raw, v, err, c.text)
		}
	}
	if _, err := l.Encode(tag.Float64(40000)); err == nil {
		t.Error("40000 went into an int16")
	}
}

func TestMask(t *testing.T) {
	for _, c := range []struct {
		spec       Spec
		v          tag.Value
		mask, bits uint16
	}{
		{spec("hr:0.0", "", "", 0), tag.Bool(true), 1, 1},
		{spec("hr:0.15", "", "", 0), tag.Bool(true), 0x8000, 0x8000},
		{spec("hr:0.15", "", "", 0), tag.Int(0), 0x8000, 0},
		{spec("hr:0.8", "", "BA", 0), tag.Bool(true), 1, 1},
		{spec("hr:0.hi", "int8", "", 0), tag.Int(-1), 0xFF00, 0xFF00},
		{spec("hr:0.lo", "uint8", "", 0), tag.Uint(0x12), 0x00FF, 0x0012},
		{spec("hr:0.hi", "uint8", "BA", 0), tag.Uint(0x12), 0x00FF, 0x0012},
		{spec("hr:0", "uint8", "", 0), tag.Uint(0x12), 0x00FF, 0x0012},
	} {
		l := mustParse(t, c.spec)
		mask, bits, err := l.Mask(c.v)
		if err != nil || mask != c.mask || bits != c.bits {
			t.Errorf("%+v: mask of %v = %04x %04x, %v; want %04x %04x", c.spec, c.v, mask, bits, err, c.mask, c.bits)
		}
		data := []byte{byte(bits >> 8), byte(bits)}
		if back, err := l.Decode(data, 0); err != nil || back.String() != c.v.String() && c.v != tag.Int(0) {
			t.Errorf("%+v: %x reads %v, %v; want %v", c.spec, data, back, err, c.v)
		}
		if b, err := l.Encode(c.v); err == nil {
			t.Errorf("%+v: encoded alone as %x", c.spec, b)
		}
	}
	for _, c := range []struct {
		spec Spec
		v    tag.Value
	}{
		{spec("hr:0.0", "", "", 0), tag.Int(2)}, {spec("hr:0.hi", "int8", "", 0), tag.Int(128)},
		{spec("hr:0.hi", "uint8", "", 0), tag.Int(-1)}, {spec("hr:0", "uint16", "", 0), tag.Int(1)},
	} {
		l := mustParse(t, c.spec)
		if mask, bits, err := l.Mask(c.v); err == nil {
			t.Errorf("%+v: mask of %v = %04x %04x, want an error", c.spec, c.v, mask, bits)
		}
	}
}

func TestEncodeRefusesArraysAndSentinels(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		v    tag.Value
		text string
	}{
		{spec("hr:0", "int16[2]", "", 0), tag.JSON("[1]"), "1 elements where the tag has 2"},
		{spec("hr:0", "int16[2]", "", 0), tag.JSON("[1,70000]"), "element 1: 70000 is outside"},
		{spec("hr:0", "int16[2]", "", 0), tag.JSON(`[1,"2"]`), "element 1 is neither a number"},
		{spec("hr:0", "int16[2]", "", 0), tag.JSON("[1,null]"), "element 1 is neither a number"},
		{spec("hr:0", "int16[2]", "", 0), tag.JSON("{}"), "no array"},
		{spec("hr:0", "int16[2]", "", 0), tag.Int(5), "no array"},
		{spec("hr:0", "float32[1]", "", 0), tag.JSON("[1e999]"), "not a finite number"},
		{spec("coil:0", "bool[2]", "", 0), tag.JSON("[true,2]"), "not a bool"},
		{Spec{Address: "hr:0", Type: "int16", Invalid: []uint64{0x8000}}, tag.Int(-32768), "understands as no value"},
		{Spec{Address: "hr:0", Type: "string", Length: 2, Encoding: "latin-1"}, tag.String("€"), "not in Latin-1"},
		{spec("hr:0", "string", "", 2), tag.String("a\x00b"), "zero byte"},
	} {
		l := mustParse(t, c.spec)
		if b, err := l.Encode(c.v); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%+v: encode %v = %x, %v; want %q", c.spec, c.v, b, err, c.text)
		}
	}
}

func TestSpecTellsEveryFaultOfTheRest(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want []string
	}{
		{spec("hr:0", "int16[126]", "", 0), []string{"type: 126 registers are more than one request can read"}},
		{spec("coil:0", "bool[2001]", "", 0), []string{"type: 2001 bits are more"}},
		{spec("coil:65530", "bool[10]", "", 0), []string{"address: coil:65530 of length 10 ends beyond 65535"}},
		{spec("hr:0", "int16[0]", "", 0), []string{`type: type "int16[0]" has no number of elements`}},
		{spec("hr:0", "int16[x", "", 0), []string{`type: type "int16[x" has no number of elements`}},
		{spec("hr:0", "string[2]", "", 2), []string{"type: there are no arrays of type string"}},
		{spec("hr:0", "uint8[2]", "", 0), []string{"type: there are no arrays of type uint8"}},
		{spec("hr:0", "bool[2]", "", 0), []string{`type: address "hr:0" is a whole register`}},
		{spec("hr:0.hi", "uint16[2]", "", 0), []string{`type: address "hr:0.hi" names a part`}},
		{Spec{Address: "hr:0", Type: "int16", Encoding: "latin-1", Padding: "x"}, []string{"encoding: encoding belongs to a string", `padding: unknown padding "x"`}},
		{Spec{Address: "hr:0", Type: "int16", Invalid: []uint64{1, 0x18000}}, []string{"invalid[1]: 98304 does not fit into the 16 bits"}},
		{Spec{Address: "coil:0", Invalid: []uint64{1}}, []string{"invalid: invalid is for numbers"}},
		{Spec{Address: "hr:0", Type: "int16", ScaleAs: "factor"}, []string{"scale_as: scale_as needs a scale_from"}},
		{Spec{Address: "hr:0", Type: "int16", ScaleFrom: "hr:1", ScaleAs: "times"}, []string{`scale_as: unknown kind of scale "times"`}},
		{Spec{Address: "hr:0", Type: "int16", ScaleFrom: "x"}, []string{"scale_from: address"}},
		{Spec{Address: "hr:0", Type: "int16", ScaleFrom: "hr:1.2"}, []string{"scale_from: hr:1.2 is no register"}},
		{Spec{Address: "hr:0", Type: "int16", ScaleFrom: "ir:1"}, []string{"scale_from: ir:1 and hr:0 cannot be read in one request"}},
		{Spec{Address: "hr:0", Type: "int16", ScaleFrom: "hr:125"}, []string{"scale_from: hr:125 and hr:0 cannot be read in one request: they span 126"}},
		{Spec{Address: "hr:0", Type: "int16[2]", ScaleFrom: "hr:5"}, []string{"scale_from: a tag of type int16[2] at hr:0 cannot be scaled"}},
		{Spec{Address: "hr:0.1", ScaleFrom: "hr:5"}, []string{"scale_from: a tag of type"}},
	} {
		_, faults := c.spec.Parse()
		if len(faults) != len(c.want) {
			t.Errorf("%+v: faults %q, want %q", c.spec, faults.Error(), c.want)
			continue
		}
		for i, f := range faults {
			if !strings.HasPrefix(f.Error(), c.want[i]) || f.Hint == "" {
				t.Errorf("%+v: fault %d = %q with hint %q, want %q and a hint", c.spec, i, f.Error(), f.Hint, c.want[i])
			}
		}
	}
}

// FuzzArray: no JSON text panics or becomes another array, and none that was
// read from registers is refused.
func FuzzArray(f *testing.F) {
	f.Add("[1,2,3]", []byte{0, 1, 0, 2, 0, 3})
	f.Add("[1,null,1e400]", []byte{0x80, 0, 0x7F, 0xFF, 0, 0})
	f.Add("[[1]]", []byte{})
	l, faults := Spec{Address: "hr:0", Type: "int16[3]", Invalid: []uint64{0x8000}}.Parse()
	if len(faults) > 0 {
		f.Fatal(faults)
	}
	f.Fuzz(func(t *testing.T, text string, data []byte) {
		if b, err := l.Encode(tag.JSON(text)); err == nil {
			if v, err := l.Decode(b, 0); err != nil {
				t.Fatalf("%q is written as %x, which reads %v, %v", text, b, v, err)
			}
		}
		v, err := l.Decode(data, 0)
		if err != nil {
			if !errors.Is(err, errShort) && !errors.Is(err, errInvalid) {
				t.Fatalf("decode %x: %v", data, err)
			}
			return
		}
		if b, err := l.Encode(v); err != nil || string(b) != string(data[:6]) {
			t.Fatalf("%x is %v, encoded %x, %v", data, v, b, err)
		}
	})
}
