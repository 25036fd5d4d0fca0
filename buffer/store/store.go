// Package store is the log on disk: its segments, the one that is being
// written, what an earlier run left, and how a reader goes through them. It
// knows no readers and makes no policy: its caller says what is written, what
// is dropped and when.
//
// A Store's methods block as long as the disk does. Those that write, seal or
// delete belong to one goroutine at a time; the others, and cursors, may be
// used beside it.
package store

import (
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"fieldferry/buffer/column"
	"fieldferry/buffer/disk"
	"fieldferry/buffer/latency"
	"fieldferry/buffer/segment"
	"fieldferry/buffer/spare"
)

// Suffix marks files that were set aside because something in them cannot be
// read.
const Suffix = ".bad"

// Store is an open log.
type Store struct {
	fs    disk.FS
	dir   string
	limit int64 // size of a segment
	aside int64 // bytes that files set aside may take
	log   *slog.Logger
	id    uint64

	w    active         // belongs to the writer
	pack *column.Packer // as well

	spare *spare.File

	mu     sync.Mutex // guards everything below, and what it says of segments
	segs   []*file    // oldest first; the last one is, or was, being written
	doomed []*file    // not in the log any more, not deleted yet
	usage  Usage
}

// file is one segment. Its header never changes; Store.mu guards the rest.
type file struct {
	segment.Header
	name    string
	size    int64  // bytes it takes on disk
	used    int64  // bytes of it that hold blocks
	end     uint64 // count of the log's samples at its end; blocks beyond it are void
	damaged atomic.Bool
}

// Usage is what a Store takes and has done.
type Usage struct {
	Segments   int
	Bytes      int64 // of segments
	Aside      int   // files that were set aside
	AsideBytes int64
	Written    uint64 // bytes
	Syncs      uint64
	LastSync   time.Duration // how long it took
	MaxSync    time.Duration
	SyncTimes  latency.Times
}

// Usage returns the present state.
func (s *Store) Usage() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.usage
	u.Segments = len(s.segs)
	for _, f := range s.segs {
		u.Bytes += f.size
	}
	if s.spare.Ready() {
		u.Bytes += s.limit
	}
	return u
}

// ID is the number of the log.
func (s *Store) ID() uint64 { return s.id }

// SetID gives a log that is new its number.
func (s *Store) SetID(id uint64) { s.id = id }

// Taken is the size of the log with what is set aside, up to its share.
func (s *Store) Taken() int64 {
	u := s.Usage()
	return u.Bytes + min(u.AsideBytes, s.aside)
}

// Spare is the file of the next segment.
func (s *Store) Spare() *spare.File { return s.spare }

// WantsSpare says that the segment that is being written is in its last
// quarter.
func (s *Store) WantsSpare() bool {
	return s.w.file != nil && 4*(s.w.off+int64(len(s.w.out))) >= 3*s.limit
}

// SegmentSize is the size of a segment that is being written.
func (s *Store) SegmentSize() int64 { return s.limit }

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// Extent is a segment as the rules of retention see it.
type Extent struct {
	From, To uint64 // counts of the log's samples
	LastSeq  uint64 // no sample in it has a higher number
	Begin    time.Duration
	End      time.Duration // no sample in it is younger, by the log's own time
	Size     int64
}

// Oldest returns the oldest segment, false when there is only one: the last
// one holds the accounts, and always stays.
func (s *Store) Oldest() (Extent, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segs) < 2 {
		return Extent{}, false
	}
	f, next := s.segs[0], s.segs[1]
	return Extent{From: f.FirstOrd, To: f.end, LastSeq: next.FirstSeq - 1, Begin: f.Clock.Log, End: next.Clock.Log, Size: f.size}, true
}

// First returns where the oldest segment begins, and the sequence number
// before it.
func (s *Store) First() (ord, seq uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segs) == 0 {
		return 0, 0, false
	}
	return s.segs[0].FirstOrd, s.segs[0].FirstSeq - 1, true
}

// Waiting estimates the bytes and the age of the oldest of the samples from
// ord on; in a segment both are taken to grow evenly. ok says that there are
// any.
func (s *Store) Waiting(ord uint64, now time.Duration) (bytes int64, age time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.segs {
		if f.end <= ord || f.end == f.FirstOrd {
			continue
		}
		share := float64(f.end-max(ord, f.FirstOrd)) / float64(f.end-f.FirstOrd)
		bytes += int64(share * float64(f.used))
		if ok {
			continue
		}
		until := now
		if i+1 < len(s.segs) {
			until = s.segs[i+1].Clock.Log
		}
		age, ok = now-until+time.Duration(share*float64(until-f.Clock.Log)), true
	}
	return bytes, age, ok
}

// Doom takes the oldest segment out of the log. Delete deletes its file.
func (s *Store) Doom() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doomed = append(s.doomed, s.segs[0])
	s.segs = slices.Delete(s.segs, 0, 1)
}

// Delete deletes the segments that were taken out. Damaged ones are set aside
// instead while there is room for them. What cannot be deleted now is tried
// again with the next call.
func (s *Store) Delete() {
	s.mu.Lock()
	doomed := s.doomed
	s.doomed = nil
	s.mu.Unlock()
	var left []*file
	for _, f := range doomed {
		if err := s.discard(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			left = append(left, f)
		}
	}
	s.mu.Lock()
	s.doomed = append(left, s.doomed...)
	s.mu.Unlock()
}

func (s *Store) discard(f *file) error {
	name := s.path(f.name)
	s.mu.Lock()
	keep := f.damaged.Load() && s.usage.AsideBytes+f.size <= s.aside
	s.mu.Unlock()
	if !keep {
		return s.fs.Remove(name)
	}
	if err := s.fs.Rename(name, name+Suffix); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usage.Aside++
	s.usage.AsideBytes += f.size
	return nil
}

// Free returns how many bytes others may still write to the disk.
func (s *Store) Free() (int64, error) { return s.fs.Free(s.dir) }
