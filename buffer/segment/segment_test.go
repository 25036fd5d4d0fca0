package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
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
		s := tag.Sample{Value: v, Time: at.Add(time.Duration(i*i) * 7777777), Read: uint64(i / 2)}
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

func encode(ss []tag.Sample) Block {
	var e Encoder
	b := Block{FirstSeq: 7, FirstOrd: 3, Epoch: 2, Time: time.Second}
	for i, s := range ss {
		b.Payload = e.Append(b.Payload, &s, uint32(i*5%7+1), uint32(i%2))
		b.Count++
	}
	return b
}

func TestSamplesComeBack(t *testing.T) {
	want := samples()
	b := encode(want)
	rows, row := NewRows(&b), Row{}
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
		if !got.Value.Equal(w.Value) || got.Quality != w.Quality || !got.Time.Equal(w.Time) || got.Read != w.Read || row.Seq != 7+uint64(i) || row.Tag != uint32(i*5%7+1) {
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
	var p []byte
	const n = 1000
	at := time.Unix(1_790_000_000, 0)
	for i := range n {
		s := tag.Sample{Value: tag.Float64(20 + float64(i%50)/10), Time: at, Read: 5}
		p = e.Append(p, &s, uint32(i), 0)
	}
	if per := float64(len(p)) / n; per > 6.1 {
		t.Errorf("%.1f bytes per sample, want 6 at most", per)
	}
}

func TestHeaderAndName(t *testing.T) {
	h := Header{Log: 0xfedcba9876543210, ID: 7, Epoch: 3, FirstSeq: 1 << 40, FirstOrd: 99, Clock: Clock{
		Log: time.Hour, Clock: disk.Clock{Wall: time.Unix(5, 6).UTC(), Up: time.Minute, Boot: [16]byte{1, 2}, Trusted: true},
	}}
	p := AppendHeader(nil, &h)
	got, err := ParseHeader(p)
	if err != nil || got != h || len(p) != HeaderSize {
		t.Fatalf("got %+v, %v, want %+v", got, err, h)
	}
	n, ok := ParseName(h.Name())
	if !ok || n.Log != h.Log || n.ID != h.ID || n.FirstSeq != h.FirstSeq || n.FirstOrd != h.FirstOrd {
		t.Fatalf("name %q: got %+v", h.Name(), n)
	}
	for _, bad := range []string{"", "x.seg", h.Name() + ".bad", strings.ToUpper(h.Name()), "1-2-3-4.seg"} {
		if _, ok := ParseName(bad); ok {
			t.Errorf("%q passes for a segment", bad)
		}
	}
	for i := range headerUsed + 4 {
		q := bytes.Clone(p)
		q[i] ^= 1
		if _, err := ParseHeader(q); !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d changed: %v, want ErrCorrupt", i, err)
		}
	}
	later := AppendHeader(nil, &h)
	later[8] = Version + 1
	if _, err := ParseHeader(refreshed(later)); !errors.Is(err, ErrVersion) {
		t.Errorf("later version: %v, want ErrVersion", err)
	}
}

