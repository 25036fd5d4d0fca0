package bench

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"testing"
	"time"

	"fieldferry/buffer"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/live"
	"fieldferry/mapping"
	"fieldferry/tag"
)

// registers of one answer, the most that Modbus allows: 62 float32 values.
const values = 62

// line is a link with what its samples pass: decoded, mapped, appended.
type line struct {
	tags    []*tag.Tag
	layouts []layout.Layout
	table   *mapping.Table
	buf     *buffer.Buffer
	answer  []byte
	samples []tag.Sample
	read    uint64
}

func newLine(b *testing.B, c mapping.Config) *line {
	b.Helper()
	l := &tag.Link{Name: "line1", Driver: "modbus-tcp"}
	d := &tag.Device{Name: "meter01", Link: l, Labels: map[string]string{"site": "hamburg"}}
	l.Devices = []*tag.Device{d}
	x := &line{answer: make([]byte, 4*values)}
	for i := range values {
		t := &tag.Tag{Name: fmt.Sprintf("value%02d", i), Device: d, Index: i, Address: fmt.Sprintf("hr:%d", 2*i), Type: "float32", Unit: "V", Interval: time.Second}
		lay, faults := layout.Spec{Address: t.Address, Type: t.Type, Order: "ABCD"}.Parse()
		if len(faults) > 0 {
			b.Fatal(faults)
		}
		d.Tags = append(d.Tags, t)
		x.layouts = append(x.layouts, lay)
	}
	x.tags = d.Tags
	x.table = mapping.Compile(l, func(*tag.Tag) mapping.Config { return c }, live.New(), time.Now)
	cfg := buffer.Default()
	cfg.Dir, cfg.RuntimeDir, cfg.MinFree, cfg.MaxBytes = b.TempDir(), b.TempDir(), 0, 256<<20
	buf, err := buffer.Open(buffer.DirFS(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { buf.Close() })
	if _, err := buf.Reader("plant", buffer.StartOldest); err != nil {
		b.Fatal(err)
	}
	x.buf = buf
	return x
}

// step is what happens to one answer of a device.
func (x *line) step(b *testing.B) {
	x.read++
	for i := range values {
		binary.BigEndian.PutUint32(x.answer[4*i:], math.Float32bits(230+float32((x.read+uint64(i))%97)/10))
	}
	now := time.Now().UTC()
	x.samples = x.samples[:0]
	for i := range x.layouts {
		v, err := x.layouts[i].Decode(x.answer, 2*i)
		if err != nil {
			b.Fatal(err)
		}
		x.samples = append(x.samples, tag.Sample{Tag: x.tags[i], Value: v, Time: now, Read: x.read})
	}
	if err := x.buf.Append(x.table.Apply(x.samples)); err != nil {
		b.Fatal(err)
	}
}

func run(b *testing.B, c mapping.Config) {
	x := newLine(b, c)
	for range 100 { // warm: dictionaries, ring, table
		x.step(b)
	}
	b.ReportAllocs()
	for b.Loop() {
		x.step(b)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*values), "ns/sample")
}

// BenchmarkDecodeMapAppend is an answer of 62 float32 values on its way to
// the disk: every value is published.
func BenchmarkDecodeMapAppend(b *testing.B) { run(b, mapping.Config{}) }

// BenchmarkDecodeMapAppendScaled has a scale on every tag.
func BenchmarkDecodeMapAppendScaled(b *testing.B) {
	scale := 0.1
	run(b, mapping.Config{Scale: &scale})
}

// BenchmarkDecodeMapSuppressed has a deadband that holds every value back.
func BenchmarkDecodeMapSuppressed(b *testing.B) {
	deadband := 1000.0
	run(b, mapping.Config{Deadband: &deadband})
}
