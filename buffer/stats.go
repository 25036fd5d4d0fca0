package buffer

import (
	"slices"
	"strings"
	"time"

	"fieldferry/buffer/account"
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
	Failures    uint64 // writes and syncs that failed
	Degraded    error  // nil: the disk works. Else samples wait in memory
	DegradedFor time.Duration

	SetAside      int // damaged files that are kept
	SetAsideBytes int64
	Dropped       map[string]uint64 // samples gone before every reader had them, by reason
	Readers       []ReaderStats     // by name
}

// ReaderStats is the account of one reader, in samples. Appended = Delivered
// + Filtered + all Dropped + all PutAside + Pending at all times, over all
// restarts.
type ReaderStats struct {
	Name      string
	Open      bool   // in this run
	Settled   uint64 // the last settled sequence number
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
	l := b.log.StatsLocked()
	book := b.log.BookLocked()
	s := Stats{
		ID: b.ID(), Epoch: b.log.EpochLocked(), Appended: l.Appended, Head: b.c.Seq,
		Segments: l.Segments, Bytes: l.Bytes, SetAside: l.Aside, SetAsideBytes: l.AsideBytes,
		InMemory: l.InMemory, Shared: l.Shared, Skipped: l.Skipped, Oversized: l.Oversized,
		Written: l.Written, Syncs: l.Syncs, LastSync: l.LastSync, MaxSync: l.MaxSync,
		Failures: l.Failures, Degraded: l.Degraded, DegradedFor: l.DegradedFor,
		Dropped: account.ByReason(book.Dropped),
	}
	for _, r := range book.Accounts {
		if !r.Removed {
			s.Readers = append(s.Readers, b.readerStatsLocked(r))
		}
	}
	slices.SortFunc(s.Readers, func(x, y ReaderStats) int { return strings.Compare(x.Name, y.Name) })
	return s
}

func (b *Buffer) readerStatsLocked(r *account.Account) ReaderStats {
	bytes, age := b.log.WaitingLocked(r.Ord)
	ord := b.log.OrdLocked()
	return ReaderStats{
		Name: r.Name, Open: r.Owner != nil, Settled: r.Seq,
		Appended: ord - r.Start, Delivered: r.Delivered, Filtered: r.Filtered,
		Dropped: account.ByReason(r.Dropped), PutAside: account.ByReason(r.PutAside),
		Pending: ord - r.Ord, PendingBytes: bytes, OldestAge: age,
	}
}
