package column

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fieldferry/buffer/frame"
	"fieldferry/buffer/planttest"
	"fieldferry/tag"
)

func noRef(uint32) Ref { return Ref{} }

// drawSample draws a sample of any kind, near the one before or far from it.
func drawSample(t *rapid.T, at *time.Time, wild bool) tag.Sample {
	*at = at.Add(time.Duration(rapid.Int64Range(0, 3).Draw(t, "step")))
	s := tag.Sample{Time: *at, Read: rapid.Uint64Range(1, 3).Draw(t, "read")}
	if wild {
		*at = at.Add(time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "jump")))
		s = tag.Sample{Time: *at, Read: rapid.Uint64().Draw(t, "read"), BySource: rapid.Bool().Draw(t, "by source")}
	}
	s.Quality.Level = tag.Level(rapid.IntRange(0, 2).Draw(t, "level"))
	if s.Quality.Level != tag.Good {
		s.Quality.Reason = rapid.StringN(1, 20, -1).Draw(t, "reason")
	}
	near := float64(rapid.IntRange(-500, 500).Draw(t, "digits"))
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		s.Value = tag.Bool(near > 0)
	case 1:
		s.Value = tag.Int(rapid.OneOf(rapid.Int64Range(-3, 3), rapid.Int64()).Draw(t, "int"))
	case 2:
		s.Value = tag.Uint(rapid.OneOf(rapid.Uint64Range(0, 300), rapid.Uint64()).Draw(t, "uint"))
	case 3:
		s.Value = tag.Float32(math.Float32frombits(rapid.Uint32().Draw(t, "bits")))
	case 4:
		s.Value = tag.Float64(math.Float64frombits(rapid.Uint64().Draw(t, "bits")))
	case 5, 6:
		s.Value = tag.Float32(float32(near / math.Pow10(rapid.IntRange(0, 3).Draw(t, "decimals"))))
	case 7:
		s.Value = tag.Float64(near / math.Pow10(rapid.IntRange(0, 7).Draw(t, "decimals")))
	case 8:
		s.Value = tag.String(rapid.StringN(0, 9, -1).Draw(t, "text"))
	}
	return s
}

// TestRowsComeBack: whatever samples a block holds, and whatever the dictionary
// says of its tags, columns can be made of them and the same bytes come back.
func TestRowsComeBack(t *testing.T) {
	p, u := NewPacker(), new(Unpacker)
	used := map[Codec]int{}
	rapid.Check(t, func(t *rapid.T) {
		var e frame.Encoder
		e.Begin(1)
		var rows []byte
		at := time.Unix(1_790_000_000, 0)
		count := rapid.IntRange(1, 400).Draw(t, "samples")
		tags := rapid.IntRange(1, 500).Draw(t, "tags")
		wild := rapid.Bool().Draw(t, "wild")
		seq := uint64(0)
		for i := range count {
			s, n := drawSample(t, &at, wild), uint64(i/tags)
			seq++
			if wild {
				n = rapid.Uint64().Draw(t, "n")
				seq += rapid.Uint64Range(0, 3).Draw(t, "passed over")
			}
			rows = e.Append(rows, &s, seq, uint32(1+i%tags), uint32(rapid.IntRange(0, 2).Draw(t, "number")), n)
		}
		kind, num := byte(rapid.IntRange(0, 12).Draw(t, "reference kind")), rapid.Uint64().Draw(t, "reference")
		refs := func(id uint32) Ref { return Ref{kind, num >> (id % 64)} }
		if !wild {
			refs = noRef
		}
		raw, ok := p.enc.encode(nil, rows, count, refs)
		if !ok {
			t.Fatalf("no columns were made of %d samples", count)
		}
		if back, ok := u.dec.decode(nil, raw, count, len(rows), refs); len(raw) < len(rows) && (!ok || !bytes.Equal(back, rows)) {
			t.Fatalf("%d samples: got %x, %v\nwant %x", count, back, ok, rows)
		}
		codec, out := p.Pack(rows, count, refs)
		used[codec]++
		back, err := u.Unpack(codec, out, len(rows), count, refs)
		if err != nil || !bytes.Equal(back, rows) {
			t.Fatalf("codec %d: %v\ngot  %x\nwant %x", codec, err, back, rows)
		}
	})
	if used[Columns] == 0 {
		t.Errorf("columns were never shorter: %v", used)
	}
	for _, g := range generators {
		for plant := newPlant(g.kind); plant.round < 20; {
			rows := plant.rows()
			codec, out := p.Pack(rows, plantTags, noRef)
			back, err := u.Unpack(codec, out, len(rows), plantTags, noRef)
			if err != nil || codec != Zstd || !bytes.Equal(back, rows) {
				t.Fatalf("%s, round %d: codec %d, %v", g.kind, plant.round, codec, err)
			}
		}
	}
}

