package store

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"fieldferry/buffer/column"
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
	refs    map[uint32]column.Ref
	lastID  uint32

	vanished bool // the directory, or the last segment in it, is not there any more
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
//
// counts are the counters of all tags, as payloads of blocks.
func (s *Store) Begin(h segment.Header, snapshot, counts [][]byte) error {
	w := &s.w
	w.lastID++
	h.Log, h.ID, h.FirstOrd = s.id, w.lastID, w.next
	f := &file{Header: h, name: h.Name(), size: s.limit, end: w.next}
	first, err := s.home()
	if err != nil {
		return fmt.Errorf("begin segment %q: %w", f.name, err)
	}
	df, err := s.spare.Use(f.name)
	if err != nil {
		w.vanished = w.vanished || errors.Is(err, fs.ErrNotExist)
		return fmt.Errorf("begin segment %q: %w", f.name, err)
	}
	vanished := w.vanished
	*w = active{
		seg: f, file: df, vanished: vanished, next: w.next, lastSeq: w.lastSeq, oldest: h.Clock.Log, newest: h.Clock.Log, lastID: w.lastID,
		out: h.Append(w.out[:0]), refs: map[uint32]column.Ref{},
	}
	s.PutFrames(snapshot, segment.FlagMeta)
	w.dictLen = s.putCounts(counts)
	if err = s.Sync(); err == nil {
		err = s.fs.SyncDir(s.dir)
	}
	if err == nil && first {
		err = s.syncHome()
	}
	if err != nil {
		err = errors.Join(err, df.Close())
		w.file = nil
		_ = s.fs.Remove(s.path(f.name)) // an empty segment left behind does no harm
		return fmt.Errorf("begin segment %q: %w", f.name, err)
	}
	if w.vanished = false; vanished {
		s.forget()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segs = append(s.segs, f)
	return nil
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

// Put adds a block of samples, as rows, and before it those of its entries that
// the segment does not hold yet. It is written at once or with the next Sync.
func (s *Store) Put(b *segment.Block, entries []*dict.Entry) error {
	w := &s.w
	rows := b.Payload
	frames := s.enter(b, entries)
	w.dictLen += s.PutFrames(frames, segment.FlagDict)
	if w.count == 0 {
		w.oldest = b.Time
	}
	w.newest = b.Time
	b.Raw = uint32(len(rows))
	b.Codec, b.Payload = s.pack.Pack(rows, int(b.Count), w.ref)
	s.remember(b, entries)
	w.block(b)
	w.next, w.lastSeq = b.End(), max(w.lastSeq, b.LastSeq)
	w.count += uint64(b.Count)
	if len(w.out) >= bulk {
		return s.Flush()
	}
	return nil
}

// enter takes those entries into the segment's dictionary that it does not hold
// yet, and returns their frames. What samples of a tag are compared with is its
// last value; of a new tag, that in b.
func (s *Store) enter(b *segment.Block, entries []*dict.Entry) (frames [][]byte) {
	w := &s.w
	looked := false
	for _, e := range entries {
		if e.Segment == w.seg.ID {
			continue
		}
		if e.Tag != nil && e.Last == (column.Ref{}) {
			if !looked {
				s.pack.Pack(b.Payload, int(b.Count), w.ref)
				looked = true
			}
			e.Last = s.pack.Last(e.ID)
		}
		e.Segment, e.Ref = w.seg.ID, e.Last
		if e.Tag != nil {
			w.refs[e.ID] = e.Ref
		}
		w.dict = append(w.dict, e)
		frames = append(frames, e.Append(nil))
	}
	return frames
}

// ref is what samples of a tag in this segment are compared with.
func (w *active) ref(id uint32) column.Ref { return w.refs[id] }

// remember notes the last value of every tag in a block that was packed.
func (s *Store) remember(b *segment.Block, entries []*dict.Entry) {
	if b.Codec == column.Rows {
		return
	}
	for _, e := range entries {
		if e.Tag != nil {
			e.Last = s.pack.Last(e.ID)
		}
	}
}

// putCounts adds the counters of all tags and returns their size on disk.
func (s *Store) putCounts(counts [][]byte) (size int) {
	for _, p := range counts {
		size += s.putPacked(segment.FlagCounts, p)
	}
	return size
}

// putPacked adds a block without samples and returns its size on disk.
func (s *Store) putPacked(flags segment.Flags, p []byte) int {
	b := segment.Block{Flags: flags, FirstOrd: s.w.next, Raw: uint32(len(p))}
	b.Codec, b.Payload = s.pack.PackFrames(p)
	s.w.block(&b)
	return b.Size()
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
		size += s.putPacked(flags, p)
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
// be given up: its file must never be synced again. It fails with ErrVanished
// where that has lost its name: nobody would find it again.
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
	if err := s.Present(); err != nil {
		return err
	}
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
// dictionary, so that one damaged block of it costs nothing, the counters of
// all tags, and the footer.
func (s *Store) Seal(nextSeq uint64, counts [][]byte) error {
	if s.w.file == nil {
		return nil
	}
	s.putDictAgain()
	s.putCounts(counts)
	if err := s.putFooter(nextSeq, false); err != nil {
		return err
	}
	return s.closeSealed()
}

// End ends the last segment of a run, and says in it that nothing came after.
// No later segment tells where this one ends: a second footer, on a page of
// its own, does.
func (s *Store) End(nextSeq uint64, counts [][]byte) error {
	if s.w.file == nil {
		return nil
	}
	s.putDictAgain()
	s.putCounts(counts)
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
	s.spare.Release()
	if s.w.file == nil {
		return nil
	}
	err := s.w.file.Close()
	s.w.file = nil
	return err
}
