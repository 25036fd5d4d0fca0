package value

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"fieldferry/tag"
)

func TestWrite(t *testing.T) {
	tests := []struct {
		in   tag.Value
		to   ua.TypeID
		want any    // nil: refused
		text string // part of the error
	}{
		{tag.Bool(true), ua.TypeIDBoolean, true, ""},
		{tag.Int(0), ua.TypeIDBoolean, false, ""},
		{tag.Int(2), ua.TypeIDBoolean, nil, "not a boolean"},
		{tag.String("true"), ua.TypeIDBoolean, nil, "not a boolean"},
		{tag.Int(-128), ua.TypeIDSByte, int8(-128), ""},
		{tag.Int(-129), ua.TypeIDSByte, nil, "out of the range of SByte"},
		{tag.Int(128), ua.TypeIDSByte, nil, "out of the range of SByte"},
		{tag.Uint(255), ua.TypeIDByte, uint8(255), ""},
		{tag.Uint(256), ua.TypeIDByte, nil, "out of the range of Byte"},
		{tag.Int(-1), ua.TypeIDByte, nil, "out of the range of Byte"},
		{tag.Float64(12), ua.TypeIDInt16, int16(12), ""},
		{tag.Float64(12.5), ua.TypeIDInt16, nil, "not an integer"},
		{tag.Int(32768), ua.TypeIDInt16, nil, "out of the range of Int16"},
		{tag.Int(65535), ua.TypeIDUint16, uint16(65535), ""},
		{tag.Int(math.MinInt32), ua.TypeIDInt32, int32(math.MinInt32), ""},
		{tag.Uint(math.MaxUint32), ua.TypeIDUint32, uint32(math.MaxUint32), ""},
		{tag.Int(math.MinInt64), ua.TypeIDInt64, int64(math.MinInt64), ""},
		{tag.Uint(math.MaxUint64), ua.TypeIDInt64, nil, "out of the range of Int64"},
		{tag.Uint(math.MaxUint64), ua.TypeIDUint64, uint64(math.MaxUint64), ""},
		{tag.Float64(1e300), ua.TypeIDInt64, nil, "not an integer"},
		{tag.Float64(0.1), ua.TypeIDFloat, float32(0.1), ""},
		{tag.Float64(1e39), ua.TypeIDFloat, nil, "out of the range of Float"},
		{tag.Int(16777217), ua.TypeIDFloat, nil, "exactly"},
		{tag.Int(1<<53 + 1), ua.TypeIDDouble, nil, "exactly"},
		{tag.Int(1 << 53), ua.TypeIDDouble, float64(1 << 53), ""},
		{tag.Float64(math.NaN()), ua.TypeIDDouble, nil, "cannot be written"},
		{tag.String("1"), ua.TypeIDDouble, nil, "not a number"},
		{tag.String("x"), ua.TypeIDString, "x", ""},
		{tag.Int(1), ua.TypeIDString, nil, "not a text"},
		{tag.Bytes([]byte{1}), ua.TypeIDByteString, []byte{1}, ""},
		{tag.String("x"), ua.TypeIDByteString, nil, "not a byte string"},
		{tag.String("2026-11-20T08:27:00Z"), ua.TypeIDDateTime, time.Date(2026, 11, 20, 8, 27, 0, 0, time.UTC), ""},
		{tag.String("9999-12-31T00:00:00Z"), ua.TypeIDDateTime, nil, "between 1970"},
		{tag.String("nope"), ua.TypeIDGUID, nil, "not a GUID"},
		{tag.Value{}, ua.TypeIDInt16, nil, "no value"},
		{tag.JSON("[1]"), ua.TypeIDInt16, nil, "not an integer"},
		{tag.String("x"), ua.TypeIDNodeID, nil, "cannot be written"},
	}
	for _, tc := range tests {
		got, err := Write(tc.in, tc.to)
		if tc.want == nil {
			if err == nil || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("Write(%s, type %d): got %v, %v, want an error with %q", tc.in, tc.to, got, err, tc.text)
			}
			continue
		}
		if err != nil {
			t.Errorf("Write(%s, type %d): got error %v, want %v", tc.in, tc.to, err, tc.want)
			continue
		}
		want := ua.MustVariant(tc.want)
		g, _ := got.Encode()
		w, _ := want.Encode()
		if string(g) != string(w) || got.Type() != tc.to {
			t.Errorf("Write(%s, type %d): got %v (type %d), want %v", tc.in, tc.to, got.Value(), got.Type(), tc.want)
		}
	}
}

func TestBuiltin(t *testing.T) {
	tests := []struct {
		id   *ua.NodeID
		want ua.TypeID
		ok   bool
	}{
		{ua.NewNumericNodeID(0, 11), ua.TypeIDDouble, true},
		{ua.NewTwoByteNodeID(6), ua.TypeIDInt32, true},
		{ua.NewNumericNodeID(0, 29), ua.TypeIDInt32, true},
		{ua.NewNumericNodeID(0, 290), ua.TypeIDDouble, true},
		{ua.NewNumericNodeID(0, 26), 0, false},
		{ua.NewNumericNodeID(3, 6), 0, false},
		{ua.NewStringNodeID(0, "x"), 0, false},
		{nil, 0, false},
	}
	for _, tc := range tests {
		if got, ok := Builtin(tc.id); ok != tc.ok || ok && got != tc.want {
			t.Errorf("Builtin(%v): got %d, %v, want %d, %v", tc.id, got, ok, tc.want, tc.ok)
		}
	}
}

// FuzzWrite: whatever is accepted comes back unchanged from the wire.
func FuzzWrite(f *testing.F) {
	for typ := byte(1); typ <= 21; typ++ {
		f.Add(typ, byte(tag.KindInt), uint64(7), "x")
		f.Add(typ, byte(tag.KindFloat64), math.Float64bits(-0.5), "2026-11-20T08:27:00Z")
	}
	f.Fuzz(func(t *testing.T, typ, kind byte, bits uint64, s string) {
		if kind %= 9; tag.Kind(kind) == tag.KindBool {
			bits &= 1
		}
		in := tag.FromParts(tag.Kind(kind), bits, s)
		v, err := Write(in, ua.TypeID(typ%25))
		if err != nil {
			return
		}
		b, err := v.Encode()
		if err != nil {
			t.Fatalf("encode %v: %v", v.Value(), err)
		}
		back := new(ua.Variant)
		if _, err := back.Decode(b); err != nil {
			t.Fatalf("decode %x: %v", b, err)
		}
		got := Reader{}.Read(&ua.DataValue{Value: back}, received).Value
		want, isNumber := in.Number()
		if g, ok := got.Number(); isNumber && (!ok || g != want && ua.TypeID(typ%25) != ua.TypeIDFloat) {
			t.Errorf("Write(%s, type %d): came back as %s", in, typ%25, got)
		}
	})
}
