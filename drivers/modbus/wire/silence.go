package wire

import (
	"sync"
	"sync/atomic"
	"time"
)

// A connection is given up after silenceCount requests in a row to which no
// unit answered, once every unit of the link is among the silent or nothing
// was heard for silenceTime. A single dead unit behind a gateway does not
// count as long as a neighbour answers in between.
const (
	silenceCount = 3
	silenceTime  = 30 * time.Second
)

// silence notices that nobody answers on a connection any more.
type silence struct {
	units int // units of the link; set once

	mu     sync.Mutex // guards the fields below
	missed int
	silent [256]bool
	count  int // of silent
	heard  time.Time
}

func newSilence(units []byte) *silence {
	s := &silence{heard: time.Now()}
	var seen [256]bool
	for _, u := range units {
		if !seen[u] {
			seen[u] = true
			s.units++
		}
	}
	return s
}

// answered notes that some unit answered.
func (s *silence) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = time.Now()
	if s.missed > 0 {
		s.missed, s.count, s.silent = 0, 0, [256]bool{}
	}
}

// miss notes that a unit did not answer, or answered nonsense, and says
// whether the connection is to be given up.
func (s *silence) miss(unit byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missed++
	if !s.silent[unit] {
		s.silent[unit] = true
		s.count++
	}
	return s.missed >= silenceCount && (s.count >= s.units || time.Since(s.heard) >= silenceTime)
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
	Noise      uint64 // bytes on a serial line that belong to no frame
}

// counters is Stats as it is counted.
type counters struct {
	requests, answers, exceptions, timeouts, badFrames, late, foreign, noise atomic.Uint64
}

func (c *counters) stats() Stats {
	return Stats{
		Requests: c.requests.Load(), Answers: c.answers.Load(), Exceptions: c.exceptions.Load(),
		Timeouts: c.timeouts.Load(), BadFrames: c.badFrames.Load(),
		Late: c.late.Load(), Foreign: c.foreign.Load(), Noise: c.noise.Load(),
	}
}
