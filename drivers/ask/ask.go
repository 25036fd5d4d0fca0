// Package ask is the part of the driver contract by which people find out what
// is on a link: a Conn that is a Prober can be asked for what no tag names.
//
// Probe is called like the other methods of a Conn, by one goroutine at a time,
// and blocks for no longer than the query's limit and what the line needs.
package ask

import (
	"context"
	"time"
)

// Prober is a drivers.Conn that can be asked for what no tag names: it is how people
// find out which devices are on a link and what they hold.
type Prober interface {
	// Probe sends one request and waits for its answer, for no longer than
	// the query's limit. It sends nothing that could change a device. That
	// the device refuses or is silent is an Answer; an error is that nothing
	// could be asked, and wraps drivers.ErrLinkDown when the connection is gone.
	Probe(ctx context.Context, q Query) (Answer, error)
}

// Query is one request of a Prober, in the words of its protocol.
type Query struct {
	Unit    int           // the station on the link
	Request []byte        // for Modbus: function code and data
	Limit   time.Duration // how long the station may take to answer
}

// Answer is what a query brought.
type Answer struct {
	Outcome Outcome
	Code    int    // of a refusal
	Text    string // what happened, in words; empty for Answered
	Data    []byte // of Answered: for Modbus reads the registers or bits alone, else what follows the function code
	At      time.Time
	Took    time.Duration
}

// Outcome is what became of a query.
type Outcome string

// The outcomes.
const (
	Answered Outcome = "answered"
	Declined Outcome = "declined" // the station says that it will not, and Code why
	Silent   Outcome = "silent"   // nothing came in time
	Garbled  Outcome = "garbled"  // what came is not an answer to the request
)
