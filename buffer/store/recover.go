package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	iofs "io/fs"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"fieldferry/buffer/clock"
	"fieldferry/buffer/column"
	"fieldferry/buffer/disk"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/segment"
	"fieldferry/buffer/spare"
	"fieldferry/buffer/tally"
)

// Tail is what the newest segments say about the end of the log.
type Tail struct {
	Ord     uint64 // samples appended to the log
	NextSeq uint64 // above every durable sequence number
	Epoch   uint32
	Empty   bool // there is no log yet
	Clean   bool // the log was closed in order
	Known   bool // the accounts are complete
	Clock   frame.Clock
	Time    time.Duration // the log's own time
	Readers map[string]frame.Reader
	Dropped []frame.Count
	Drops   []frame.Drop // the last ones, by number
	Clocks  clock.Table
	// Counts are the counters of all tags, as they were at the start of the
	// newest segment, or at its end where that was clean. nil: not known.
	Counts *tally.Tally

	limit    uint64 // what a segment says of samples beyond it is void: the next one has them again
	counts   counts
	pack     column.Unpacker // for frames
	snapshot bool            // the one at the start of the segment was read
	wanted   uint32          // accounts in it
}

// Open reads what earlier runs left in dir. It fails only if dir is there and
// cannot be listed. Segments take limit bytes, files that are set aside at most aside.
func Open(fs disk.FS, dir string, limit, aside int64, log *slog.Logger) (*Store, Tail, error) {
	s := &Store{spare: spare.New(fs, dir, limit), fs: fs, dir: dir, limit: limit, aside: aside, log: log, pack: column.NewPacker()}
	names, err := fs.ReadDir(dir)
	if err != nil && !errors.Is(err, iofs.ErrNotExist) { // it is made with the first segment
		return nil, Tail{}, err
	}
	s.list(names)
	t := s.readTail()
	s.w.next, s.w.lastSeq = t.Ord, t.NextSeq-1
	return s, t, nil
}

// Void says that the samples from ord on, of the newest segment, count for
// nothing: the next segment has them again. The one before them had the number
// seq, or a lower one.
func (s *Store) Void(ord, seq uint64) {
	s.w.next, s.w.lastSeq = ord, seq
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.segs); n > 0 {
		s.segs[n-1].end = max(ord, s.segs[n-1].FirstOrd)
	}
}

// list finds the files of the log. Those of other logs and of later formats
// are left alone.
func (s *Store) list(names []string) {
	byLog := map[uint64][]*file{}
	for _, name := range names {
		if name == spare.Name {
			_ = s.fs.Remove(s.path(name)) // or by the next Allocate
		}
		if strings.HasSuffix(name, Suffix) {
			s.usage.Aside++
			s.usage.AsideBytes += s.fileSize(name)
		}
		var h segment.Header
		if !h.ParseName(name) {
			continue
		}
		size := s.fileSize(name)
		f := &file{Header: h, name: name, size: size, used: size}
		if err := s.readHeader(f); err != nil {
			s.log.Warn("segment left alone", "file", name, "err", err)
			continue
		}
		byLog[h.Log] = append(byLog[h.Log], f)
	}
	for log, segs := range byLog {
		if len(segs) > len(s.segs) || len(segs) == len(s.segs) && log > s.id {
			s.id, s.segs = log, segs
		}
	}
	if len(byLog) > 1 {
		s.log.Warn("segments of other logs are left alone", "logs", len(byLog)-1)
	}
	if s.id == 0 {
		s.id = randomID()
	}
	slices.SortFunc(s.segs, func(x, y *file) int { return int(int64(x.ID) - int64(y.ID)) })
	for i, f := range s.segs {
		s.w.lastID = max(s.w.lastID, f.ID)
		f.end = f.FirstOrd
		if i > 0 {
			before := s.segs[i-1]
			before.end = max(before.FirstOrd, f.FirstOrd)
		}
	}
}

func randomID() uint64 {
	var p [8]byte
	_, _ = rand.Read(p[:]) // it never fails
	return binary.LittleEndian.Uint64(p[:]) | 1
}

func (s *Store) fileSize(name string) int64 {
	f, err := s.fs.Open(s.path(name))
	if err != nil {
		return 0
	}
	defer f.Close() // it was only looked at
	n, err := f.Size()
	if err != nil {
		return 0
	}
	return n
}

