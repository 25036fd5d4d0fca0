package wire

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A connection is given up after quietCount requests in a row to which no
// unit answered, once every unit of the link is among the silent or nothing
// was heard for quietTime. A single dead unit behind a gateway does not
// count as long as a neighbour answers in between.
const (
	quietCount = 3
	quietTime  = 30 * time.Second
)

// ErrQuiet is why a connection was given up on which nobody answers.
var ErrQuiet = fmt.Errorf("%d requests in a row without a usable answer", quietCount)

// Quiet notices that nobody answers on a connection any more. Its methods may
// be called by any goroutine.
type Quiet struct {
	units int // units of the link; set once

	mu     sync.Mutex // guards the fields below
	missed int
	silent [256]bool
	count  int // of silent
	heard  time.Time
}

// NewQuiet watches over a connection with some units.
func NewQuiet(units []byte) *Quiet {
	s := &Quiet{heard: time.Now()}
	var seen [256]bool
	for _, u := range units {
		if !seen[u] {
			seen[u] = true
			s.units++
		}
	}
	return s
}

// Answered notes that some unit answered.
func (q *Quiet) Answered() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.heard = time.Now()
	if q.missed > 0 {
		q.missed, q.count, q.silent = 0, 0, [256]bool{}
	}
}

// Miss notes that a unit did not answer, or answered nonsense, and says
// whether the connection is to be given up.
func (q *Quiet) Miss(unit byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.missed++
	if !q.silent[unit] {
		q.silent[unit] = true
		q.count++
	}
	return q.missed >= quietCount && (q.count >= q.units || time.Since(q.heard) >= quietTime)
}

// Stats counts what a link has seen since it was opened.
type Stats struct {
	Requests   uint64 // sent
	Answers    uint64 // accepted, exceptions among them
	Exceptions uint64
	Timeouts   uint64
	BadFrames  uint64 // answers that were none: wrong length, unit, checksum
	Late       uint64 // answers dropped because their request had been given up
	Foreign    uint64 // answers dropped that nobody had asked for
	Echoes     uint64 // own requests that the line gave back
	Copies     uint64 // answers that came twice; they are among Late
	Noise      uint64 // bytes on a serial line that belong to no frame
}

// Plus adds the counts of another link.
func (s Stats) Plus(x Stats) Stats {
	return Stats{
		Requests: s.Requests + x.Requests, Answers: s.Answers + x.Answers, Exceptions: s.Exceptions + x.Exceptions,
		Timeouts: s.Timeouts + x.Timeouts, BadFrames: s.BadFrames + x.BadFrames, Late: s.Late + x.Late,
		Foreign: s.Foreign + x.Foreign, Echoes: s.Echoes + x.Echoes, Copies: s.Copies + x.Copies, Noise: s.Noise + x.Noise,
	}
}

// Counters is Stats as it is counted.
type Counters struct {
	Requests, Answers, Exceptions, Timeouts, BadFrames, Late, Foreign, Echoes, Copies, Noise atomic.Uint64
}

// Stats reads the counters.
func (c *Counters) Stats() Stats {
	return Stats{
		Requests: c.Requests.Load(), Answers: c.Answers.Load(), Exceptions: c.Exceptions.Load(),
		Timeouts: c.Timeouts.Load(), BadFrames: c.BadFrames.Load(),
		Late: c.Late.Load(), Foreign: c.Foreign.Load(), Echoes: c.Echoes.Load(), Copies: c.Copies.Load(), Noise: c.Noise.Load(),
	}
}
