package webtest

import (
	"context"
	"fmt"
	"time"

	"fieldferry/web/find"
)

// Probe implements find.Finder: on every link but "press" unit 7 answers a
// read with 2314, unit 8 refuses, and the rest is silent.
func (p *Plant) Probe(_ context.Context, link string, q find.Query) (find.Answer, error) {
	at := p.clock()
	switch {
	case link == "press":
		return find.Answer{}, fmt.Errorf("%w: driver opcua cannot be asked", find.ErrQuery)
	case link != "line1" && link != "plc":
		return find.Answer{}, fmt.Errorf("link %q: %w", link, find.ErrNoLink)
	case link == "plc":
		return find.Answer{}, fmt.Errorf("%w: connection refused", find.ErrDown)
	case q.Unit == 7:
		return find.Answer{Outcome: "answered", Data: []byte{0x09, 0x0A}, At: at, Took: 23 * time.Millisecond}, nil
	case q.Unit == 8:
		return find.Answer{Outcome: "declined", Code: 2, Text: "exception 2 (illegal data address)", At: at}, nil
	}
	return find.Answer{Outcome: "silent", Text: fmt.Sprintf("no answer within %v", q.Limit), At: at}, nil
}

// Readings implements find.Finder: the same two whatever is asked.
func (p *Plant) Readings(q find.Question) ([]find.Reading, error) {
	if len(q.Data)%2 != 0 {
		return nil, fmt.Errorf("%w: %d bytes are not registers", find.ErrQuery, len(q.Data))
	}
	return []find.Reading{
		{Address: q.Address, Type: "uint16", Scale: 0.1, Shown: "231.4", Match: "exact", Score: 8, Also: []string{"int16"}, Line: "{name: value, address: \"" + q.Address + "\", type: uint16, scale: 0.1}"},
		{Address: q.Address, Type: "uint16", ByteOrder: "BA", Scale: 1, Shown: "2569", Line: "{name: value, address: \"" + q.Address + "\", type: uint16, byte_order: BA}"},
	}, nil
}

// Frames implements find.Finder: a request and an answer, and a fault on
// nothing.
func (p *Plant) Frames(link, kept string) (find.Frames, error) {
	if link != "line1" {
		return find.Frames{}, fmt.Errorf("link %q: %w", link, find.ErrNoLink)
	}
	out := find.Frames{Link: link}
	if kept == "" {
		out.Frames = []find.Frame{
			{At: p.clock(), Out: true, Outcome: "request", Unit: 7, PDU: []byte{3, 0, 0, 0, 1}, Text: "read holding registers 0"},
			{At: p.clock(), Outcome: "answer", Unit: 7, PDU: []byte{3, 2, 9, 10}, Text: "read holding registers: 090A"},
		}
	}
	return out, nil
}