// TestRowsThatStay: what is not exactly what this program writes is stored as
// it is.
func TestRowsThatStay(t *testing.T) {
	p := NewPacker()
	var e frame.Encoder
	e.Begin(1)
	far := e.Append(nil, &tag.Sample{Time: time.Unix(1e10, 0)}, 1, 1, 0, 1)
	long := []byte{byte(tag.KindUint), 4, 0, 0, 0, 0x85, 0} // 5, on two bytes
	zeros := []byte{kindDecimal64, 4, 0, 0, 0, 0xA1, 1}     // 1.0, not 1
	for name, rows := range map[string][]byte{
		"a jump in time": far, "a number on too many bytes": long, "a decimal that ends in 0": zeros,
		"a kind of a later program": {11, 4, 0, 0, 0}, "half a sample": {1, 2}, "nothing": {},
	} {
		many := bytes.Repeat(rows, 200)
		if codec, out := p.Pack(many, 200, noRef); codec != Rows || !bytes.Equal(out, many) {
			t.Errorf("%s: got codec %d, %x, want the rows", name, codec, out)
		}
	}
}

// TestCorruptColumns: every way to cut or to change the columns ends in an
// error or in rows of the right length, and never in more memory.
func TestCorruptColumns(t *testing.T) {
	u := new(Unpacker)
	rows := newPlant(planttest.Realistic).rows()
	codec, out := NewPacker().Pack(rows, plantTags, noRef)
	out = bytes.Clone(out)
	for i := range out {
		bad := bytes.Clone(out)
		bad[i] ^= 0x10
		for _, p := range [][]byte{bad, out[:i]} {
			back, err := u.Unpack(codec, p, len(rows), plantTags, noRef)
			if err != nil && !errors.Is(err, frame.ErrCorrupt) || err == nil && len(back) != len(rows) {
				t.Fatalf("byte %d: %d bytes of rows, %v", i, len(back), err)
			}
		}
	}
	if _, err := u.Unpack(9, nil, 0, 0, noRef); !errors.Is(err, frame.ErrCorrupt) {
		t.Errorf("codec 9: %v, want ErrCorrupt", err)
	}
}

// TestLast: the reference of a tag is its last value, so that a value that
// stays the same takes nothing in the next block.
func TestLast(t *testing.T) {
	p, plant := NewPacker(), newPlant(planttest.Regular)
	of := plant.next
	plant.next = func(dst []tag.Sample) []tag.Sample {
		dst = of(dst)
		for i := range dst {
			dst[i].Value = tag.Float64(float64(i) + 0.25)
		}
		return dst
	}
	last := map[uint32]Ref{}
	var sizes [2]int
	for i := range sizes {
		_, out := p.Pack(plant.rows(), plantTags, func(id uint32) Ref { return last[id] })
		sizes[i] = len(out)
		for id := range uint32(plantTags) {
			last[id+1] = p.Last(id + 1)
		}
	}
	if sizes[1] > sizes[0]/3 {
		t.Errorf("blocks of the same values: %d bytes, then %d", sizes[0], sizes[1])
	}
	if r := p.Last(plantTags + 1); r != (Ref{}) {
		t.Errorf("a tag that is not there has the reference %v", r)
	}
}

// TestBytesPerSample holds the figures that BenchmarkPack prints, with room.
func TestBytesPerSample(t *testing.T) {
	for _, g := range generators {
		perSample, _ := measure(g.kind, 10*time.Minute, nil)
		if perSample > g.most {
			t.Errorf("%s: %.2f bytes per sample, want %.1f at most", g.kind, perSample, g.most)
		}
	}
}

var generators = []struct {
	kind planttest.Kind
	most float64
}{{planttest.Regular, 1.5}, {planttest.Realistic, 3}, {planttest.Noise, 8}}

// measure packs 60 blocks of one sample per tag, so long after the dictionary
// with their reference values was written, and returns the bytes per sample on
// disk with the headers of the blocks.
func measure(of planttest.Kind, after time.Duration, keep func(rows []byte)) (perSample float64, refs func(uint32) Ref) {
	const header = 64
	p, plant := NewPacker(), newPlant(of)
	p.Pack(plant.rows(), plantTags, noRef)
	base := make([]Ref, plantTags+1)
	for id := range base {
		base[id] = p.Last(uint32(id))
	}
	refs = func(id uint32) Ref { return base[id] }
	for range int(after / time.Second) {
		plant.rows()
	}
	bytes, blocks := 0, 60
	for range blocks {
		rows := plant.rows()
		_, out := p.Pack(rows, plantTags, refs)
		bytes += header + (len(out)+7)&^7
		if keep != nil {
			keep(rows)
		}
	}
	return float64(bytes) / float64(blocks*plantTags), refs
}

