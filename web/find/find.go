// Package find is how the page and the command line find out what is on a link
// of the running gateway: one interface, which internal/gateway/finding
// implements, and the plain structs that pass through it.
//
// An implementation is safe for concurrent use. Probe may block and honours
// its context; the rest works in memory. What is returned is the receiver's.
package find

import (
	"context"
	"errors"
	"time"
)

// Errors of a Finder, wrapped.
var (
	ErrNoLink = errors.New("no such link")              // of Probe and Frames
	ErrQuery  = errors.New("this cannot be asked")      // of Probe and Readings: the question is wrong
	ErrDown   = errors.New("the link is down just now") // of Probe
)

// Finder finds out what is on a link and what has passed on it.
type Finder interface {
	// Probe lends the link for one request that changes nothing, between two
	// reads. It blocks for as long as the query's limit and a read allow.
	// That the unit declines or is silent is an answer.
	Probe(ctx context.Context, link string, q Query) (Answer, error)
	// Readings returns every plausible way to read some registers, the best
	// first. It does not block.
	Readings(q Question) ([]Reading, error)
	// Frames returns the frames that were recorded on a link: the last ones
	// for an empty kept, those around the "first" or the "last" fault
	// otherwise. It does not block.
	Frames(link, kept string) (Frames, error)
}

// Query is one request to a unit.
type Query struct {
	Unit    int
	Request []byte        // function code and data
	Limit   time.Duration // how long the unit may take to answer
}

// Answer is what a query brought.
type Answer struct {
	Outcome string // answered, declined, silent or garbled
	Code    int    // of a refusal
	Text    string // what happened, in words
	Data    []byte
	At      time.Time
	Took    time.Duration
}

// Question is some registers, and what is known of them.
type Question struct {
	Address string // of the first register: hr:100
	Data    []byte // two bytes for each register
	Asked   string // the first register that the manual names, where Data holds more; may be empty
	Count   int    // how many it names; 0: all of Data
	Shows   string // what the display says at the same time; may be empty
}

// Reading is one way to read some of the registers.
type Reading struct {
	Address, Type, ByteOrder string
	Length                   int     // of a string
	Scale                    float64 // 1: none
	Shown                    string  // the scaled value
	Match                    string  // exact, cut off, near, or empty
	Score                    float64
	Also                     []string // types that give the same value now
	Notes                    []string
	Line                     string // as a tag map has it
}

// Frames is what was recorded on a link, oldest first.
type Frames struct {
	Link   string
	Kept   string
	Fault  time.Time // around which they were kept; zero: none
	Frames []Frame
}

// Frame is one recorded frame.
type Frame struct {
	At      time.Time
	Out     bool // we sent it
	Outcome string
	Unit    int
	PDU     []byte
	Bytes   []byte
	Text    string // in words
}
