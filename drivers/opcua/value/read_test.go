package value

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gopcua/opcua/ua"

	"fieldferry/tag"
)

var received = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

func data(v any) *ua.DataValue {
	dv := &ua.DataValue{Value: ua.MustVariant(v)}
	dv.UpdateMask()
	return dv
}

func TestReadTypes(t *testing.T) {
	when := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	tests := []struct {
		in   any
		want tag.Value
		q    string
	}{
		{true, tag.Bool(true), "good"},
		{int8(-8), tag.Int(-8), "good"},
		{uint8(8), tag.Uint(8), "good"},
		{int16(-300), tag.Int(-300), "good"},
		{uint16(65535), tag.Uint(65535), "good"},
		{int32(math.MinInt32), tag.Int(math.MinInt32), "good"},
		{uint32(math.MaxUint32), tag.Uint(math.MaxUint32), "good"},
		{int64(math.MinInt64), tag.Int(math.MinInt64), "good"},
		{uint64(math.MaxUint64), tag.Uint(math.MaxUint64), "good"},
		{float32(0.1), tag.Float32(0.1), "good"},
		{math.MaxFloat64, tag.Float64(math.MaxFloat64), "good"},
		{"grüß\x00dich", tag.String("grüß\x00dich"), "good"},
		{"a\xffb", tag.String("a\uFFFDb"), "uncertain (invalid text replaced)"},
		{strings.Repeat("x", MaxSize+1), tag.Value{}, "bad (value too large)"},
		{[]byte{1, 2}, tag.Bytes([]byte{1, 2}), "good"},
		{ua.ByteArray{1, 2}, tag.JSON("[1,2]"), "good"},
		{ua.XMLElement("<a/>"), tag.String("<a/>"), "good"},
		{when, tag.String("2026-01-02T03:04:05.0000006Z"), "good"},
		{time.Time{}, tag.Value{}, "good (null)"},
		{time.Date(1816, 3, 30, 5, 56, 8, 0, time.UTC), tag.Value{}, "bad (date out of range)"},
		{time.Date(2189, 1, 1, 0, 0, 0, 0, time.UTC), tag.Value{}, "bad (date out of range)"},
		{ua.NewGUID("72962B91-FA75-4AE6-8D28-B404DC7DAF63"), tag.String("72962B91-FA75-4AE6-8D28-B404DC7DAF63"), "good"},
		{ua.NewStringNodeID(2, "x"), tag.String("ns=2;s=x"), "good"},
		{&ua.ExpandedNodeID{NodeID: ua.NewNumericNodeID(0, 7), NamespaceURI: "urn:x", ServerIndex: 1}, tag.String("svr=1;nsu=urn:x;i=7"), "good"},
		{&ua.QualifiedName{NamespaceIndex: 2, Name: "n"}, tag.String("2:n"), "good"},
		{ua.NewLocalizedTextWithLocale("Hallo", "de"), tag.String("Hallo"), "good"},
		{ua.StatusBadNodeIDUnknown, tag.String("BadNodeIdUnknown"), "good"},
		{[]int32{1, -2}, tag.JSON("[1,-2]"), "good"},
		{[]int32{}, tag.JSON("[]"), "good"},
		{[]int32(nil), tag.Value{}, "good (null)"},
		{[][]float32{{0.1, 2}, {3, 4}}, tag.JSON("[[0.1,2],[3,4]]"), "good"},
		{[]float64{1, math.NaN()}, tag.JSON("[1,null]"), "uncertain (not finite)"},
		{[]string{`a"\`, "\n"}, tag.JSON(`["a\"\\","\u000a"]`), "good"},
		{[]time.Time{when, {}, time.Date(1816, 1, 1, 0, 0, 0, 0, time.UTC)}, tag.JSON(`["2026-01-02T03:04:05.0000006Z",null,null]`), "uncertain (date out of range)"},
		{[]uint64{math.MaxUint64}, tag.JSON("[18446744073709551615]"), "good"},
		{[]*ua.Variant{ua.MustVariant(int32(1)), ua.MustVariant("x")}, tag.JSON(`[1,"x"]`), "good"},
		{ua.NewExtensionObject(&ua.Range{Low: 1, High: 2.5}), tag.JSON(`{"Low":1,"High":2.5}`), "good"},
	}
	for _, tc := range tests {
		got := Reader{}.Read(data(tc.in), received)
		if !got.Value.Equal(tc.want) || got.Quality.String() != tc.q {
			t.Errorf("Read(%T %.60v): got %.60s %s, want %.60s %s", tc.in, tc.in, got.Value, got.Quality, tc.want, tc.q)
		}
		if text, _ := got.Value.Text(); got.Value.Kind() == tag.KindJSON && !json.Valid([]byte(text)) {
			t.Errorf("Read(%T %.60v): %s is not JSON", tc.in, tc.in, text)
		}
	}
}

func TestReadStatus(t *testing.T) {
	tests := []struct {
		status   uint32
		value    any
		want     tag.Value
		q        string
		overflow bool
	}{
		{0, int32(1), tag.Int(1), "good", false},
		{0x480, int32(1), tag.Int(1), "good (queue overflow)", true},
		{0x00960000, int32(1), tag.Int(1), "good (GoodLocalOverride)", false},
		{0x40900000, int32(1), tag.Int(1), "uncertain (UncertainLastUsableValue)", false},
		{0x40900480, int32(1), tag.Int(1), "uncertain (UncertainLastUsableValue)", true},
		{0x80340000, int32(1), tag.Value{}, "bad (BadNodeIdUnknown)", false},
		{0xC0000000, int32(1), tag.Value{}, "bad (status 0xC0000000)", false},
		{0x80000000, nil, tag.Value{}, "bad (Bad)", false},
		{0, nil, tag.Value{}, "good (null)", false},
	}
	for _, tc := range tests {
		dv := &ua.DataValue{Value: &ua.Variant{}, Status: ua.StatusCode(tc.status)}
		if tc.value != nil {
			dv.Value = ua.MustVariant(tc.value)
		}
		got := Reader{}.Read(dv, received)
		if !got.Value.Equal(tc.want) || got.Quality.String() != tc.q || got.Overflow != tc.overflow {
			t.Errorf("Read(status %08x, %v): got %s %s overflow %v, want %s %s %v",
				tc.status, tc.value, got.Value, got.Quality, got.Overflow, tc.want, tc.q, tc.overflow)
		}
	}
	if got := (Reader{}).Read(nil, received); got.Quality.Level != tag.Bad || !got.Time.Equal(received) {
		t.Errorf("Read(nil): got %+v, want bad at the time of receipt", got)
	}
}

func TestReadTime(t *testing.T) {
	src := time.Date(2026, 11, 20, 7, 59, 0, 0, time.UTC)
	srv := src.Add(time.Second)
	tests := []struct {
		name        string
		source, srv time.Time
		pico        uint16
		want        time.Time
		reason      string
	}{
		{"both", src, srv, 0, src, ""},
		{"fraction", src, srv, 9999, src.Add(99), ""},
		{"fraction out of range", src, srv, 10000, src, ""},
		{"no source", time.Time{}, srv, 0, srv, ""},
		{"none", time.Time{}, time.Time{}, 0, received, ""},
		{"source wrapped", time.Date(1816, 3, 30, 0, 0, 0, 0, time.UTC), srv, 0, srv, "source timestamp invalid"},
		{"both wrapped", time.Date(2189, 3, 30, 0, 0, 0, 0, time.UTC), time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC), 0, received, "source timestamp invalid"},
	}
	for _, tc := range tests {
		dv := data(int32(1))
		dv.SourceTimestamp, dv.ServerTimestamp, dv.SourcePicoseconds = tc.source, tc.srv, tc.pico
		dv.UpdateMask()
		got := Reader{}.Read(dv, received)
		if !got.Time.Equal(tc.want) || got.Quality.Reason != tc.reason || got.Quality.Level != tag.Good {
			t.Errorf("%s: got %v %s, want %v good %q", tc.name, got.Time, got.Quality, tc.want, tc.reason)
		}
	}
}

func TestReadDeclaredType(t *testing.T) {
	tests := []struct {
		declared string
		in       any
		want     string
	}{
		{"", "x", "good"},
		{"int32", int32(1), "good"},
		{"Int32", int32(1), "good"},
		{"int32", int64(1), "bad (type changed)"},
		{"int32", []int32{1}, "bad (type changed)"},
		{"int32[]", []int32{1}, "good"},
		{"int32[]", int32(1), "bad (type changed)"},
		{"Double", 1.5, "good"},
		{"bytes", []byte{1}, "good"},
		{"bytes", ua.ByteArray{1}, "bad (type changed)"},
	}
	for _, tc := range tests {
		typ, err := ParseType(tc.declared)
		if err != nil {
			t.Fatalf("ParseType(%q): %v", tc.declared, err)
		}
		if got := (Reader{Type: typ}).Read(data(tc.in), received); got.Quality.String() != tc.want {
			t.Errorf("declared %q, sent %T: got %s, want %s", tc.declared, tc.in, got.Quality, tc.want)
		}
	}
	if _, err := ParseType("int17"); err == nil {
		t.Error(`ParseType("int17"): got no error`)
	}
}

// TestByteStrings decodes an array that the library cannot encode.
func TestByteStrings(t *testing.T) {
	v := new(ua.Variant)
	wire := []byte{byte(ua.TypeIDByteString) | ua.VariantArrayValues, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0}
	if _, err := v.Decode(wire); err != nil {
		t.Fatal(err)
	}
	got := Reader{}.Read(&ua.DataValue{Value: v}, received)
	if want := tag.JSON(`["AQ==",""]`); !got.Value.Equal(want) {
		t.Errorf("Read(%x): got %s %s, want %s", wire, got.Value, got.Quality, want)
	}
}

// TestStructure sends the bytes of a structure that nobody declared.
func TestStructure(t *testing.T) {
	wire := []byte{ // Variant of ExtensionObject, ns=3;i=7001, binary, 3 bytes
		byte(ua.TypeIDExtensionObject), 0x02, 3, 0, 0x59, 0x1b, 0, 0, 1, 3, 0, 0, 0, 9, 8, 7,
	}
	decode := func() *ua.DataValue {
		v := new(ua.Variant)
		if _, err := v.Decode(wire); err != nil {
			t.Fatal(err)
		}
		return &ua.DataValue{Value: v, EncodingMask: ua.DataValueValue}
	}
	r := Reader{Namespaces: []string{"http://opcfoundation.org/UA/", "urn:a", "urn:b", "urn:plant"}}
	got := r.Read(decode(), received)
	if got.Unlearned == nil || got.Quality.Level != tag.Bad {
		t.Fatalf("first sight: got %+v, want bad and the encoding id", got)
	}
	early := decode() // in the same answer: its body is as lost
	for range 2 {
		if err := Learn(got.Unlearned); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.Read(early, received); got.Unlearned == nil || got.Quality.Level != tag.Bad {
		t.Errorf("decoded before Learn: got %s %s, want bad: an empty body would be a wrong value", got.Value, got.Quality)
	}
	r.Learned = []string{"ns=3;i=7001"}
	got = r.Read(decode(), received)
	want := `{"type":"nsu=urn:plant;i=7001","body":"CQgH"}`
	if got.Value.String() != want || got.Quality.String() != "good (structure not decoded)" {
		t.Errorf("after Learn: got %s %s, want %s", got.Value, got.Quality, want)
	}
	wire = append(wire[:9:9], 0, 0, 0, 0)
	if got := r.Read(decode(), received); got.Value.String() != `{"type":"nsu=urn:plant;i=7001","body":""}` {
		t.Errorf("an empty body: got %s %s", got.Value, got.Quality)
	}
}

func TestStatusName(t *testing.T) {
	tests := map[uint32]string{
		0: "Good", 0x80000000: "Bad", 0x40000000: "Uncertain", 0x80340000: "BadNodeIdUnknown",
		0x80340480: "BadNodeIdUnknown", 0x80AB1234: "BadInvalidArgument", 0x9FFF0000: "status 0x9FFF0000",
	}
	for code, want := range tests {
		if got := StatusName(ua.StatusCode(code)); got != want {
			t.Errorf("StatusName(%08x): got %s, want %s", code, got, want)
		}
	}
}

// FuzzRead decodes outside bytes as a value of any built-in type and converts
// it: nothing panics, JSON is valid, texts are UTF-8, a bad value is null.
func FuzzRead(f *testing.F) {
	for typ := byte(1); typ <= 22; typ++ {
		f.Add(typ, false, uint32(0), []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
		f.Add(typ, true, uint32(0x40000480), []byte{2, 0, 0, 0, 65, 255, 2, 0, 0, 0, 66, 67, 0, 0, 0, 0, 0, 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, typ byte, array bool, status uint32, body []byte) {
		typ = typ%22 + 1
		wire := []byte{typ}
		if array {
			wire = binary.LittleEndian.AppendUint32([]byte{typ | ua.VariantArrayValues}, uint32(len(body)%17))
		}
		v := new(ua.Variant)
		if _, err := v.Decode(append(wire, body...)); err != nil {
			return
		}
		dv := &ua.DataValue{Value: v, Status: ua.StatusCode(status)}
		got := Reader{}.Read(dv, received)
		text, _ := got.Value.Text()
		switch {
		case got.Quality.Level == tag.Bad && !got.Value.IsNull():
			t.Errorf("bad with a value: %s", got.Value)
		case got.Value.Kind() == tag.KindJSON && !json.Valid([]byte(text)):
			t.Errorf("type %d: invalid JSON %q", typ, text)
		case got.Value.Kind() == tag.KindString && !utf8.ValidString(text):
			t.Errorf("type %d: invalid text %q", typ, text)
		case ua.StatusCode(status)&severityMask == 0x80000000 && got.Quality.Level != tag.Bad:
			t.Errorf("status %08x: got %s, want bad", status, got.Quality)
		}
	})
}

func BenchmarkReadFloat(b *testing.B) {
	dv := data(21.5)
	dv.SourceTimestamp = received
	dv.UpdateMask()
	b.ReportAllocs()
	for b.Loop() {
		if got := (Reader{}).Read(dv, received); got.Quality.Level != tag.Good {
			b.Fatal(got.Quality)
		}
	}
}