func TestMetaComesBack(t *testing.T) {
	rd := Reader{Name: "plant", Start: 1, Ord: 20, Seq: 22, Delivered: 3, Filtered: 4, Dropped: []Count{{"disk", 5}}, PutAside: []Count{{"too large", 7}}}
	dr := Drop{Reason: "max bytes", From: 1, To: 9, FirstSeq: 2, LastSeq: 10, Oldest: 1, Newest: 2, Devices: []Count{{"pump", 8}}}
	ft := Footer{Clean: true, Count: 5, NextSeq: 6, EndOrd: 7, Oldest: 8, Newest: 9}
	ck := Clock{Log: 1, Clock: disk.Clock{Wall: time.Unix(2, 0).UTC(), Up: 3, Boot: [16]byte{4}, Trusted: true}}
	st := State{Readers: 2, Dropped: []Count{{"disk", 1}}}
	p := AppendReader(nil, &rd)
	p = AppendDrop(p, &dr)
	p = AppendSkip(p, Skip{From: 3, To: 4})
	p = AppendClock(p, &ck)
	p = AppendState(p, &st)
	p = appendFrame(p, 0xF0, []byte("of a later program"))
	p = AppendFooter(p, &ft)
	var got []string
	note := func(v any) { got = append(got, fmt.Sprintf("%+v", v)) }
	err := Meta{
		Reader: func(r *Reader) { note(*r) }, Drop: func(d *Drop) { note(*d) }, Skip: func(s Skip) { note(s) },
		Clock: func(c *Clock) { note(*c) }, State: func(s *State) { note(*s) }, Footer: func(f *Footer) { note(*f) },
	}.Read(p)
	var want []string
	for _, v := range []any{rd, dr, Skip{From: 3, To: 4}, ck, st, ft} {
		want = append(want, fmt.Sprintf("%+v", v))
	}
	if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("%v\ngot  %s\nwant %s", err, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// fileOf is a segment of n blocks, and where they begin.
func fileOf(k Key, n int) ([]byte, []int64) {
	p := make([]byte, HeaderSize)
	var at []int64
	for i := range n {
		b := encode(samples()[:1+i%9])
		b.FirstOrd = uint64(i)
		at = append(at, int64(len(p)))
		p = AppendBlock(p, k, &b)
	}
	return p, at
}

// TestScanFindsTheRest: whatever bytes are destroyed, every block that holds
// none of them is found.
func TestScanFindsTheRest(t *testing.T) {
	k := NewKey(1, 2)
	clean, at := fileOf(k, 2000)
	for i := range uint64(300) {
		rnd := rand.New(rand.NewPCG(i, 0))
		p := bytes.Clone(clean)
		lo := HeaderSize + rnd.IntN(len(p)-HeaderSize)
		hi := min(len(p), lo+1+rnd.IntN(9000))
		for j := lo; j < hi; j++ {
			p[j] = byte(rnd.Uint32())
		}
		found := map[int64]bool{}
		for sc := NewScanner(bytes.NewReader(p), k, HeaderSize, int64(len(p))); ; {
			f, err := sc.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			found[f.Off] = true
		}
		for n, off := range at {
			end := int64(len(p))
			if n+1 < len(at) {
				end = at[n+1]
			}
			if whole := end <= int64(lo) || off >= int64(hi); whole && !found[off] {
				t.Fatalf("luck %d: bytes %d to %d destroyed, but the block from %d to %d was not found", i, lo, hi, off, end)
			}
		}
	}
}

// TestForeignBlocks: blocks of another log or segment do not validate.
func TestForeignBlocks(t *testing.T) {
	p, _ := fileOf(NewKey(1, 2), 3)
	for _, k := range []Key{NewKey(1, 3), NewKey(2, 2)} {
		sc := NewScanner(bytes.NewReader(p), k, HeaderSize, int64(len(p)))
		if f, err := sc.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("key %x: found %+v, %v", k, f, err)
		}
	}
}

func FuzzScan(f *testing.F) {
	k := NewKey(1, 2)
	p, _ := fileOf(k, 4)
	f.Add(p)
	f.Add(p[:len(p)-5])
	p = AppendBlock(p, k, &Block{Flags: FlagFooter, Payload: AppendFooter(nil, &Footer{Count: 3})})
	f.Add(p)
	f.Fuzz(func(t *testing.T, p []byte) {
		end := int64(HeaderSize)
		for sc := NewScanner(bytes.NewReader(p), k, HeaderSize, int64(len(p))); ; {
			fd, err := sc.Next()
			if err != nil {
				return
			}
			if fd.Off < end || fd.Off%8 != 0 {
				t.Fatalf("block at %d, the one before ends at %d", fd.Off, end)
			}
			end = fd.Off + int64(BlockSize(len(fd.Payload)))
		}
	})
}

// FuzzFrames reads arbitrary bytes as the payload of every kind of block.
func FuzzFrames(f *testing.F) {
	f.Add(encode(samples()).Payload, uint32(24))
	rd := Reader{Name: "a", Dropped: []Count{{"x", 1}}}
	f.Add(AppendReader(AppendFooter(nil, &Footer{}), &rd), uint32(0))
	tg := &tag.Tag{Name: "t", Labels: map[string]string{"a": "b"}, Device: &tag.Device{Name: "d", Link: &tag.Link{Name: "l"}}}
	f.Add(AppendReason(AppendTag(nil, 5, TagFields(tg)), 6, "timeout"), uint32(1))
	f.Add(AppendCell(nil, &rd), uint32(9))
	f.Fuzz(func(t *testing.T, p []byte, count uint32) {
		rows, row := NewRows(&Block{Payload: p, Count: count}), Row{}
		for n := 0; rows.Next(&row) == nil; n++ {
			if n > len(p) {
				t.Fatalf("%d samples out of %d bytes", n, len(p))
			}
		}
		_ = Meta{Reader: func(*Reader) {}, Drop: func(*Drop) {}, Clock: func(*Clock) {}, State: func(*State) {}, Footer: func(*Footer) {}}.Read(p)
		_ = Dict{Tag: func(_ uint32, fields []byte) {
			if tg, err := ParseTag(fields); err == nil && (tg.Device == nil || tg.Device.Link == nil) {
				t.Fatal("a tag without a device or a link")
			}
		}, Reason: func(uint32, string) {}}.Read(p)
		if rd, err := ParseCell(p); err == nil {
			if again, err := ParseCell(AppendCell(nil, &rd)); err != nil || fmt.Sprint(again) != fmt.Sprint(rd) {
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
		b := Block{Count: 2, FirstSeq: 1}
		b.Payload = e.Append(b.Payload, &w, id, 0)
		b.Payload = e.Append(b.Payload, &w, ^id, 0)
		rows, row := NewRows(&b), Row{}
		for _, want := range []uint32{id, ^id} {
			if err := rows.Next(&row); err != nil {
				t.Fatalf("%+v: %v", w, err)
			}
			if !row.Sample.Value.Equal(w.Value) || row.Sample.Quality != w.Quality || !row.Sample.Time.Equal(w.Time) || row.Sample.Read != read || row.Tag != want {
				t.Fatalf("got %+v of tag %d, want %+v of %d", row.Sample, row.Tag, w, want)
			}
		}
	})
}

// refreshed puts the right checksum on a header.
func refreshed(p []byte) []byte {
	return append(append([]byte(nil), p[:headerUsed]...), sum(p[:headerUsed])...)
}

func sum(p []byte) []byte {
	return binary.LittleEndian.AppendUint32(nil, crc32.Checksum(p, table))
}
