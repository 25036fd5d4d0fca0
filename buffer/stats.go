package buffer

import (
	"slices"
	"strings"
	"time"

	"fieldferry/buffer/account"
	"fieldferry/buffer/classlog"
	"fieldferry/buffer/latency"
	"fieldferry/tag"
)

// Stats is the state of a buffer at one moment. Numbers of samples survive
// restarts; bytes, syncs and times are of this run.
type Stats struct {
	ID       string
	Epoch    uint32
	Appended uint64 // samples, since the log was made
	Head     uint64 // the last sequence number given
	Segments int
	Bytes    int64 // on disk, without what was set aside

	InMemory    int    // bytes that are not durable yet
	Shared      bool   // they survive the end of the process in the runtime directory
	Skipped     uint64 // samples of this run that never had to be written
	Oversized   uint64 // samples of this run whose value was left out
	Written     uint64 // bytes
	Syncs       uint64
	LastSync    time.Duration // how long it took
	MaxSync     time.Duration
	SyncTimes   latency.Times // how long all of them took
	Failures    uint64        // writes and syncs that failed
	Degraded    error         // nil: the disk works. Else samples wait in memory
	DegradedFor time.Duration

	SetAside      int // damaged files that are kept
	SetAsideBytes int64
	Dropped       map[string]uint64 // samples gone before every reader had them, by reason
	Classes       [classes]ClassStats
	Readers       []ReaderStats // by name
}

// ClassStats is the log of one class.
type ClassStats struct {
	Class    tag.Class
	Appended uint64 // samples, since the log was made
	Segments int
	Bytes    int64
	Dropped  map[string]uint64 // by reason
}

// ReaderStats is the account of one reader: of all classes in sum, and of each.
type ReaderStats struct {
	Name string
	Open bool // in this run
	// Absent is for how long it has not been in use, by the log's own time,
	// to the hour. After max_age, or 30 days, it is forgotten.
	Absent time.Duration
	Account
	Classes [classes]Account // by tag.Class
}

// Account says what became of the samples that were for a reader. Appended =
// Delivered + Filtered + all Dropped + all PutAside + Pending at all times,
// over all restarts.
type Account struct {
	Appended  uint64 // that were for it, since it was made
	Delivered uint64
	Filtered  uint64
	Dropped   map[string]uint64 // by reason
	PutAside  map[string]uint64 // by reason
	Pending   uint64
	// PendingBytes is about what they take on disk and in memory.
	PendingBytes int64
	// OldestAge is about how long the oldest of them has been waiting, by the
	// log's own time.
	OldestAge time.Duration
}

// Stats returns the state of the buffer. It does not touch the disk.
func (b *Buffer) Stats() Stats {
	b.c.Mu.Lock()
	defer b.c.Mu.Unlock()
	s := Stats{ID: b.ID(), Epoch: b.logs[normal].EpochLocked(), Head: b.c.Seq, Shared: true, Dropped: map[string]uint64{}}
	for c, l := range b.logs {
		x := l.StatsLocked()
		s.addLocked(&x)
		dropped := l.BookLocked().Dropped
		account.ByReason(s.Dropped, dropped)
		s.Classes[c] = ClassStats{Class: tag.Class(c), Appended: x.Appended, Segments: x.Segments, Bytes: x.Bytes, Dropped: account.ByReason(nil, dropped)}
	}
	for _, a := range b.logs[normal].BookLocked().Accounts {
		if !a.Removed {
			s.Readers = append(s.Readers, b.readerStatsLocked(a.Name))
		}
	}
	slices.SortFunc(s.Readers, func(x, y ReaderStats) int { return strings.Compare(x.Name, y.Name) })
	return s
}

// addLocked adds what one log says.
func (s *Stats) addLocked(x *classlog.Stats) {
	s.Appended += x.Appended
	s.Segments += x.Segments
	s.Bytes += x.Bytes
	s.SetAside += x.Aside
	s.SetAsideBytes += x.AsideBytes
	s.InMemory += x.InMemory
	s.Shared = s.Shared && x.Shared
	s.Skipped += x.Skipped
	s.Oversized += x.Oversized
	s.Written += x.Written
	s.Syncs += x.Syncs
	s.LastSync, s.MaxSync = max(s.LastSync, x.LastSync), max(s.MaxSync, x.MaxSync)
	s.SyncTimes.Merge(&x.SyncTimes)
	s.Failures += x.Failures
	if s.Degraded == nil {
		s.Degraded = x.Degraded
	}
	s.DegradedFor = max(s.DegradedFor, x.DegradedFor)
}

func (b *Buffer) readerStatsLocked(name string) ReaderStats {
	r := ReaderStats{Name: name, Open: b.open[name] != nil, Absent: b.bounds.AbsentLocked(name), Account: Account{Dropped: map[string]uint64{}, PutAside: map[string]uint64{}}}
	for c, l := range b.logs {
		a := l.BookLocked().Find(name)
		if a == nil {
			continue
		}
		x := &r.Classes[c]
		*x = Account{
			Appended: l.OrdLocked() - a.Start, Delivered: a.Delivered, Filtered: a.Filtered, Pending: a.Pending(l.OrdLocked()),
			Dropped: account.ByReason(nil, a.Dropped), PutAside: account.ByReason(nil, a.PutAside),
		}
		x.PendingBytes, x.OldestAge = l.WaitingLocked(a.Ord)
		account.ByReason(r.Dropped, a.Dropped)
		account.ByReason(r.PutAside, a.PutAside)
		r.Appended += x.Appended
		r.Delivered += x.Delivered
		r.Filtered += x.Filtered
		r.Pending += x.Pending
		r.PendingBytes += x.PendingBytes
		r.OldestAge = max(r.OldestAge, x.OldestAge)
	}
	return r
}
