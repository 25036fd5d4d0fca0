package mapping_test

import (
	"testing"

	"fieldferry/mapping"
	"fieldferry/mapping/payload"
	"fieldferry/tag"
)

// hotPath is the way of a sample from a driver to a message, without the
// buffer: it returns a function that sends the i-th value along it.
func hotPath(tb testing.TB) func(i int64) payload.Message {
	tb.Helper()
	b := newBench(tb, mapping.Config{Scale: p(0.1), Min: p(-1e9), Max: p(1e9)}, kind("int32"), func(t *tag.Tag) { t.Unit = "rpm" })
	enc, err := payload.Compile(payload.Default(), payload.Vars{Gateway: "plant1-line3"})
	if err != nil {
		tb.Fatal(err)
	}
	in := make([]tag.Sample, 1)
	buf := make([]byte, 0, 256)
	var it payload.Item
	return func(i int64) payload.Message {
		in[0] = tag.Sample{Tag: b.tag, Value: tag.Int(i), Time: epoch, Read: uint64(i)}
		out := b.table.Apply(in)
		if len(out) != 1 {
			tb.Fatalf("published: got %d samples, want 1", len(out))
		}
		it.Sample, it.Seq = out[0], uint64(i)
		m, err := enc.Encode(buf, &it)
		if err != nil {
			tb.Fatal(err)
		}
		return m
	}
}

func TestHotPath(t *testing.T) {
	send := hotPath(t)
	m := send(1481)
	if got, want := m.Topic+" "+string(m.Payload), `plant1-line3/pump/speed {"value":148.1,"unit":"rpm","quality":"good","timestamp":"2026-11-20T08:00:00.000Z"}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	i := int64(0)
	if n := testing.AllocsPerRun(1000, func() { i++; send(i) }); n != 0 {
		t.Errorf("allocations per sample: got %v, want 0", n)
	}
}

func BenchmarkApplyAndEncode(b *testing.B) {
	send := hotPath(b)
	i := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		i++
		send(i)
	}
}
