package frame

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"fieldferry/buffer/disk"
	"fieldferry/tag"
)

// samples are odd ones: every kind, times far apart, bad qualities.
func samples() []tag.Sample {
	at := time.Date(2026, 11, 20, 8, 27, 0, 123456789, time.UTC)
	var out []tag.Sample
	for i, v := range []tag.Value{
		{}, tag.Bool(true), tag.Bool(false), tag.Int(0), tag.Int(math.MinInt64), tag.Int(math.MaxInt64), tag.Uint(math.MaxUint64),
		tag.Float32(22.5), tag.Float32(-0.1), tag.Float32(1e-30), tag.Float32(float32(math.Copysign(0, -1))), tag.Float32(math.MaxFloat32),
		tag.Float64(22.5), tag.Float64(-1234.567), tag.Float64(math.Pi), tag.Float64(math.Inf(-1)), tag.Float64(math.Copysign(0, -1)), tag.Float64(1e15), tag.Float64(1 << 60),
		tag.FromParts(tag.KindFloat64, 0x7ff8000000000123, ""), // a NaN with a payload
		tag.String(""), tag.String("grün"), tag.Bytes([]byte{0, 255}), tag.JSON(`{"a":1}`),
	} {
		s := tag.Sample{Value: v, Time: at.Add(time.Duration(i*i) * 7777777), Read: uint64(i / 2), BySource: i%3 == 1}
		switch i % 5 {
		case 1:
			s.Quality = tag.BadFor("timeout")
		case 2:
			s.Time = time.Time{}
		case 3:
			s.Time, s.Quality = time.Date(9999, 1, 1, 0, 0, 0, 1, time.UTC), tag.UncertainFor("odd")
			s.Read = math.MaxUint64 - uint64(i)
		}
		out = append(out, s)
	}
	return out
}

func encode(ss []tag.Sample) (p []byte) {
	var e Encoder
	e.Begin(7)
	for i, s := range ss {
		s.BySource = i%3 == 0
		p = e.Append(p, &s, seqOf(i), uint32(i*5%7+1), uint32(i%2), uint64(i*i%11))
	}
	return p
}

// seqOf passes over many numbers now and then.
func seqOf(i int) uint64 { return 7 + uint64(i) + uint64(i/2)*300 }

func TestSamplesComeBack(t *testing.T) {
	want := samples()
	rows, row := NewRows(encode(want), uint32(len(want)), 7), Row{}
	for i, w := range want {
		if err := rows.Next(&row); err != nil {
			t.Fatalf("sample %d: %v", i, err)
		}
		if w.Quality.Reason != "" && i%2 == 1 {
			if row.Reason != 1 {
				t.Errorf("sample %d: reason %d, want 1", i, row.Reason)
			}
			row.Sample.Quality.Reason = w.Quality.Reason
		}
		got := row.Sample
		if !got.Value.Equal(w.Value) || got.Quality != w.Quality || !got.Time.Equal(w.Time) || got.Read != w.Read || got.BySource != (i%3 == 0) || row.Seq != seqOf(i) || row.Tag != uint32(i*5%7+1) || row.N != uint64(i*i%11) {
			t.Errorf("sample %d: got %+v of tag %d, want %+v", i, got, row.Tag, w)
		}
	}
	if rows.Left() != 0 || rows.Next(&row) == nil {
		t.Errorf("%d samples left, and one more was read", rows.Left())
	}
}

// TestSmall: what a sample takes, of regular values read together.
func TestSmall(t *testing.T) {
	var e Encoder
	e.Begin(0)
	var p []byte
	const n = 1000
	at := time.Unix(1_790_000_000, 0)
	for i := range n {
		s := tag.Sample{Value: tag.Float64(20 + float64(i%50)/10), Time: at, Read: 5}
		p = e.Append(p, &s, uint64(i), uint32(i), 0, 7)
	}
	if per := float64(len(p)) / n; per > 7.1 {
		t.Errorf("%.1f bytes per sample, want 7 at most", per)
	}
}

