package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"fieldferry/buffer/dict"
	"fieldferry/buffer/disk"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/segment"
)

// active is the segment that is being written.
type active struct {
	seg     *file
	file    disk.File // nil: none is being written
	off     int64     // where the next write goes
	durable int64     // what lies below it is durable
	out     []byte    // blocks that are not written yet
	dirty   bool      // something was written since the last sync
	next    uint64    // count of the log's samples at the end of out
	lastSeq uint64    // no sample up to there has a higher number
	count   uint64    // samples in the segment
	oldest  time.Duration
	newest  time.Duration
	dict    []*dict.Entry // in the segment
	dictLen int           // and their size on disk
	lastID  uint32
}

// bulk is how much is gathered for one write.
const bulk = 256 << 10

// Writing says that there is a segment to write to: Begin makes one.
func (s *Store) Writing() bool { return s.w.file != nil }

// Dirty says that something was written that is not durable.
func (s *Store) Dirty() bool { return s.w.dirty }

// Next is the count of the log's samples up to what was put last.
func (s *Store) Next() uint64 { return s.w.next }

// LastSeq is the highest sequence number that was put.
func (s *Store) LastSeq() uint64 { return s.w.lastSeq }

// Begun returns the log time of the oldest sample of the segment that is being
// written, false if it has none.
func (s *Store) Begun() (time.Duration, bool) {
	return s.w.oldest, s.w.file != nil && s.w.count > 0
}

