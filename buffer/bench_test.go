package buffer

import (
	"context"
	"testing"
	"time"

	"fieldferry/tag"
)

// benchBuffer is a buffer on the real disk, with samples of 1,000 tags to
// append: decimals with one digit, read together by device.
func benchBuffer(b *testing.B) (*Buffer, []tag.Sample) {
	c := dirConfig(b)
	c.MaxBytes, c.SyncInterval = 4<<30, time.Second
	buf := openDir(b, c)
	s := make([]tag.Sample, 1000)
	for i, t := range rigTags(len(s)) {
		s[i] = tag.Sample{Tag: t, Value: tag.Float64(20 + float64(i%50)/10), Time: time.Unix(1_790_000_000, 0), Read: 1}
	}
	return buf, s
}

// BenchmarkAppend appends batches of 100 samples to a log that nobody reads.
func BenchmarkAppend(b *testing.B) {
	buf, s := benchBuffer(b)
	defer buf.Close()
	if err := buf.Append(s); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		from := i * 100 % len(s)
		if err := buf.Append(s[from : from+100]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*100), "ns/sample")
	if err := buf.Sync(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(buf.Stats().Written)/float64(b.N*100), "B/sample")
}

// BenchmarkNextLive appends 100 samples, reads and settles them.
func BenchmarkNextLive(b *testing.B) {
	buf, s := benchBuffer(b)
	defer buf.Close()
	r, err := buf.Reader("a", StartNow)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]Entry, 0, 1000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		from := i * 100 % len(s)
		if err := buf.Append(s[from : from+100]); err != nil {
			b.Fatal(err)
		}
		for dst = dst[:0]; len(dst) < 100; {
			if dst, err = r.Next(b.Context(), dst); err != nil {
				b.Fatal(err)
			}
		}
		r.Settle(dst[len(dst)-1].Turn)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*100), "ns/sample")
}

// BenchmarkNextBacklog drains a log from disk.
func BenchmarkNextBacklog(b *testing.B) {
	buf, s := benchBuffer(b)
	defer buf.Close()
	r, err := buf.Reader("a", StartNow)
	if err != nil {
		b.Fatal(err)
	}
	const batches = 1000
	for range batches {
		if err := buf.Append(s); err != nil {
			b.Fatal(err)
		}
	}
	if err := buf.Sync(context.Background()); err != nil {
		b.Fatal(err)
	}
	dst := make([]Entry, 0, 1000)
	b.ReportAllocs()
	left := 0
	for b.Loop() {
		if left == 0 {
			r.Rewind()
			left = batches * len(s)
		}
		if dst, err = r.Next(b.Context(), dst[:0]); err != nil {
			b.Fatal(err)
		}
		left -= len(dst)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1000), "ns/sample")
}

// TestNoAllocations: a numeric sample of a known tag is appended, read and
// settled without an allocation.
func TestNoAllocations(t *testing.T) {
	g := emptyRig(t, rigConfig())
	g.lim.ring = 1 << 20
	g.open()
	a := g.reader("a", StartNow)
	s := []tag.Sample{sampleFor(g.tags, 1), sampleFor(g.tags, 11), {Tag: g.tags[2], Value: tag.Float64(22.5), Time: time.Unix(5, 0)}}
	dst := make([]Entry, 0, 8)
	n := testing.AllocsPerRun(2000, func() {
		if err := g.b.Append(s); err != nil {
			t.Fatal(err)
		}
		for dst = dst[:0]; len(dst) < len(s); {
			var err error
			if dst, err = a.r.Next(ended, dst); err != nil {
				t.Fatalf("%d of %d samples came: %v: %+v", len(dst), len(s), err, g.b.Stats())
			}
		}
		a.r.Settle(dst[len(dst)-1].Turn)
	})
	if n > 0 {
		t.Errorf("%v allocations for three samples, want none", n)
	}
}