// readHeader completes what the name says. A header that cannot be read costs
// nothing but the time of the segment.
func (s *Store) readHeader(f *file) error {
	df, err := s.fs.Open(s.path(f.name))
	if err != nil {
		return nil
	}
	defer df.Close() // it was only read
	p := make([]byte, segment.HeaderSize)
	n, err := df.ReadAt(p, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	var h segment.Header
	err = h.Parse(p[:n])
	switch {
	case errors.Is(err, segment.ErrVersion):
		return err
	case err == nil && h.Name() == f.name:
		f.Header = h
	default:
		f.damaged.Store(true)
	}
	return nil
}

// readTail reads the newest segment, and as many before it as it takes to
// know the readers.
func (s *Store) readTail() Tail {
	t := Tail{NextSeq: 1, Epoch: 1, Readers: map[string]frame.Reader{}}
	if len(s.segs) == 0 {
		t.Empty, t.Known, t.Counts = true, true, new(tally.Tally)
		return t
	}
	const most = 4
	var parts []Tail
	for i := len(s.segs) - 1; i >= 0 && len(parts) < most; i-- {
		p := s.readSegment(s.segs[i], i == len(s.segs)-1)
		parts = append(parts, p)
		if p.Known {
			break
		}
	}
	for i := range slices.Backward(parts) {
		t.merge(&parts[i])
	}
	if t.Counts = parts[0].counts.all(t.Clean, t.Ord); t.Counts == nil {
		// The next run gives the numbers after an unclean end: they jump.
		s.log.Warn("the counters of tags cannot be read")
		t.Clean = false
	}
	for _, r := range t.Readers {
		t.Ord = max(t.Ord, r.Ord) // a position is only saved after its samples
	}
	return t
}

// merge adds what a later segment says.
func (t *Tail) merge(p *Tail) {
	t.Ord, t.NextSeq = max(t.Ord, p.Ord), max(t.NextSeq, p.NextSeq)
	t.Epoch = max(t.Epoch, p.Epoch)
	t.Clean = p.Clean
	t.Known = t.Known || p.Known
	t.Time = max(t.Time, p.Time)
	for _, c := range p.Clocks.Entries() {
		t.Clocks.Note(c)
	}
	if p.Clock.Log >= t.Clock.Log {
		t.Clock = p.Clock
	}
	for i := range p.Drops {
		t.drop(&p.Drops[i])
	}
	if p.Dropped != nil {
		t.Dropped = p.Dropped
	}
	for name, r := range p.Readers {
		t.Readers[name] = r
		if r.Removed {
			delete(t.Readers, name)
		}
	}
}

// readSegment reads one segment. Only of the last one it is not known where
// it ends: there a block that cannot be read is damage if anything behind it
// shows that it was durable, else it is the torn end of an unclean stop.
func (s *Store) readSegment(f *file, last bool) Tail {
	t := Tail{Ord: f.FirstOrd, NextSeq: f.FirstSeq, Epoch: f.Epoch, Clock: f.Clock, Time: f.Clock.Log, Readers: map[string]frame.Reader{}}
	df, err := s.fs.Open(s.path(f.name))
	if err != nil {
		s.log.Error("segment cannot be opened", "file", f.name, "err", err)
		return t
	}
	defer df.Close() // it was only read
	if t.limit = f.end; last {
		t.limit = math.MaxUint64
	}
	proven := proven(df, f)
	off := int64(segment.HeaderSize)
	for sc := scan(df, f); ; {
		b, err := sc.Next()
		if err != nil || !last && b.FirstOrd >= f.end && b.Count > 0 {
			break
		}
		if b.Skipped > 0 {
			if last && off >= proven {
				s.log.Warn("torn end of the log cut", "file", f.name, "offset", off)
				break
			}
			f.damaged.Store(true)
		}
		off = sc.Offset()
		if t.add(&b); t.Clean {
			break // behind it is only its copy
		}
	}
	t.Known = t.snapshot && len(t.Readers) >= int(t.wanted)
	if last {
		f.end = max(t.Ord, f.FirstOrd)
		if !t.Clean {
			s.settle(df, f, min(proven, off), off)
		}
	}
	return t
}

func scan(r io.ReaderAt, f *file) *segment.Scanner {
	sc := segment.NewScanner(r, f.Key(), segment.HeaderSize, f.size)
	sc.Lossy = true
	return sc
}

// proven returns the offset below which everything was durable once, as far
// as the blocks tell.
func proven(r io.ReaderAt, f *file) int64 {
	off := int64(segment.HeaderSize)
	for sc := scan(r, f); ; {
		b, err := sc.Next()
		if err != nil {
			return off
		}
		off = max(off, int64(b.Durable))
	}
}

// add takes one block into account.
func (t *Tail) add(b *segment.Block) {
	t.Epoch = max(t.Epoch, b.Epoch)
	switch {
	case b.Flags&segment.FlagDict != 0: // for readers
	case b.Flags&segment.FlagCounts != 0:
		t.counts.add(b.FirstOrd, t.plain(b))
	case b.Flags != 0:
		t.addMeta(b)
	default:
		t.Ord, t.NextSeq = max(t.Ord, b.End()), max(t.NextSeq, b.LastSeq+1)
		t.Time = max(t.Time, b.Time)
	}
}

// plain is the payload of a block without samples; none where it cannot be
// read. It is valid until the next call.
func (t *Tail) plain(b *segment.Block) []byte {
	p, err := t.pack.Unpack(b.Codec, b.Payload, int(b.Raw), 0, nil)
	if err != nil {
		return nil
	}
	return p
}

func (t *Tail) addMeta(b *segment.Block) {
	snapshot, stated, readers := false, false, uint32(0)
	m := frame.Meta{
		Reader: func(r *frame.Reader) {
			if r.Ord <= t.limit {
				t.Readers[r.Name] = *r
			}
		},
		State: func(s *frame.State) { t.Dropped, readers, stated = s.Dropped, s.Readers, true },
		Clock: func(c *frame.Clock) {
			t.Clock, snapshot = *c, stated // in a snapshot the state comes first
			t.Clocks.Note(*c)
		},
		Drop: func(d *frame.Drop) {
			if d.To > t.limit {
				return
			}
			if t.drop(d); d.From == t.Ord {
				t.Ord, t.NextSeq = d.To, max(t.NextSeq, d.LastSeq+1)
			}
		},
		Skip: func(s frame.Gap) {
			if s.From == t.Ord && s.To <= t.limit {
				t.Ord, t.NextSeq = s.To, max(t.NextSeq, s.LastSeq+1)
			}
		},
		Footer: func(f *frame.Footer) {
			t.Clean = f.Clean
			t.Ord, t.NextSeq = max(t.Ord, min(f.EndOrd, t.limit)), max(t.NextSeq, f.NextSeq)
		},
	}
	_ = m.Read(t.plain(b)) // frames before a corrupt one count
	if snapshot {
		t.snapshot, t.wanted = true, readers
	}
}

// maxDrops is how many drops are remembered one by one.
const maxDrops = 64

// drop remembers a drop that was not read yet. They come in order.
func (t *Tail) drop(d *frame.Drop) {
	if n := len(t.Drops); n > 0 && t.Drops[n-1].ID >= d.ID {
		return
	}
	t.Drops = append(t.Drops, *d)
	if len(t.Drops) > maxDrops {
		t.Drops = slices.Delete(t.Drops, 0, 1)
	}
}

// settle makes the end of an unclean run durable, from the offset proven up
// to end, which may have been in the memory of the machine alone: what is
// built on it must not outlive it. It is written again, because a sync that
// failed in that run may have left it looking as if it were on the disk. The
// space behind end is given back. A torn end that holds anything stays as it
// is: readers know that the log goes on in the next segment.
func (s *Store) settle(r io.ReaderAt, f *file, proven, end int64) {
	if err := s.rewrite(r, f, proven, end); err != nil {
		s.log.Warn("the end of the log cannot be made durable", "file", f.name, "err", err)
	}
}

func (s *Store) rewrite(r io.ReaderAt, f *file, proven, end int64) error {
	w, err := s.fs.Create(s.path(f.name), 0)
	if err != nil {
		return err
	}
	defer w.Close() // it was synced
	buf := make([]byte, min(64<<10, end-proven))
	for at := proven; at < end; {
		n, err := r.ReadAt(buf[:min(int64(len(buf)), end-at)], at)
		if n == 0 && err != nil {
			return err
		}
		if _, err := w.WriteAt(buf[:n], at); err != nil {
			return err
		}
		at += int64(n)
	}
	if zeros(r, end, f.size) && w.Truncate(end) == nil {
		f.size, f.used = end, end
	}
	return w.Sync()
}

// zeros says that a file holds nothing but zeros between two offsets.
func zeros(r io.ReaderAt, from, to int64) bool {
	buf := make([]byte, min(64<<10, max(0, to-from)))
	for at := from; at < to; {
		n, err := r.ReadAt(buf[:min(int64(len(buf)), to-at)], at)
		if slices.ContainsFunc(buf[:n], func(c byte) bool { return c != 0 }) {
			return false
		}
		at += int64(n)
		if err != nil || n == 0 {
			return errors.Is(err, io.EOF)
		}
	}
	return true
}
