package mqtt

import (
	"context"
	"fmt"

	"fieldferry/buffer"
	"fieldferry/mapping/payload"
	"fieldferry/mqtt/replay"
	"fieldferry/mqtt/wire"
)

// pump sends what the buffer has until ctx ends or the connection does.
func (v *values) pump(ctx context.Context) error {
	entries := make([]Entry, 0, readAhead)
	for {
		if v.caughtUp() {
			if err := v.repairRetained(ctx); err != nil {
				return err
			}
		}
		var err error
		entries, err = v.deps.Reader.Next(ctx, entries[:0])
		if err != nil {
			if ctx.Err() == nil {
				v.ended = err
				v.stop()
			}
			return err
		}
		for i := range entries {
			if err := v.send(ctx, &entries[i]); err != nil {
				return err
			}
		}
	}
}

// send sends one entry as soon as the window has room for it.
func (v *values) send(ctx context.Context, e *Entry) error {
	v.last = max(v.last, e.Seq)
	if v.tries[e.Seq] >= maxTries {
		return v.refuse(ctx, e, fmt.Sprintf("refused without a reason: %d times", v.tries[e.Seq]))
	}
	it := payload.Item{Sample: e.Sample, Seq: e.Seq, Historical: e.Historical || e.Seq <= v.boundary, Unsynced: e.Clock == buffer.Unsynced}
	m, err := v.encode(&it)
	if err == nil && m.Retain && v.repairs.Passed(m.Topic, e.Seq) {
		m.Retain = false // sent again behind a newer one, which comes again too
	}
	if err != nil {
		return v.refuse(ctx, e, "no topic: "+err.Error())
	}
	if size := m.Size(); v.limits.Packet > 0 && size > v.limits.Packet {
		return v.refuse(ctx, e, fmt.Sprintf("packet too large: %d bytes, the broker takes %d", size, v.limits.Packet))
	}
	if err := v.w.Acquire(ctx); err != nil {
		return err
	}
	v.tally(e, &it, m)
	return v.client.Send(v.w.Sent(e.Turn, *e), m)
}

// refuse enters an entry that cannot be sent.
func (v *values) refuse(ctx context.Context, e *Entry, why string) error {
	if err := v.w.Acquire(ctx); err != nil {
		return err
	}
	v.w.Refuse(e.Turn, *e, why)
	return nil
}

// encode makes the message of a sample. Its payload is good until the next
// call.
func (v *values) encode(it *payload.Item) (*wire.Message, error) {
	m, err := v.deps.Encoder.Encode(v.buf[:0], it)
	if err != nil {
		return nil, err
	}
	if len(m.Payload) > cap(v.buf) {
		v.buf = make([]byte, 0, 2*len(m.Payload))
	}
	return &wire.Message{Topic: m.Topic, Payload: m.Payload, Retain: m.Retain && !it.Historical && v.limits.Retain}, nil
}

// tally counts an entry that is about to be sent, and notes which retained
// values fall behind.
func (v *values) tally(e *Entry, it *payload.Item, m *wire.Message) {
	lane := replay.Live
	if it.Historical {
		lane = replay.History
	}
	if v.sent.Again(e.Seq, lane) {
		v.count.add(func(s *Stats) { s.Resent++ })
	}
	if !it.Historical {
		v.repairs.Current(m.Topic, e.Seq)
		return
	}
	v.count.add(func(s *Stats) { s.Historical++ })
	if e.Overtaken {
		return // a newer one may be the current value already
	}
	if topic, err := v.deps.Encoder.Topic(e.Sample.Tag); err == nil {
		v.repairs.Behind(topic, *it)
	}
}

// repairRetained sends the newest sample of each tag once more, as the
// current value, where it went out as history.
func (v *values) repairRetained(ctx context.Context) error {
	for _, it := range v.repairs.Take() {
		it.Historical = false
		m, err := v.encode(&it)
		if err != nil || !m.Retain || v.limits.Packet > 0 && m.Size() > v.limits.Packet {
			continue // it was put aside before, or nothing is retained for this tag
		}
		if err := v.w.Acquire(ctx); err != nil {
			return err
		}
		token := v.w.Sent(0, Entry{Sample: it.Sample})
		v.repairs.SentAs(m.Topic, it.Seq, token)
		if err := v.client.Send(token, m); err != nil {
			return err
		}
	}
	v.repairs.Complete()
	return nil
}
