package buffer

import (
	"slices"
	"strings"
	"time"

	"fieldferry/buffer/segment"
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

// counters are of this run. Buffer.mu guards them.
type counters struct {
	appended   uint64
	blocks     uint64 // serial of the last block begun
	skipped    uint64
	oversized  uint64
	written    uint64
	syncs      uint64
	failures   uint64
	aside      int
	asideBytes int64
}

// Stats returns the state of the buffer. It does not touch the disk.
func (b *Buffer) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Stats{
		ID: b.ID(), Epoch: b.epoch, Appended: b.ord, Head: b.lastSeq, Segments: len(b.segs),
		InMemory: b.ring.Used(), Shared: b.shared,
		Skipped: b.count.skipped, Oversized: b.count.oversized, Written: b.count.written,
		Syncs: b.count.syncs, LastSync: b.health.lastSync, MaxSync: b.health.maxSync,
		Failures: b.count.failures, Degraded: b.health.failing,
		SetAside: b.count.aside, SetAsideBytes: b.count.asideBytes,
		Dropped: byReason(b.dropped),
	}
	if s.Degraded != nil {
		s.DegradedFor = b.now - b.health.since
	}
	for _, sg := range b.segs {
		s.Bytes += sg.size
	}
	for _, a := range b.accounts {
		if !a.Removed {
			s.Readers = append(s.Readers, b.readerStatsLocked(a))
		}
	}
	slices.SortFunc(s.Readers, func(x, y ReaderStats) int { return strings.Compare(x.Name, y.Name) })
	return s
}

func (b *Buffer) readerStatsLocked(a *account) ReaderStats {
	bytes, age := b.waitingLocked(a.Ord)
	return ReaderStats{
		Name: a.Name, Open: a.open != nil, Settled: a.Seq,
		Appended: b.ord - a.Start, Delivered: a.Delivered, Filtered: a.Filtered,
		Dropped: byReason(a.Dropped), PutAside: byReason(a.PutAside),
		Pending: b.ord - a.Ord, PendingBytes: bytes, OldestAge: age,
	}
}

// waitingLocked estimates the size and the age of the samples from ord on. In
// a segment both are taken to grow evenly.
func (b *Buffer) waitingLocked(ord uint64) (bytes int64, age time.Duration) {
	if ord >= b.ord {
		return 0, 0
	}
	found := false
	for i, s := range b.segs {
		if s.end <= ord || s.end == s.FirstOrd {
			continue
		}
		from := max(ord, s.FirstOrd)
		share := float64(s.end-from) / float64(s.end-s.FirstOrd)
		bytes += int64(share * float64(s.used))
		if found {
			continue
		}
		until := b.now
		if i+1 < len(b.segs) {
			until = b.segs[i+1].Clock.Log
		}
		found = true
		age = b.now - until + time.Duration(share*float64(until-s.Clock.Log))
	}
	for _, p := range b.pending {
		if p.rec.End() <= ord {
			continue
		}
		bytes += int64(len(p.rec.Frames))
		if !found {
			found, age = true, b.now-p.rec.Time
		}
	}
	return bytes, max(age, 0)
}

func byReason(cs []segment.Count) map[string]uint64 {
	m := make(map[string]uint64, len(cs))
	for _, c := range cs {
		m[c.Reason] += c.N
	}
	return m
}
