package layout

import (
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"fieldferry/tag"
)

func mustParse(t testing.TB, s Spec) Layout {
	t.Helper()
	l, faults := s.Parse()
	if len(faults) > 0 {
		t.Fatalf("parse %+v: %v", s, faults)
	}
	return l
}

func spec(address, typ, order string, length int) Spec {
	return Spec{Address: address, Type: typ, Order: order, Length: length}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// values are wire bytes and what they mean; write says that encoding the
// value gives the bytes again.
var values = []struct {
	spec  Spec
	wire  string
	want  tag.Value
	write bool
}{
	{spec("hr:0", "int16", "", 0), "FFFE", tag.Int(-2), true},
	{spec("hr:0", "uint16", "", 0), "FFFE", tag.Uint(65534), true},
	{spec("hr:0", "uint16", "CDAB", 0), "1234", tag.Uint(0x1234), true},
	{spec("hr:0", "uint16", "DCBA", 0), "1234", tag.Uint(0x1234), true},
	{spec("hr:0", "uint16", "BA", 0), "1234", tag.Uint(0x3412), true},
	{spec("hr:0", "uint16", "AB", 0), "1234", tag.Uint(0x1234), true},
	{spec("hr:0", "int8", "", 0), "80FF", tag.Int(-1), false},
	{spec("hr:0", "uint8", "", 0), "80FF", tag.Uint(255), false},
	{spec("hr:0.hi", "uint8", "", 0), "80FF", tag.Uint(128), false},
	{spec("hr:0.lo", "int8", "", 0), "807F", tag.Int(127), false},
	{spec("hr:0.0", "bool", "", 0), "0001", tag.Bool(true), false},
	{spec("hr:0.15", "bool", "", 0), "8000", tag.Bool(true), false},
	{spec("hr:0.15", "", "", 0), "7FFF", tag.Bool(false), false},
	{spec("hr:0", "int32", "ABCD", 0), "01020304", tag.Int(0x01020304), true},
	{spec("hr:0", "int32", "BADC", 0), "02010403", tag.Int(0x01020304), true},
	{spec("hr:0", "int32", "CDAB", 0), "03040102", tag.Int(0x01020304), true},
	{spec("hr:0", "int32", "DCBA", 0), "04030201", tag.Int(0x01020304), true},
	{spec("hr:0", "uint32", "HGFEDCBA", 0), "04030201", tag.Uint(0x01020304), true},
	{spec("hr:0", "int32", "", 0), "80000000", tag.Int(math.MinInt32), true},
	{spec("hr:0", "int64", "ABCD", 0), "0102030405060708", tag.Int(0x0102030405060708), true},
	{spec("hr:0", "uint64", "BADCFEHG", 0), "0201040306050807", tag.Uint(0x0102030405060708), true},
	{spec("hr:0", "uint64", "CDAB", 0), "0708050603040102", tag.Uint(0x0102030405060708), true},
	{spec("hr:0", "uint64", "GHEFCDAB", 0), "0708050603040102", tag.Uint(0x0102030405060708), true},
	{spec("hr:0", "uint64", "dcba", 0), "0807060504030201", tag.Uint(0x0102030405060708), true},
	{spec("hr:0", "uint64", "", 0), "FFFFFFFFFFFFFFFF", tag.Uint(math.MaxUint64), true},
	{spec("hr:0", "int64", "", 0), "8000000000000000", tag.Int(math.MinInt64), true},
	{spec("hr:0", "float32", "ABCD", 0), "42F6E979", tag.Float32(123.456), true},
	{spec("hr:0", "float32", "BADC", 0), "F64279E9", tag.Float32(123.456), true},
	{spec("hr:0", "float32", "CDAB", 0), "E97942F6", tag.Float32(123.456), true},
	{spec("hr:0", "float32", "DCBA", 0), "79E9F642", tag.Float32(123.456), true},
	{spec("hr:0", "uint64", "CDABGHEF", 0), "0304010207080506", tag.Uint(0x0102030405060708), true},
	{spec("hr:0", "uint64", "DCBAHGFE", 0), "0403020108070605", tag.Uint(0x0102030405060708), true},
	{spec("hr:0", "uint64", "EFGHABCD", 0), "0506070801020304", tag.Uint(0x0102030405060708), true},
	{spec("hr:0", "uint64", "FEHGBADC", 0), "0605080702010403", tag.Uint(0x0102030405060708), true},
	{spec("hr:0", "int32", "CDABGHEF", 0), "03040102", tag.Int(0x01020304), true},
	{spec("hr:0", "float64", "EFGHABCD", 0), "1A9FBE77405EDD2F", tag.Float64(123.456), true},
	{spec("hr:0", "int16[3]", "", 0), "0001FFFE7FFF", tag.JSON("[1,-2,32767]"), true},
	{spec("hr:0", "uint32[2]", "CDAB", 0), "0001000000020001", tag.JSON("[1,65538]"), true},
	{spec("hr:0", "float32[2]", "", 0), "42F6E9793DCCCCCD", tag.JSON("[123.456,0.1]"), true},
	{spec("hr:0", "uint64[1]", "", 0), "FFFFFFFFFFFFFFFF", tag.JSON("[18446744073709551615]"), true},
	{spec("hr:0", "bcd16[2]", "", 0), "12340099", tag.JSON("[1234,99]"), true},
	{spec("coil:3", "bool[9]", "", 0), "0101", tag.JSON("[true,false,false,false,false,false,false,false,true]"), true},
	{Spec{Address: "hr:0", Type: "string", Length: 3, Padding: "space"}, "50554D502020", tag.String("PUMP"), true},
	{Spec{Address: "hr:0", Type: "string", Length: 2, Encoding: "latin-1"}, "B0436DB3", tag.String("°Cm³"), true},
	{Spec{Address: "hr:0", Type: "string", Length: 2, Encoding: "latin-1", Order: "BADC", Padding: "space"}, "B0432020", tag.String("C°"), true},
	{Spec{Address: "hr:0", Type: "int16", Invalid: []uint64{0x8000}}, "8001", tag.Int(-32767), true},
	{spec("hr:0", "float64", "", 0), "405EDD2F1A9FBE77", tag.Float64(123.456), true},
	{spec("hr:0", "float64", "CDAB", 0), "BE771A9FDD2F405E", tag.Float64(123.456), true},
	{spec("hr:0", "bcd16", "", 0), "9876", tag.Uint(9876), true},
	{spec("hr:0", "bcd32", "CDAB", 0), "56781234", tag.Uint(12345678), true},
	{spec("hr:0", "string", "", 3), "50554D500000", tag.String("PUMP"), true},
	{spec("hr:0", "string", "", 3), "50554D502020", tag.String("PUMP"), false},
	{spec("hr:0", "string", "BADC", 2), "5550504D", tag.String("PUMP"), true},
	{spec("hr:0", "raw", "", 2), "00FF00FE", tag.Bytes([]byte{0, 255, 0, 254}), true},
	{spec("coil:3", "bool", "", 0), "01", tag.Bool(true), true},
}

func TestDecodeAndEncode(t *testing.T) {
	for _, c := range values {
		l := mustParse(t, c.spec)
		wire := unhex(t, c.wire)
		got, err := l.Decode(wire, 0)
		if err != nil || got != c.want {
			t.Errorf("%+v: decode %s = %v, %v; want %v", c.spec, c.wire, got, err, c.want)
		}
		if !c.write {
			continue
		}
		back, err := l.Encode(c.want)
		if err != nil || !slices.Equal(back, wire) {
			t.Errorf("%+v: encode %v = %x, %v; want %s", c.spec, c.want, back, err, c.wire)
		}
	}
}

func TestDecodeFindsItsOffset(t *testing.T) {
	l := mustParse(t, Spec{Address: "hr:7", Type: "int32"})
	if v, err := l.Decode(unhex(t, "0000 0000 0000 0005 0000"), 2); err != nil || v != tag.Int(5) {
		t.Errorf("offset 2: %v, %v; want 5", v, err)
	}
	c := mustParse(t, Spec{Address: "coil:7"})
	if v, err := c.Decode([]byte{0, 0x02}, 9); err != nil || v != tag.Bool(true) {
		t.Errorf("bit 9: %v, %v; want true", v, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct {
		spec   Spec
		wire   string
		offset int
		want   error
	}{
		{spec("hr:0", "bcd16", "", 0), "12A4", 0, errDigit},
		{spec("hr:0", "bcd32", "", 0), "1234F678", 0, errDigit},
		{spec("hr:0", "string", "", 1), "FFFF", 0, errUTF8},
		{spec("hr:0", "int32", "", 0), "0000", 0, errShort},
		{spec("hr:0", "int16", "", 0), "0000", 1, errShort},
		{spec("hr:0", "int16", "", 0), "0000", -1, errShort},
		{spec("coil:0", "bool", "", 0), "FF", 8, errShort},
	} {
		l := mustParse(t, c.spec)
		if v, err := l.Decode(unhex(t, c.wire), c.offset); !errors.Is(err, c.want) || !v.IsNull() {
			t.Errorf("%+v: decode %s at %d = %v, %v; want %v", c.spec, c.wire, c.offset, v, err, c.want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		v    tag.Value
		err  string
	}{
		{spec("hr:0", "int16", "", 0), tag.Int(32768), "outside the range of int16, -32768 to 32767"},
		{spec("hr:0", "int16", "", 0), tag.Int(-32769), "outside the range"},
		{spec("hr:0", "int16", "", 0), tag.Float64(2.5), "not a whole number"},
		{spec("hr:0", "int16", "", 0), tag.String("5"), "not a whole number"},
		{spec("hr:0", "int16", "", 0), tag.Value{}, "not a whole number"},
		{spec("hr:0", "uint16", "", 0), tag.Int(-1), "outside the range of uint16, 0 to 65535"},
		{spec("hr:0", "uint16", "", 0), tag.Uint(65536), "outside the range"},
		{spec("hr:0", "uint32", "", 0), tag.Float64(0.1), "not a whole number"},
		{spec("hr:0", "uint64", "", 0), tag.Float64(1 << 64), "outside the range"},
		{spec("hr:0", "int64", "", 0), tag.Uint(1 << 63), "not a whole number"},
		{spec("hr:0", "uint64", "", 0), tag.Float64(math.NaN()), "not a whole number"},
		{spec("hr:0", "float32", "", 0), tag.Float64(1e39), "beyond the range of float32"},
		{spec("hr:0", "float32", "", 0), tag.Float64(math.Inf(1)), "not a finite number"},
		{spec("hr:0", "float64", "", 0), tag.String("x"), "not a finite number"},
		{spec("hr:0", "bcd16", "", 0), tag.Int(10000), "outside the range of bcd16, 0 to 9999"},
		{spec("hr:0", "string", "", 1), tag.String("abc"), "do not fit"},
		{spec("hr:0", "string", "", 1), tag.Int(3), "not text"},
		{spec("hr:0", "raw", "", 2), tag.Bytes([]byte{1}), "1 bytes where the tag has 4"},
		{spec("coil:0", "bool", "", 0), tag.Int(2), "not a bool"},
		{spec("coil:0", "bool", "", 0), tag.String("true"), "not a bool"},
	} {
		l := mustParse(t, c.spec)
		b, err := l.Encode(c.v)
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%+v: encode %v = %x, %v; want an error with %q", c.spec, c.v, b, err, c.err)
		}
	}
}

func TestEncodeTakesWholeFloats(t *testing.T) {
	for _, c := range []struct {
		typ  string
		v    tag.Value
		want string
	}{
		{"uint64", tag.Float64(1 << 63), "8000000000000000"},
		{"int16", tag.Float64(-2), "fffe"},
		{"uint16", tag.Bool(true), "0001"},
	} {
		l := mustParse(t, Spec{Address: "hr:0", Type: c.typ})
		if b, err := l.Encode(c.v); err != nil || hex.EncodeToString(b) != c.want {
			t.Errorf("encode %v as %s = %x, %v; want %s", c.v, c.typ, b, err, c.want)
		}
	}
}

func TestSpecTellsEveryFault(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want []string
	}{
		{spec("hr:0", "", "", 0), []string{"type: a tag in a holding register needs a type"}},
		{spec("hr:x", "int33", "ABDC", 0), []string{"address: ", `type: unknown type "int33"`, `byte_order: unknown byte order "ABDC"`}},
		{spec("hr:x", "", "", 0), []string{"address: "}},
		{spec("coil:1", "int16", "", 0), []string{"type: a coil is a single bit, not int16"}},
		{spec("hr:1.2", "int16", "", 0), []string{`type: address "hr:1.2" names one bit, not int16`}},
		{spec("hr:1", "bool", "", 0), []string{`type: address "hr:1" is a whole register, not a bool (name the bit, as in hr:1.0)`}},
		{spec("hr:1.hi", "int16", "", 0), []string{`type: address "hr:1.hi" names half a register`}},
		{spec("hr:65535", "int32", "", 0), []string{"address: hr:65535 of length 2 ends beyond 65535"}},
		{spec("hr:0", "float32", "BA", 0), []string{`byte_order: byte order "BA" is for one register, type float32 has 2`}},
		{spec("hr:0", "string", "", 0), []string{"length: type string needs a length"}},
		{spec("hr:0", "raw", "", 126), []string{"length: length 126 is outside 1-125"}},
		{spec("hr:0", "string", "", -1), []string{"length: length -1 is outside 1-125"}},
		{spec("hr:0", "int32", "", 3), []string{"length: type int32 is 2 registers long, not 3"}},
	} {
		_, faults := c.spec.Parse()
		if len(faults) != len(c.want) {
			t.Errorf("%+v: faults %q, want %d: %q", c.spec, faults.Error(), len(c.want), c.want)
			continue
		}
		for i, f := range faults {
			if !strings.HasPrefix(f.Error(), c.want[i]) || f.Hint == "" {
				t.Errorf("%+v: fault %d = %q with hint %q, want %q and a hint", c.spec, i, f.Error(), f.Hint, c.want[i])
			}
		}
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	data := make([]byte, 250)
	for _, typ := range []string{"int16", "uint32", "float32", "float64", "bcd16"} {
		l := mustParse(t, Spec{Address: "hr:0", Type: typ, Order: "CDAB"})
		if typ == "int16" {
			l = mustParse(t, Spec{Address: "hr:0", Type: typ})
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := l.Decode(data, 10); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("decode %s: %v allocations, want 0", typ, n)
		}
	}
}

// FuzzDecode: no bytes, offset, type or order panics, and a number that was
// decoded from a whole register is encoded as the same bytes.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0x42, 0xF6, 0xE9, 0x79}, 0, uint8(Float32), "CDAB", 0)
	f.Add([]byte{0x12, 0xA4}, 0, uint8(BCD16), "", 0)
	f.Add([]byte("PUMP\x00\xff"), 1, uint8(String), "BADC", 2)
	f.Add([]byte{}, -5, uint8(Raw), "AB", 125)
	f.Fuzz(func(t *testing.T, data []byte, offset int, typ uint8, order string, length int) {
		s := Spec{Address: "hr:0", Type: Type(typ % uint8(len(types))).String(), Order: order, Length: length}
		l, faults := s.Parse()
		if len(faults) > 0 || offset > 1<<20 {
			return
		}
		v, err := l.Decode(data, offset)
		if err != nil || l.Partial() || l.Type == String || l.Type == Bool {
			return
		}
		if n, ok := v.Number(); ok && (math.IsNaN(n) || math.IsInf(n, 0)) {
			return
		}
		back, err := l.Encode(v)
		if want := data[2*offset : 2*(offset+l.Length)]; err != nil || !slices.Equal(back, want) {
			t.Fatalf("%+v: %x is %v, encoded %x, %v", s, want, v, back, err)
		}
	})
}
