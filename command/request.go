package command

import (
	"fmt"
	"time"

	"fieldferry/tag"
)

// Request asks for one write.
type Request struct {
	ID       string    // of the sender's choice; a repeated ID of one source is answered with the first result and not executed again; empty: no protection
	Device   string    // name of the device
	Tag      string    // name of the tag
	Value    tag.Value // in engineering units
	Source   string    // who asks: "mqtt:plant", "page:anna"; goes into the audit
	Expires  time.Time // refused after it; zero: never
	Received time.Time // when the gateway received it
}

// Outcome is how a request ended.
type Outcome uint8

// The outcomes. Only OutcomeDone says that the device has the value.
const (
	OutcomeRefused Outcome = iota // nothing was sent to the device
	OutcomeDone                   // written and, where the tag can be read, read back
	OutcomeFailed                 // the device refused it, or reads back another value
	OutcomeUnknown                // the device may or may not have taken it
)

var outcomeNames = [...]string{
	OutcomeRefused: "refused", OutcomeDone: "done", OutcomeFailed: "failed", OutcomeUnknown: "unknown",
}

func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// Result is the answer to a request.
type Result struct {
	ID       string
	Outcome  Outcome
	Reason   string    // why it was not done; empty when done
	ReadBack tag.Value // what the tag reads after the write, in engineering units; null where unknown
	At       time.Time // when the outcome was known, UTC
	Repeated bool      // answered from memory: the request had been executed before
}
