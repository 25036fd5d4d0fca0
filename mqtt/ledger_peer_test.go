//go:build peer

package mqtt

import (
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"fieldferry/buffer"
	"fieldferry/internal/peers"
	"fieldferry/mqtt/brokertest"
	"fieldferry/tag"
)

// TestPeerLedgerTellsWhatIsMissing has an outage outlast the buffer: what the
// subscriber did not get, of each class, is exactly what the retained ledger
// says is missing, in sum and by record.
func TestPeerLedgerTellsWhatIsMissing(t *testing.T) {
	b := peers.Mosquitto(t, unlimited)
	proxy := brokertest.StartProxy(t, hostPort(b))
	c := buffer.Default()
	c.Dir, c.RuntimeDir, c.MaxBytes, c.MinFree, c.SyncInterval = t.TempDir(), t.TempDir(), 8<<20, 0, 10*time.Millisecond
	buf, err := buffer.Open(buffer.DirFS(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer buf.Close()
	reader, err := buf.Reader("plant", buffer.StartOldest)
	if err != nil {
		t.Fatal(err)
	}
	seen, tags, total := &observer{t: t}, plant("normal", "bulk", "alarm"), uint64(0)
	tags[1].Class, tags[2].Class = tag.ClassBulk, tag.ClassAlarm
	pump := tags[0].Device
	tags[1].Device = &tag.Device{Name: "meter", Link: pump.Link, Tags: tags[1:2]}
	seen.observe(b.URL())
	add := func(n int) {
		for range n {
			if err := buf.Append([]tag.Sample{{Tag: tags[total%3], Value: noise(), Time: time.Now()}}); err != nil {
				t.Fatal(err)
			}
			total++
		}
	}
	r := start(t, newSource(t), func(_ *Config, d *Deps) {
		d.Reader = reader
		d.ledgerTime = 50 * time.Millisecond
		d.Ledger = func() Ledger { s := buf.Stats(); return LedgerOf(&s.Readers[0], buf.Drops()) }
	}, proxy.URL())
	account := func() buffer.ReaderStats { return buf.Stats().Readers[0] }
	add(100)
	r.eventually("delivery", func() bool { return account().Pending == 0 })
	r.eventually("a ledger", func() bool { l, ok := seen.ledger(); return ok && l.Delivered == 100 && l.Missing == 0 })
	proxy.Refuse(true)
	proxy.Kill()
	for account().Classes[tag.ClassNormal].Dropped["max bytes"] == 0 { // bulk goes first
		add(1000)
	}
	add(1000)
	// What is dropped while it is on its way counts as dropped, and arrives:
	// the buffer has to be done with it before the broker is back.
	if err := buf.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	last, quiet := uint64(0), 0
	r.eventually("the end of dropping", func() bool {
		if n := account().Dropped["max bytes"]; n != last {
			last, quiet = n, 0
		}
		quiet++
		return quiet > 200
	})
	proxy.Refuse(false)
	r.eventually("delivery of what is left", func() bool { return account().Pending == 0 })
	var l ledger
	r.eventually("the ledger of it", func() bool {
		l, _ = seen.ledger()
		return l.Produced == total && l.Pending == 0
	})
	got := uint64(len(seen.numbers()))
	if l.Missing == 0 || l.Missing != total-got || l.Dropped["max bytes"] != l.Missing || l.Gateway != "gw" || l.Epoch != 7 {
		t.Errorf("ledger %+v: %d samples were produced and %d arrived", l, total, got)
	}
	st := account()
	byClass, byDevice := map[string]uint64{}, map[string]uint64{}
	for _, d := range l.Drops {
		byClass[d.Class] += d.Samples
		for name, n := range d.Devices {
			byDevice[name] += n
		}
		if d.Reason != "max bytes" || d.FirstSeq == 0 || d.LastSeq-d.FirstSeq+1 < d.Samples {
			t.Errorf("record %+v", d)
		}
	}
	normal, bulk := st.Classes[tag.ClassNormal].Dropped["max bytes"], st.Classes[tag.ClassBulk].Dropped["max bytes"]
	if bulk == 0 || byClass["normal"] != normal || byClass["bulk"] != bulk || byClass["alarm"] != 0 || normal+bulk != l.Missing ||
		byDevice["pump"] != normal || byDevice["meter"] != bulk {
		t.Errorf("records of %v and %v, want %d of normal and pump, %d of bulk and meter", byClass, byDevice, normal, bulk)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if kept := retained(t, b, "site/_/ledger", 1)["site/_/ledger"]; !strings.Contains(kept, `"pending":0`) {
		t.Errorf("retained: %s", kept)
	}
}

// noise is a text of a kilobyte that does not compress.
func noise() tag.Value {
	p := make([]byte, 1000)
	for i := range p {
		p[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"[rand.IntN(64)]
	}
	return tag.String(string(p))
}

// ledger returns the latest ledger that came.
func (o *observer) ledger() (l ledger, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.taken {
		if m.Topic == "site/_/ledger" {
			l = ledger{}
			if err := json.Unmarshal([]byte(m.Payload), &l); err != nil {
				o.t.Errorf("ledger %s: %v", m.Payload, err)
			}
			ok = true
		}
	}
	return l, ok
}

// numbers returns the sequence numbers that came.
func (o *observer) numbers() map[uint64]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := map[uint64]bool{}
	for _, m := range o.taken {
		var v struct {
			Seq uint64 `json:"seq"`
		}
		if !strings.HasPrefix(m.Topic, "site/_/") && json.Unmarshal([]byte(m.Payload), &v) == nil {
			seen[v.Seq] = true
		}
	}
	return seen
}
