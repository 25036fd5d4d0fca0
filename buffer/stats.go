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
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.store.Usage()
	s := Stats{
		ID: b.ID(), Epoch: b.q.Epoch(), Appended: b.q.Ord(), Head: b.lastSeq,
		Segments: u.Segments, Bytes: u.Bytes, SetAside: u.Aside, SetAsideBytes: u.AsideBytes,
		InMemory: b.q.Used(), Shared: b.q.Shared(),
		Skipped: b.appended.skipped, Oversized: b.appended.oversized,
		Written: u.Written, Syncs: u.Syncs, LastSync: u.LastSync, MaxSync: u.MaxSync,
		Failures: b.health.failures, Degraded: b.health.failing,
		Dropped: account.ByReason(b.book.Dropped),
	}
	if s.Degraded != nil {
		s.DegradedFor = b.now - b.health.since
	}
	for _, r := range b.book.Accounts {
		if !r.Removed {
			s.Readers = append(s.Readers, b.readerStatsLocked(r))
		}
	}
	slices.SortFunc(s.Readers, func(x, y ReaderStats) int { return strings.Compare(x.Name, y.Name) })
	return s
}

func (b *Buffer) readerStatsLocked(r *account.Account) ReaderStats {
	bytes, age := b.waitingLocked(r.Ord)
	return ReaderStats{
		Name: r.Name, Open: r.Owner != nil, Settled: r.Seq,
		Appended: b.q.Ord() - r.Start, Delivered: r.Delivered, Filtered: r.Filtered,
		Dropped: account.ByReason(r.Dropped), PutAside: account.ByReason(r.PutAside),
		Pending: b.q.Ord() - r.Ord, PendingBytes: bytes, OldestAge: age,
	}
}

// waitingLocked estimates the size and the age of the samples from ord on.
func (b *Buffer) waitingLocked(ord uint64) (bytes int64, age time.Duration) {
	if ord >= b.q.Ord() {
		return 0, 0
	}
	bytes, age, found := b.store.Waiting(ord, b.now)
	inMemory, since, waits := b.q.Waiting(ord)
	if !found && waits {
		age = b.now - since
	}
	return bytes + inMemory, max(age, 0)
}
