package mqtt

import (
	"encoding/json"
	"time"

	"fieldferry/mqtt/wire"
)

// status is the payload of {root}/_/status. Connection counts the connections
// of one run and epoch the runs of the buffer: a reader that sees "offline"
// with older numbers than the "online" it knows ignores it, for a will may
// arrive after the next birth.
type status struct {
	Status     string `json:"status"` // online or offline
	Reason     string `json:"reason,omitempty"`
	Gateway    string `json:"gateway"`
	Version    string `json:"version,omitempty"`
	Uplink     string `json:"uplink"`
	Buffer     string `json:"buffer,omitempty"`
	Epoch      uint32 `json:"epoch"`
	Connection uint64 `json:"connection"`
	Connected  string `json:"connected"`           // when this connection was begun
	Timestamp  string `json:"timestamp,omitempty"` // of this message; a will has none, for it is written before
}

// The reasons of being offline.
const (
	reasonLost    = "connection lost"
	reasonStopped = "stopped"
)

// statusMessage returns a retained status. Time zero leaves the timestamp out.
func (v *values) statusMessage(state, reason string, now time.Time) *wire.Message {
	g := v.deps.Gateway
	s := status{
		Status: state, Reason: reason, Gateway: g.Name, Version: g.Version, Uplink: v.conf.Name,
		Buffer: g.BufferID, Epoch: g.Epoch, Connection: v.number, Connected: stamp(v.begun),
	}
	if !now.IsZero() {
		s.Timestamp = stamp(now)
	}
	b, _ := json.Marshal(s) // strings and numbers always have a JSON form
	return &wire.Message{Topic: v.deps.Encoder.Own("status"), Payload: b, Retain: true}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
