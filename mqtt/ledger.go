package mqtt

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"fieldferry/buffer"
	"fieldferry/mqtt/wire"
)

// Ledger is the account of an uplink: what became of every sample that was
// for it, since its position in the buffer was made, over all restarts.
// Produced = Delivered + Filtered + all Dropped + all PutAside + Pending. A
// sample that was dropped while it was on its way counts as dropped, though it
// may have arrived: the ledger never tells of too few.
type Ledger struct {
	Produced  uint64
	Delivered uint64
	Filtered  uint64
	Pending   uint64
	Dropped   map[string]uint64 // samples that the buffer lost, by reason
	PutAside  map[string]uint64 // samples that the broker would never take, by reason
	Drops     []Drop            // the latest records of the buffer, oldest first
}

// Drop is the buffer's record of samples that are gone and that some uplink
// had not got; how many of them this one had not got is in Ledger.Dropped.
type Drop struct {
	Reason   string            `json:"reason"`
	Class    string            `json:"class,omitempty"`
	Samples  uint64            `json:"samples"`
	FirstSeq uint64            `json:"first_seq"` // both inclusive
	LastSeq  uint64            `json:"last_seq"`
	Devices  map[string]uint64 `json:"devices,omitempty"` // samples of each device; the rest under ""
}

// LedgerOf makes the ledger of an uplink from the account of its reader and
// the drops of the buffer.
func LedgerOf(r *buffer.ReaderStats, drops []buffer.Drop) Ledger {
	l := Ledger{
		Produced: r.Appended, Delivered: r.Delivered, Filtered: r.Filtered, Pending: r.Pending,
		Dropped: r.Dropped, PutAside: r.PutAside,
	}
	for i := range drops {
		d := &drops[i]
		devices := map[string]uint64{}
		for _, c := range d.Devices {
			devices[c.Reason] += c.N
		}
		l.Drops = append(l.Drops, Drop{
			Reason: d.Reason, Class: d.Class.String(), Samples: d.N, FirstSeq: d.FirstSeq, LastSeq: d.LastSeq, Devices: devices,
		})
	}
	return l
}

// Missing is how many samples will never arrive.
func (l *Ledger) Missing() (n uint64) {
	for _, by := range []map[string]uint64{l.Dropped, l.PutAside} {
		for _, k := range by {
			n += k
		}
	}
	return n
}

// same says that nothing worth telling has changed.
func (l *Ledger) same(o *Ledger) bool {
	return l.Produced == o.Produced && l.Delivered == o.Delivered && l.Filtered == o.Filtered && l.Pending == o.Pending &&
		maps.Equal(l.Dropped, o.Dropped) && maps.Equal(l.PutAside, o.PutAside) && len(l.Drops) == len(o.Drops)
}

// ledger is the payload of {root}/_/ledger.
type ledger struct {
	Gateway   string            `json:"gateway"`
	Uplink    string            `json:"uplink"`
	Buffer    string            `json:"buffer,omitempty"`
	Epoch     uint32            `json:"epoch"`
	Timestamp string            `json:"timestamp"`
	Produced  uint64            `json:"produced"`
	Delivered uint64            `json:"delivered"`
	Filtered  uint64            `json:"filtered"`
	Pending   uint64            `json:"pending"`
	Missing   uint64            `json:"missing"`
	Dropped   map[string]uint64 `json:"dropped"`
	PutAside  map[string]uint64 `json:"put_aside"`
	Drops     []Drop            `json:"drops"`
}

// ledgerMessage returns the retained ledger. Where it is too large for the
// broker the oldest records are left out; the sums still tell of them.
func (v *values) ledgerMessage(l *Ledger) *wire.Message {
	g := v.deps.Gateway
	p := ledger{
		Gateway: g.Name, Uplink: v.conf.Name, Buffer: g.BufferID, Epoch: g.Epoch, Timestamp: stamp(v.deps.Clock()),
		Produced: l.Produced, Delivered: l.Delivered, Filtered: l.Filtered, Pending: l.Pending, Missing: l.Missing(),
		Dropped: notNil(l.Dropped), PutAside: notNil(l.PutAside), Drops: append([]Drop{}, l.Drops...),
	}
	for {
		b, _ := json.Marshal(p) // text, numbers and times of this era always have a JSON form
		m := &wire.Message{Topic: v.deps.Encoder.Own("ledger"), Payload: b, Retain: v.limits.Retain}
		if len(p.Drops) == 0 || v.limits.Packet == 0 || m.Size() <= v.limits.Packet {
			return m
		}
		p.Drops = p.Drops[(len(p.Drops)+1)/2:]
	}
}

func notNil(m map[string]uint64) map[string]uint64 {
	if m == nil {
		return map[string]uint64{}
	}
	return m
}

// ledgerEvery is how often the ledger is told at most.
const ledgerEvery = 10 * time.Second

// keepLedger tells the ledger when the connection begins, and whenever it has
// changed, until ctx ends. It is sent at QoS 0, so that it takes no place from
// values; one that is lost is told again with the next change or connection.
func (v *values) keepLedger(ctx context.Context) {
	if v.deps.Ledger == nil {
		return
	}
	var told *Ledger
	for v.tellLedger(ctx, &told) && v.pause(ctx) {
		continue
	}
}

// tellLedger tells the ledger if it is not the one told last. It reports false
// when it cannot be told on this connection.
func (v *values) tellLedger(ctx context.Context, told **Ledger) bool {
	v.telling.Lock()
	defer v.telling.Unlock()
	if ctx.Err() != nil {
		return false // lastLedger may have told a newer one
	}
	l := v.deps.Ledger()
	if *told != nil && l.same(*told) {
		return true
	}
	*told = &l
	m := v.ledgerMessage(&l)
	if v.limits.Packet > 0 && m.Size() > v.limits.Packet {
		return false // the broker takes next to nothing
	}
	return v.client.Tell(ctx, m) == nil // else the connection has ended, and the pump meets the same error
}

func (v *values) pause(ctx context.Context) bool {
	t := time.NewTimer(v.deps.ledgerTime)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// lastLedger tells the ledger once more when the uplink takes its leave, after
// the context of keepLedger has ended.
func (v *values) lastLedger(ctx context.Context) {
	if v.deps.Ledger == nil || !v.telling.TryLock() {
		return // or the socket takes nothing
	}
	defer v.telling.Unlock()
	l := v.deps.Ledger()
	_ = v.client.Tell(ctx, v.ledgerMessage(&l)) // the farewell that follows meets the same error
}
