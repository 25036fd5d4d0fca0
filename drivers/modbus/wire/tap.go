package wire

import (
	"time"

	"fieldferry/drivers/modbus/frame"
)

// Tap is told of every frame of a link, for a record of what happened on it.
// Frame is called by the goroutine that sent or received the frame, more than
// one at once on TCP: it must not block, and must not keep the bytes of the
// event or of its PDU beyond the call.
type Tap interface {
	Frame(Event)
}

// Event is a frame, or what a line brought instead of one.
type Event struct {
	At      time.Time // UTC
	Unit    byte      // that was asked, or that answered
	PDU     frame.PDU // of the frame; empty for Silence and Noise
	Bytes   []byte    // as they were on the wire, with header or checksum; empty for Silence
	Outcome Outcome
}

// Outcome is what became of a frame.
type Outcome uint8

// The outcomes. All but Request are of the other direction.
const (
	Request Outcome = iota // sent by us
	Answer                 // the answer to the request under way; also an exception
	Refused                // meant for the request under way, and not an answer to it
	Late                   // the answer to a request that had been given up
	Foreign                // nobody had asked for it
	Noise                  // bytes that form no frame
	Echo                   // our own request, as the line gave it back
	Silence                // no answer in time; PDU is that of the request
)

// String is the outcome in a word.
func (o Outcome) String() string {
	names := [...]string{"request", "answer", "refused", "late", "foreign", "noise", "echo", "silence"}
	if int(o) < len(names) {
		return names[o]
	}
	return "unknown"
}