// Begin makes the next segment and makes it durable: first its space, then the
// header and the frames of the snapshot, then its name. Of h the caller sets
// Epoch, FirstSeq and Clock.
func (s *Store) Begin(h segment.Header, snapshot [][]byte) error {
	w := &s.w
	w.lastID++
	h.Log, h.ID, h.FirstOrd = s.id, w.lastID, w.next
	f := &file{Header: h, name: h.Name(), size: s.limit, end: w.next}
	first, err := s.home()
	if err != nil {
		return fmt.Errorf("begin segment %q: %w", f.name, err)
	}
	df, err := s.fresh(f.name)
	if err != nil {
		return fmt.Errorf("begin segment %q: %w", f.name, err)
	}
	*w = active{
		seg: f, file: df, next: w.next, lastSeq: w.lastSeq, oldest: h.Clock.Log, newest: h.Clock.Log, lastID: w.lastID,
		out: h.Append(w.out[:0]),
	}
	s.PutFrames(snapshot, segment.FlagMeta)
	if err = s.Sync(); err == nil {
		err = s.fs.SyncDir(s.dir)
	}
	if err == nil && first {
		err = s.fs.SyncDir(filepath.Dir(s.dir))
	}
	if err != nil {
		err = errors.Join(err, df.Close())
		w.file = nil
		_ = s.fs.Remove(s.path(f.name)) // an empty segment left behind does no harm
		return fmt.Errorf("begin segment %q: %w", f.name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segs = append(s.segs, f)
	return nil
}

// home makes the directory if the log has no segment yet, and says so.
func (s *Store) home() (first bool, err error) {
	s.mu.Lock()
	first = len(s.segs) == 0
	s.mu.Unlock()
	if first {
		err = s.fs.MkdirAll(s.dir)
	}
	return first, err
}

// Fits says that a block with n bytes of payload and these entries has room in
// the segment. The first block always has.
func (s *Store) Fits(n int, entries []*dict.Entry) bool {
	w := &s.w
	need := n + w.dictLen + 3*segment.Overhead // the end takes a second copy of the dictionary
	missing := 0
	for _, e := range entries {
		if e.Segment != w.seg.ID {
			missing += len(e.Append(nil))
		}
	}
	if missing > 0 {
		need += 2 * (missing + (missing/segment.MaxPayload+1)*2*segment.Overhead)
	}
	return w.count == 0 || w.off+int64(len(w.out)+need) <= s.limit
}

// Put adds a block of samples and, before it, those of its entries that the
// segment does not hold yet. It is written at once or with the next Sync.
func (s *Store) Put(b *segment.Block, entries []*dict.Entry) error {
	w := &s.w
	var frames [][]byte
	for _, e := range entries {
		if e.Segment != w.seg.ID {
			e.Segment = w.seg.ID
			w.dict = append(w.dict, e)
			frames = append(frames, e.Append(nil))
		}
	}
	w.dictLen += s.PutFrames(frames, segment.FlagDict)
	if w.count == 0 {
		w.oldest = b.Time
	}
	w.newest = b.Time
	w.block(b)
	w.next, w.lastSeq = b.End(), max(w.lastSeq, b.LastSeq)
	w.count += uint64(b.Count)
	if len(w.out) >= bulk {
		return s.Flush()
	}
	return nil
}

// PutGap accounts for samples that are not pending any more. If they were lost
// f is the record of it, otherwise of their being settled.
func (s *Store) PutGap(g frame.Gap, f []byte) {
	s.PutFrames([][]byte{f}, segment.FlagMeta)
	s.w.next, s.w.lastSeq = g.To, max(s.w.lastSeq, g.LastSeq)
}

// PutFrames adds frames without samples, in as many blocks as it takes, and
// returns their size on disk.
func (s *Store) PutFrames(frames [][]byte, flags segment.Flags) (size int) {
	var p []byte
	for i, f := range frames {
		p = append(p, f...)
		if i+1 < len(frames) && len(p)+len(frames[i+1]) <= segment.MaxPayload {
			continue
		}
		b := segment.Block{Flags: flags, FirstOrd: s.w.next, Payload: p}
		s.w.block(&b)
		size += b.Size()
		p = p[:0]
	}
	return size
}

func (w *active) block(b *segment.Block) {
	b.Durable = uint32(w.durable)
	w.out = b.Append(w.out, w.seg.Key())
}

// Flush writes what was gathered.
func (s *Store) Flush() error {
	w := &s.w
	if len(w.out) == 0 {
		return nil
	}
	n, err := w.file.WriteAt(w.out, w.off)
	if err != nil {
		return fmt.Errorf("write %d bytes to segment %q: %w", len(w.out), w.seg.name, err)
	}
	w.off += int64(n)
	w.out = w.out[:0]
	w.dirty = true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usage.Written += uint64(n)
	w.seg.used, w.seg.size = w.off, max(w.seg.size, w.off)
	return nil
}

// Sync makes everything durable that was put. When it fails the segment must
// be given up: its file must never be synced again.
func (s *Store) Sync() error {
	w := &s.w
	if err := s.Flush(); err != nil || !w.dirty {
		return err
	}
	begin := time.Now()
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("sync segment %q: %w", w.seg.name, err)
	}
	took := time.Since(begin)
	w.dirty, w.durable = false, w.off
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usage.Syncs++
	s.usage.SyncTimes.Add(took)
	s.usage.LastSync, s.usage.MaxSync = took, max(s.usage.MaxSync, took)
	w.seg.end = w.next
	return nil
}

// GiveUp leaves the segment where it was last durable; the next one begins
// with the sample at ord, and those before have no higher number than seq.
func (s *Store) GiveUp(ord, seq uint64) {
	w := &s.w
	if w.file != nil {
		_ = w.file.Close() // whatever it says, the file is not used again
		w.file = nil
	}
	w.out, w.dirty, w.next, w.lastSeq = w.out[:0], false, ord, seq
}

// Seal ends the segment and makes it durable: a second copy of its
// dictionary, so that one damaged block of it costs nothing, and the footer.
func (s *Store) Seal(nextSeq uint64) error {
	if s.w.file == nil {
		return nil
	}
	s.putDictAgain()
	if err := s.putFooter(nextSeq, false); err != nil {
		return err
	}
	return s.closeSealed()
}

// End ends the last segment of a run, and says in it that nothing came after.
// No later segment tells where this one ends: a second footer, on a page of
// its own, does.
func (s *Store) End(nextSeq uint64) error {
	if s.w.file == nil {
		return nil
	}
	s.putDictAgain()
	if err := s.putFooter(nextSeq, true); err != nil {
		return err
	}
	s.w.out = append(s.w.out, make([]byte, -s.w.off&(segment.HeaderSize-1))...)
	if err := s.putFooter(nextSeq, true); err != nil {
		return err
	}
	return s.closeSealed()
}

// putDictAgain adds the dictionary once more, unless it is very large.
func (s *Store) putDictAgain() {
	w := &s.w
	if int64(w.dictLen) <= s.limit/8 {
		var frames [][]byte
		for _, e := range w.dict {
			frames = append(frames, e.Append(nil))
		}
		s.PutFrames(frames, segment.FlagDict)
	}
}

func (s *Store) closeSealed() error {
	w := &s.w
	size := w.off
	if w.file.Truncate(w.off) != nil { // it only gives space back
		size = max(size, s.limit)
	}
	err := w.file.Close()
	w.file = nil
	s.mu.Lock()
	w.seg.size = size
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("close segment %q: %w", w.seg.name, err)
	}
	return nil
}

func (s *Store) putFooter(nextSeq uint64, clean bool) error {
	w := &s.w
	f := frame.Footer{Clean: clean, Count: w.count, NextSeq: nextSeq, EndOrd: w.next, Oldest: w.oldest, Newest: w.newest}
	s.PutFrames([][]byte{f.Append(nil)}, segment.FlagFooter)
	return s.Sync()
}

// Close lets go of the file that is being written, if there is one.
func (s *Store) Close() error {
	s.Release()
	if s.w.file == nil {
		return nil
	}
	err := s.w.file.Close()
	s.w.file = nil
	return err
}
