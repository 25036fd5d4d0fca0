package classlog

import (
	"time"

	"fieldferry/buffer/store"
)

// Stats is the state of a log at one moment.
type Stats struct {
	store.Usage
	Appended    uint64 // samples, since the log was made
	InMemory    int    // bytes that are not durable yet
	Shared      bool   // they survive the end of the process
	Skipped     uint64 // samples of this run that never had to be written
	Oversized   uint64 // samples of this run whose value was left out
	Failures    uint64 // writes and syncs that failed
	Degraded    error  // nil: the disk works
	DegradedFor time.Duration
}

// StatsLocked returns the present state.
func (l *Log) StatsLocked() Stats {
	s := Stats{
		Usage: l.store.Usage(), Appended: l.q.Ord(), InMemory: l.q.Used(), Shared: l.q.Shared(),
		Skipped: l.appended.skipped, Oversized: l.appended.oversized,
		Failures: l.health.failures, Degraded: l.health.failing,
	}
	if s.Degraded != nil {
		s.DegradedFor = l.c.Now - l.health.since
	}
	return s
}

// WaitingLocked estimates the size and the age of the samples from ord on.
func (l *Log) WaitingLocked(ord uint64) (bytes int64, age time.Duration) {
	if ord >= l.q.Ord() {
		return 0, 0
	}
	bytes, age, found := l.store.Waiting(ord, l.c.Now)
	inMemory, since, waits := l.q.Waiting(ord)
	if !found && waits {
		age = l.c.Now - since
	}
	return bytes + inMemory, max(age, 0)
}
