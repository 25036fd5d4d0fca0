package mqtt

import (
	"maps"
	"sync"
	"time"

	"fieldferry/mqtt/downlink"
	"fieldferry/mqtt/keep"
)

// Stats is how an uplink is doing.
type Stats struct {
	keep.Status
	InFlight    int               // messages on their way
	Window      int               // how many there may be; 0 while not connected
	Pending     uint64            // samples in the buffer that are not settled
	Backlog     uint64            // those of them that live samples go before
	Delivered   uint64            // samples that the broker has acknowledged
	Resent      uint64            // samples that were sent more than once
	Historical  uint64            // samples that were sent as history
	Unheard     uint64            // samples that nobody had subscribed to
	Refused     map[string]uint64 // samples put aside, by reason
	AckLatency  time.Duration     // from sending to acknowledgement, smoothed; 0: unknown
	LastAck     time.Time         // zero: never
	Commands    downlink.Stats
	HasCommands bool
}

// counts are the counters of an uplink.
type counts struct {
	mu sync.Mutex // guards the fields below
	s  Stats
}

func (c *counts) add(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.s)
}

func (c *counts) get() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.s
	s.Refused = maps.Clone(s.Refused)
	return s
}

func (c *counts) refused(reason string) {
	c.add(func(s *Stats) {
		if s.Refused == nil {
			s.Refused = map[string]uint64{}
		}
		s.Refused[reason]++
	})
}
