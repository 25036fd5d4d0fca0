package detect

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"fieldferry/drivers/modbus/layout"
)

// registers lays words out as they come from the wire.
func registers(words ...uint16) []byte {
	var b []byte
	for _, w := range words {
		b = binary.BigEndian.AppendUint16(b, w)
	}
	return b
}

func float32Words(f float32, order string) []uint16 {
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], math.Float32bits(f))
	var out [4]byte
	for i, c := range order {
		out[i] = raw[c-'A']
	}
	return []uint16{binary.BigEndian.Uint16(out[:]), binary.BigEndian.Uint16(out[2:])}
}

// TestFirst: the best reading, as the line of a tag map.
func TestFirst(t *testing.T) {
	noise := []uint16{17, 40211, 3, 65535, 812}
	with := func(w ...uint16) []byte { return registers(slices.Concat(noise, w, noise)...) }
	tests := []struct {
		name, shows string
		data        []byte
		want        string
	}{
		{"float ABCD", "231.4", with(float32Words(231.37, "ABCD")...), `{name: x, address: "hr:105", type: float32}`},
		{"float CDAB", "231.4", with(float32Words(231.37, "CDAB")...), `{name: x, address: "hr:105", type: float32, byte_order: CDAB}`},
		{"float DCBA", "231.4", with(float32Words(231.37, "DCBA")...), `{name: x, address: "hr:105", type: float32, byte_order: DCBA}`},
		{"float BADC", "231.4", with(float32Words(231.37, "BADC")...), `{name: x, address: "hr:105", type: float32, byte_order: BADC}`},
		{"float without a display", "", registers(float32Words(231.37, "CDAB")...), `{name: x, address: "hr:100", type: float32, byte_order: CDAB}`},
		{"tenths", "231.4", with(2314), `{name: x, address: "hr:105", type: uint16, scale: 0.1}`},
		{"a comma and a unit", "231,4 V", with(2314), `{name: x, address: "hr:105", type: uint16, scale: 0.1}`},
		{"negative tenths", "-12.5", with(0xFF83), `{name: x, address: "hr:105", type: int16, scale: 0.1}`},
		{"kilowatts of watts", "12.345 kW", with(12345), `{name: x, address: "hr:105", type: uint16, scale: 0.001}`},
		{"tens", "23140", with(2314), `{name: x, address: "hr:105", type: uint16, scale: 10}`},
		{"long, low word first", "1234567", with(0xD687, 0x0012), `{name: x, address: "hr:105", type: uint32, byte_order: CDAB}`},
		{"bcd", "12345678", with(0x1234, 0x5678), `{name: x, address: "hr:105", type: bcd32}`},
		{"cut off", "231.4", with(23149), `{name: x, address: "hr:105", type: uint16, scale: 0.01}`},
		{"moved on", "231.4", with(2319), `{name: x, address: "hr:105", type: uint16, scale: 0.1}`},
		{"text", "", registers(0x4142, 0x432D, 0x3132, 0x3300), `{name: x, address: "hr:100", type: string, length: 4}`},
		{"swapped text", "abc-123", registers(0x4241, 0x2D43, 0x3231, 0x0033), `{name: x, address: "hr:100", type: string, byte_order: BA, length: 4}`},
		{"double", "231.4", with(0x406C, 0xECCC, 0xCCCC, 0xCCCD), `{name: x, address: "hr:105", type: float64}`},
		{"double, low word first", "231.4", with(0xCCCD, 0xCCCC, 0xECCC, 0x406C), `{name: x, address: "hr:105", type: float64, byte_order: GHEFCDAB}`},
	}
	for _, tt := range tests {
		q := Question{Table: layout.HoldingRegisters, First: 100, Data: tt.data, Shows: tt.shows}
		got, err := q.Readings()
		if err != nil || len(got) == 0 {
			t.Errorf("%s: %d readings, %v", tt.name, len(got), err)
			continue
		}
		if line := got[0].Line("x"); line != tt.want {
			t.Errorf("%s: % x shows %q\n got %s (%s, %s, score %.1f)\nwant %s", tt.name, tt.data, tt.shows, line, got[0].Shown(), got[0].Match, got[0].Score, tt.want)
		}
	}
}