func TestMetaComesBack(t *testing.T) {
	rd := Reader{Name: "plant", Start: 1, Ord: 20, Ahead: []Range{{25, 30}, {31, 40}}, Delivered: 3, Filtered: 4, Dropped: []Count{{"disk", 5}}, PutAside: []Count{{"too large", 7}}}
	dr := Drop{Reason: "max bytes", ID: 3, From: 1, To: 9, N: 7, FirstSeq: 2, LastSeq: 10, Oldest: 1, Newest: 2, Devices: []Count{{"pump", 8}}}
	ft := Footer{Clean: true, Count: 5, NextSeq: 6, EndOrd: 7, Oldest: 8, Newest: 9}
	ck := Clock{Log: 1, Clock: disk.Clock{Wall: time.Unix(2, 0).UTC(), Up: 3, Boot: [16]byte{4}, Trusted: true}}
	st := State{Readers: 2, Dropped: []Count{{"disk", 1}}}
	p := rd.Append(nil)
	p = dr.Append(p)
	p = Gap{From: 3, To: 4, LastSeq: 9}.AppendSkip(p)
	p = ck.Append(p)
	p = st.Append(p)
	p = appendFrame(p, 0xF0, []byte("of a later program"))
	p = ft.Append(p)
	var got []string
	note := func(v any) { got = append(got, fmt.Sprintf("%+v", v)) }
	err := Meta{
		Reader: func(r *Reader) { note(*r) }, Drop: func(d *Drop) { note(*d) }, Skip: func(s Gap) { note(s) },
		Clock: func(c *Clock) { note(*c) }, State: func(s *State) { note(*s) }, Footer: func(f *Footer) { note(*f) },
	}.Read(p)
	var want []string
	for _, v := range []any{rd, dr, Gap{From: 3, To: 4, LastSeq: 9}, ck, st, ft} {
		want = append(want, fmt.Sprintf("%+v", v))
	}
	if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("%v\ngot  %s\nwant %s", err, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// FuzzFrames reads arbitrary bytes as the payload of every kind of block.
func FuzzFrames(f *testing.F) {
	f.Add(encode(samples()), uint32(24))
	rd := Reader{Name: "a", Dropped: []Count{{"x", 1}}}
	f.Add(rd.Append((&Footer{}).Append(nil)), uint32(0))
	tg := &tag.Tag{Name: "t", Labels: map[string]string{"a": "b"}, Device: &tag.Device{Name: "d", Link: &tag.Link{Name: "l"}}}
	f.Add(Reason("timeout").Append(FieldsOf(tg).Append(nil, 5, Base{N: 9, Kind: 3, Num: 300}), 6), uint32(1))
	f.Add(rd.AppendCell(nil), uint32(9))
	f.Fuzz(func(t *testing.T, p []byte, count uint32) {
		rows, row := NewRows(p, count, 1), Row{}
		for n := 0; rows.Next(&row) == nil; n++ {
			if n > len(p) {
				t.Fatalf("%d samples out of %d bytes", n, len(p))
			}
		}
		_ = Meta{Reader: func(*Reader) {}, Drop: func(*Drop) {}, Clock: func(*Clock) {}, State: func(*State) {}, Footer: func(*Footer) {}}.Read(p)
		_ = Dict{Tag: func(_ uint32, _ Base, fields Fields) {
			if tg, err := fields.Tag(); err == nil && (tg.Device == nil || tg.Device.Link == nil) {
				t.Fatal("a tag without a device or a link")
			}
		}, Reason: func(uint32, string) {}}.Read(p)
		var rd, again Reader
		if rd.ParseCell(p) == nil {
			if err := again.ParseCell(rd.AppendCell(nil)); err != nil || fmt.Sprint(again) != fmt.Sprint(rd) {
				t.Fatalf("cell %+v became %+v, %v", rd, again, err)
			}
		}
	})
}

// FuzzSample writes a sample and reads it again.
func FuzzSample(f *testing.F) {
	f.Add(uint8(5), uint64(4626885667169763328), "text", uint8(2), "reason", int64(1790000000), int64(5), uint64(9), uint32(3))
	f.Fuzz(func(t *testing.T, kind uint8, bits uint64, text string, level uint8, reason string, sec, nsec int64, read uint64, id uint32) {
		kind %= 9
		switch tag.Kind(kind) {
		case tag.KindNull, tag.KindString, tag.KindBytes, tag.KindJSON:
			bits = 0
		case tag.KindBool:
			bits &= 1
		case tag.KindFloat32:
			bits &= math.MaxUint32
		}
		if kind < uint8(tag.KindString) {
			text = ""
		}
		w := tag.Sample{Value: tag.FromParts(tag.Kind(kind), bits, text), Quality: tag.Quality{Level: tag.Level(level % 3), Reason: reason}, Time: time.Unix(sec%1e11, nsec%1e9).UTC(), Read: read}
		var e Encoder
		e.Begin(1)
		p := e.Append(nil, &w, 1, id, 0, read>>1)
		p = e.Append(p, &w, 2+read>>1, ^id, 0, read>>1)
		rows, row := NewRows(p, 2, 1), Row{}
		for _, want := range []uint32{id, ^id} {
			if err := rows.Next(&row); err != nil {
				t.Fatalf("%+v: %v", w, err)
			}
			if !row.Sample.Value.Equal(w.Value) || row.Sample.Quality != w.Quality || !row.Sample.Time.Equal(w.Time) || row.Sample.Read != read || row.Tag != want || row.N != read>>1 {
				t.Fatalf("got %+v of tag %d, want %+v of %d", row.Sample, row.Tag, w, want)
			}
		}
	})
}
