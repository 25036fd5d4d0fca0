package export

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"fieldferry/buffer/clock"
	"fieldferry/buffer/inspect"
	"fieldferry/tag"
)

// awkward are values that a careless exporter changes.
var awkward = []tag.Value{
	{}, tag.Bool(true), tag.Int(math.MinInt64), tag.Int(math.MaxInt64), tag.Uint(math.MaxUint64), tag.Float32(0.1), tag.Float64(0.1),
	tag.Float64(math.Copysign(0, -1)), tag.Float64(5e-324), tag.Float64(math.MaxFloat64), tag.Float64(math.NaN()), tag.Float64(math.Inf(-1)),
	tag.String("a,\"b\"\r\nc\x1b[2J"), tag.String(" lead"), tag.Bytes([]byte{0, 255, '\n'}), tag.JSON("[1,\n2]"), tag.JSON(`{"a":9007199254740993}`), tag.JSON("no JSON"),
}

func sampleOf(v tag.Value) *inspect.Sample {
	tg := &tag.Tag{Name: `t"1`, Unit: "°C,", Device: &tag.Device{Name: "press\n2", Link: &tag.Link{Name: "line1"}}}
	return &inspect.Sample{
		Seq: math.MaxUint64, Epoch: 3, N: 12, Clock: clock.Unsynced, Class: "alarm",
		Sample: tag.Sample{Tag: tg, Value: v, Quality: tag.BadFor("why, \"so\""), Time: time.Date(2026, 11, 20, 8, 0, 0, 1, time.UTC), Read: math.MaxUint64},
	}
}

func written(t *testing.T, f Format) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	w, err := New(&out, f)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range awkward {
		if err := w.Write(sampleOf(v)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &out
}

// back reads a value as type and text tell it.
func back(t *testing.T, kind, text string) tag.Value {
	t.Helper()
	var v tag.Value
	var err error
	switch kind {
	case "bool":
		v = tag.Bool(text == "true")
	case "int":
		var i int64
		i, err = strconv.ParseInt(text, 10, 64)
		v = tag.Int(i)
	case "uint":
		var u uint64
		u, err = strconv.ParseUint(text, 10, 64)
		v = tag.Uint(u)
	case "float32":
		var f float64
		f, err = strconv.ParseFloat(text, 32)
		v = tag.Float32(float32(f))
	case "float64":
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		v = tag.Float64(f)
	case "string":
		v = tag.String(text)
	case "json":
		v = tag.JSON(text)
	case "bytes":
		var b []byte
		b, err = base64.StdEncoding.DecodeString(text)
		v = tag.Bytes(b)
	}
	if err != nil {
		t.Errorf("%s %q: %v", kind, text, err)
	}
	return v
}

func TestCSVReadsBack(t *testing.T) {
	r := csv.NewReader(written(t, CSV))
	rows, err := r.ReadAll()
	if err != nil || len(rows) != len(awkward)+1 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	want := []string{"18446744073709551615", "3", "alarm", "2026-11-20T08:00:00.000000001Z", "press\n2", `t"1`, "", "", "°C,", "bad", `why, "so"`, "12", "unsynced", "18446744073709551615", "line1"}
	for i, v := range awkward {
		row := rows[i+1]
		if text := strings.ReplaceAll(v.String(), "\r\n", "\n"); v.Kind() == tag.KindString { // as package csv reads line ends
			v = tag.String(text)
		}
		if got := back(t, row[6], row[7]); !got.Equal(v) {
			t.Errorf("%v: got %v from %q", v, got, row)
		}
		for j, w := range want {
			if w != "" && row[j] != w {
				t.Errorf("%v: column %s: got %q, want %q", v, rows[0][j], row[j], w)
			}
		}
	}
}

func TestJSONReadsBack(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(written(t, JSONLines).String(), "\n"), "\n")
	if len(lines) != len(awkward) {
		t.Fatalf("%d lines, want %d", len(lines), len(awkward))
	}
	for i, v := range awkward {
		var got struct {
			Seq, Read                                                    uint64
			Time                                                         time.Time
			Class, Device, Tag, Type, Unit, Quality, Reason, Link, Clock string
			N                                                            uint64
			Value                                                        json.RawMessage
		}
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Errorf("%s: %v", lines[i], err)
			continue
		}
		text := string(got.Value)
		if strings.HasPrefix(text, `"`) {
			if err := json.Unmarshal(got.Value, &text); err != nil {
				t.Error(err)
			}
		}
		if w := back(t, got.Type, text); !w.Equal(v) {
			t.Errorf("%v: got %v from %s", v, w, lines[i])
		}
		s := sampleOf(v).Sample
		if got.Seq != math.MaxUint64 || got.Read != s.Read || !got.Time.Equal(s.Time) || got.Device != s.Tag.Device.Name || got.Tag != s.Tag.Name ||
			got.Unit != s.Tag.Unit || got.Quality != "bad" || got.Reason != s.Quality.Reason || got.Class != "alarm" || got.Link != "line1" || got.Clock != "unsynced" || got.N != 12 {
			t.Errorf("%v: got %+v", v, got)
		}
	}
}

// TestColumnsAreSafe: nothing that a device sends reaches the terminal as a
// control, and a sample takes one line.
func TestColumnsAreSafe(t *testing.T) {
	text := written(t, Columns).String()
	if n := strings.Count(text, "\n"); n != len(awkward)+1 || strings.ContainsAny(text, "\x1b\r") {
		t.Errorf("%d lines:\n%q", n, text)
	}
	if got := printable(strings.Repeat("ü", 500)); len(got) > longest+3 {
		t.Errorf("a column of %d bytes", len(got))
	}
}

func TestUnknownFormat(t *testing.T) {
	if _, err := New(nil, "xml"); err == nil {
		t.Error("xml is taken for a format")
	}
}
