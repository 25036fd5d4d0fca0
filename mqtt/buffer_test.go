package mqtt

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"fieldferry/buffer"
	"fieldferry/mapping/payload"
	"fieldferry/mqtt/brokertest"
	"fieldferry/tag"
)

// TestWithTheRealBuffer runs the uplink twice over one log, against a broker
// that hangs up now and then and does not bear one of the samples.
func TestWithTheRealBuffer(t *testing.T) {
	var n atomic.Int64
	b := brokertest.Start(t, brokertest.Script{Publish: func(p *brokertest.Peer, m *packets.Publish) {
		switch v := valuesOf(t, []brokertest.Message{{Topic: m.Topic, Payload: string(m.Payload)}}); {
		case len(v) == 1 && v[0].Value == 777:
			p.Ack(m, 0x99, "")
		case n.Add(1)%300 == 150:
			p.Close()
		default:
			p.Take(m)
		}
	}})
	c := buffer.Default()
	c.Dir, c.RuntimeDir = t.TempDir(), t.TempDir()
	tags := plant("total")
	next := int64(1)
	for range 2 {
		log, err := buffer.Open(buffer.DirFS(), c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		reader, err := log.Reader("plant", buffer.StartOldest)
		if err != nil {
			t.Fatal(err)
		}
		add := func(count int64) {
			for range count {
				if err := log.Append([]tag.Sample{{Tag: tags[0], Value: tag.Int(next), Time: time.Now()}}); err != nil {
					t.Fatal(err)
				}
				next++
			}
		}
		add(500) // before the uplink begins
		r := start(t, newSource(t), func(f *Config, d *Deps) {
			d.Reader = reader
			f.Payload.Sequence = true
			f.Payload.TimestampFormat = payload.Default().TimestampFormat
		}, b.URL())
		add(500)
		r.eventually("delivery", func() bool { n, _ := reader.Pending(); return n == 0 })
		add(10)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		s := log.Stats().Readers[0]
		if s.Appended != s.Delivered+s.Pending+1 || s.PutAside["payload not accepted (0x99)"] != 1 || len(s.Dropped) > 0 {
			t.Errorf("account %+v: appended is not delivered + pending + one put aside", s)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	last := int64(0)
	for _, v := range dropCurrent(valuesOf(t, b.Taken())) {
		if v.Value > last+1 && (v.Value != 778 || last != 776) {
			t.Fatalf("value %d after %d", v.Value, last)
		}
		last = v.Value
	}
	if last < 2010 { // the last ten may still be in the buffer
		t.Errorf("the last value is %d, want at least 2010", last)
	}
}
