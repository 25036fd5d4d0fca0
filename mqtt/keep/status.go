package keep

import (
	"sync"
	"time"
)

// Status is how a connection is doing.
type Status struct {
	Connected   bool
	Broker      string    // in use, or tried last
	Since       time.Time // of Connected being as it is; zero: never tried
	Connects    uint64    // connections made
	Attempts    uint64    // connections tried
	LastError   string    // why the last attempt failed or the last connection ended; stays when it is over
	LastErrorAt time.Time // zero: never
}

// status is a Status that is being kept.
type status struct {
	mu sync.Mutex // guards c
	c  Status
}

func (s *status) get() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c
}

func (s *status) trying(broker string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c.Attempts++
	s.c.Broker = broker
	if s.c.Since.IsZero() {
		s.c.Since = now
	}
}

func (s *status) up(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c.Connected, s.c.Since = true, now
	s.c.Connects++
}

func (s *status) down(err error, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c.Connected {
		s.c.Connected, s.c.Since = false, now
	}
	if err != nil {
		s.c.LastError, s.c.LastErrorAt = err.Error(), now
	}
}