func FuzzUnpack(f *testing.F) {
	u := new(Unpacker)
	for _, g := range generators {
		rows := newPlant(g.kind).rows()
		codec, out := NewPacker().Pack(rows, plantTags, noRef)
		f.Add(byte(codec), bytes.Clone(out), len(rows), plantTags, uint64(7))
	}
	rows := encodeFew()
	raw, _ := NewPacker().enc.encode(nil, rows, 9, noRef)
	f.Add(byte(Columns), raw, len(rows), 9, uint64(0))
	f.Add(byte(Rows), rows, len(rows), 9, uint64(0))
	f.Fuzz(func(t *testing.T, codec byte, p []byte, size, count int, ref uint64) {
		if size < 0 || size > 64<<10 || count < 0 {
			return // a block's header has none of these
		}
		refs := func(id uint32) Ref { return Ref{byte(ref>>8) % 12, ref >> (id % 64)} }
		rows, err := u.Unpack(Codec(codec), p, size, count, refs)
		switch {
		case err != nil && !errors.Is(err, frame.ErrCorrupt):
			t.Fatalf("%v, want ErrCorrupt", err)
		case err == nil && len(rows) != size:
			t.Fatalf("%d bytes of rows, want %d", len(rows), size)
		}
		if cap(u.rows) > 256<<10 || cap(u.raw) > window || len(u.dec.tags.slots) > 64<<10 {
			t.Fatalf("%d, %d bytes and %d tags are held", cap(u.rows), cap(u.raw), len(u.dec.tags.slots))
		}
	})
}

// FuzzPack packs arbitrary bytes as rows: what comes back is the same.
func FuzzPack(f *testing.F) {
	p, u := NewPacker(), new(Unpacker)
	f.Add(encodeFew(), 9, uint64(1))
	f.Add(newPlant(planttest.Realistic).rows(), plantTags, uint64(0))
	f.Fuzz(func(t *testing.T, rows []byte, count int, ref uint64) {
		if len(rows) > 64<<10 || count < 0 {
			return
		}
		refs := func(id uint32) Ref { return Ref{byte(ref>>8) % 12, ref >> (id % 64)} }
		codec, out := p.Pack(rows, count, refs)
		back, err := u.Unpack(codec, out, len(rows), count, refs)
		if err != nil || !bytes.Equal(back, rows) {
			t.Fatalf("codec %d: %v\ngot  %x\nwant %x", codec, err, back, rows)
		}
	})
}

// encodeFew are the rows of one sample of every kind.
func encodeFew() (rows []byte) {
	var e frame.Encoder
	e.Begin(1)
	for i, v := range []tag.Value{{}, tag.Bool(true), tag.Int(-5), tag.Uint(5), tag.Float32(math.Pi), tag.Float64(math.Pi), tag.String(strings.Repeat("text", 9)), tag.Float32(22.5), tag.Float64(22.25)} {
		s := tag.Sample{Value: v, Quality: tag.UncertainFor(fmt.Sprint("odd ", i)), Time: time.Unix(1_790_000_000+int64(i), 5), Read: 3, BySource: i%2 == 0}
		rows = e.Append(rows, &s, uint64(i+1+i/3), uint32(i%4+1), uint32(i%3), uint64(i/4+1))
	}
	return rows
}

func BenchmarkPack(b *testing.B) {
	for _, g := range generators {
		for _, after := range []time.Duration{time.Minute, 10 * time.Minute, time.Hour} {
			var blocks [][]byte
			perSample, refs := measure(g.kind, after, func(rows []byte) { blocks = append(blocks, rows) })
			p := NewPacker()
			b.Run(fmt.Sprint(g.kind, "/", after), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					p.Pack(blocks[i%len(blocks)], plantTags, refs)
				}
				b.ReportMetric(perSample, "B/sample")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*plantTags), "ns/sample")
			})
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	for _, g := range generators {
		var rows []byte
		_, refs := measure(g.kind, 10*time.Minute, func(r []byte) { rows = r })
		u := new(Unpacker)
		codec, out := NewPacker().Pack(rows, plantTags, refs)
		b.Run(string(g.kind), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := u.Unpack(codec, out, len(rows), plantTags, refs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*plantTags), "ns/sample")
		})
	}
}
