package mqtt

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fieldferry/mqtt/brokertest"
	"fieldferry/mqtt/wire"
)

// ledgers returns the ledgers that a broker took.
func ledgers(t *testing.T, b *brokertest.Broker) (all []ledger) {
	t.Helper()
	for _, m := range b.Taken() {
		if m.Topic != "site/_/ledger" {
			continue
		}
		var l ledger
		if err := json.Unmarshal([]byte(m.Payload), &l); err != nil || !m.Retain {
			t.Fatalf("ledger %s, retained %v: %v", m.Payload, m.Retain, err)
		}
		all = append(all, l)
	}
	return all
}

// TestLedgerIsToldOnChange: at the connection, on each change, not without
// one, and at the end.
func TestLedgerIsToldOnChange(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{})
	var dropped, asked atomic.Uint64
	r := start(t, newSource(t), func(_ *Config, d *Deps) {
		d.ledgerTime = 5 * time.Millisecond
		d.Ledger = func() Ledger {
			asked.Add(1)
			n := dropped.Load()
			return Ledger{Produced: 100, Delivered: 90 - n, Pending: 10, Dropped: map[string]uint64{"max bytes": n},
				Drops: []Drop{{Reason: "max bytes", Class: "bulk", Samples: n, FirstSeq: 1, LastSeq: n, Devices: map[string]uint64{"pump": n}}}}
		}
	}, b.URL())
	r.eventually("the first ledger", func() bool { return len(ledgers(t, b)) == 1 })
	seen := asked.Load()
	r.eventually("some looks at it", func() bool { return asked.Load() > seen+5 })
	if n := len(ledgers(t, b)); n != 1 {
		t.Errorf("%d ledgers without a change, want 1", n)
	}
	dropped.Store(7)
	r.eventually("the second ledger", func() bool { return len(ledgers(t, b)) == 2 })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	all := ledgers(t, b)
	if l := all[len(all)-1]; len(all) != 3 || l.Missing != 7 || l.Delivered != 83 || l.Gateway != "gw" || l.Epoch != 7 || len(l.Drops) != 1 || l.Drops[0].Devices["pump"] != 7 {
		t.Errorf("%d ledgers, the last one %+v", len(all), l)
	}
}

// TestLedgerFitsThePacket: the oldest records go first, the sums stay.
func TestLedgerFitsThePacket(t *testing.T) {
	r := start(t, newSource(t), nil, "mqtt://127.0.0.1:1")
	v := &values{Uplink: r.Uplink, limits: wire.Limits{Packet: 2000, Retain: true}}
	l := Ledger{Produced: 64, Dropped: map[string]uint64{"max bytes": 64}}
	for i := range uint64(64) {
		l.Drops = append(l.Drops, Drop{Reason: "max bytes", Samples: 1, FirstSeq: i + 1, LastSeq: i + 1})
	}
	m := v.ledgerMessage(&l)
	if text := string(m.Payload); m.Size() > 2000 || !strings.Contains(text, `"missing":64`) || !strings.Contains(text, `"last_seq":64`) || len(l.Drops) != 64 {
		t.Errorf("%d bytes: %s", m.Size(), text)
	}
}
