package request

import (
	"encoding/json"
	"math"
	"time"

	"fieldferry/command"
	"fieldferry/tag"
)

// answer is the JSON form of a result.
type answer struct {
	ID       string          `json:"id,omitempty"`
	Device   string          `json:"device"`
	Tag      string          `json:"tag"`
	Outcome  string          `json:"outcome"`
	Reason   string          `json:"reason,omitempty"`
	Repeated bool            `json:"repeated,omitempty"`
	Value    json.RawMessage `json:"value"`
	Time     string          `json:"timestamp"`
}

// Answer returns the payload of an answer.
func Answer(device, name string, r command.Result) []byte {
	b, err := json.Marshal(answer{
		ID: r.ID, Device: device, Tag: name, Outcome: r.Outcome.String(), Reason: r.Reason,
		Repeated: r.Repeated, Value: encode(r.ReadBack), Time: r.At.UTC().Format(time.RFC3339Nano),
	})
	if err != nil { // JSON text of a device that is none
		r.ReadBack = tag.Value{}
		return Answer(device, name, r)
	}
	return b
}

// encode writes a value as JSON, with all its digits.
func encode(v tag.Value) json.RawMessage {
	if f, ok := v.Number(); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return json.RawMessage("null")
	}
	switch v.Kind() {
	case tag.KindString, tag.KindBytes:
		b, _ := json.Marshal(v.String()) // a string always has a JSON form
		return b
	}
	return v.Append(nil)
}