// TestOffsets: a reading beside the registers asked for says so.
func TestOffsets(t *testing.T) {
	tests := []struct {
		name  string
		words []uint16
		want  string
		note  string
	}{
		{"where it was asked for", []uint16{0, 2314, 0}, "hr:100", ""},
		{"one before", []uint16{2314, 0, 0}, "hr:99", "counts from one"},
		{"one behind", []uint16{0, 0, 2314}, "hr:101", "one register behind"},
	}
	for _, tt := range tests {
		q := Question{Table: layout.HoldingRegisters, First: 99, Data: registers(tt.words...), Asked: 100, Count: 1, Shows: "231.4"}
		got, err := q.Readings()
		if err != nil {
			t.Fatal(err)
		}
		notes := strings.Join(got[0].Notes, "; ")
		if got[0].Spec.Address != tt.want || got[0].Scale != 0.1 || !strings.Contains(notes, tt.note) || tt.note == "" && notes != "" {
			t.Errorf("%s: got %s with %q, want %s with %q", tt.name, got[0].Line("x"), notes, tt.want, tt.note)
		}
	}
}

// TestAlike: what two types read alike is told once.
func TestAlike(t *testing.T) {
	q := Question{Table: layout.InputRegisters, Data: registers(231)}
	got, err := q.Readings()
	if err != nil || len(got) == 0 || got[0].Spec.Type != "uint16" || !slices.Equal(got[0].Also, []string{"int16"}) {
		t.Fatalf("got %+v, %v, want uint16, also int16", got, err)
	}
}

// TestEveryLineReads: each reading's line gives the value that it shows.
func TestEveryLineReads(t *testing.T) {
	q := Question{Table: layout.HoldingRegisters, First: 7, Data: registers(0x4367, 0x6000, 2314, 0x4142, 0x4344, 0x1234), Shows: "231.4"}
	got, err := q.Readings()
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		l, faults := got[i].Spec.Parse()
		if len(faults) > 0 {
			t.Errorf("%s: %v", got[i].Line("x"), faults)
			continue
		}
		if v, err := l.Decode(q.Data, l.Number-q.First); err != nil || v != got[i].Value {
			t.Errorf("%s: reads %v, %v, shown %v", got[i].Line("x"), v, err, got[i].Value)
		}
	}
	if len(got) < 20 {
		t.Errorf("%d readings, want at least 20", len(got))
	}
}

func TestRefused(t *testing.T) {
	tests := []struct {
		q    Question
		want string
	}{
		{Question{Table: layout.Coils, Data: registers(1)}, "single bit"},
		{Question{Table: layout.HoldingRegisters}, "0 bytes"},
		{Question{Table: layout.HoldingRegisters, Data: []byte{1, 2, 3}}, "3 bytes"},
		{Question{Table: layout.HoldingRegisters, Data: make([]byte, 252)}, "126 registers"},
		{Question{Table: layout.HoldingRegisters, First: 65535, Data: registers(1, 2)}, "65535"},
		{Question{Table: layout.HoldingRegisters, Data: registers(1), Shows: strings.Repeat("9", 201)}, "201 characters"},
	}
	for _, tt := range tests {
		if got, err := tt.q.Readings(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, %v, want an error with %q", tt.q, got, err, tt.want)
		}
	}
}

func FuzzReadings(f *testing.F) {
	f.Add([]byte{0x43, 0x67, 0x60, 0}, 100, "231.4")
	f.Add([]byte("ABC-123\x00"), 0, "abc-123")
	f.Add([]byte{0xFF, 0xFF, 0x80, 0, 0, 1, 0x7F, 0xF0}, 65532, "1e400")
	f.Add([]byte{0, 0}, 65535, "-0,0 °C")
	f.Fuzz(func(t *testing.T, data []byte, first int, shows string) {
		q := Question{Table: layout.InputRegisters, First: first, Data: data, Shows: shows}
		got, err := q.Readings()
		if err != nil {
			return
		}
		for i := range got {
			l, faults := got[i].Spec.Parse()
			if len(faults) > 0 || math.IsNaN(got[i].Score) || l.Number < first || l.Number+l.Length > first+len(data)/2 {
				t.Fatalf("%+v: %v", got[i], faults)
			}
			_ = got[i].Shown() + got[i].Line("x")
		}
	})
}
