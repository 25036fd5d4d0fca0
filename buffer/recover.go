package buffer

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"fieldferry/buffer/ring"
	"fieldferry/buffer/segment"
)

// epochGap is how far the sequence numbers jump after an unclean start: more
// than one run can have given without making any of them durable.
const epochGap = 1 << 38

// tail is what the newest segments say about the end of the log.
type tail struct {
	ord     uint64 // samples appended to the log
	nextSeq uint64 // above every durable sequence number
	epoch   uint32
	clean   bool // the log was closed in order
	known   bool // the accounts are complete

	snapshot bool   // the one at the start of the segment was read
	wanted   uint32 // accounts in it
	clock    segment.Clock
	time     time.Duration // the log's own time
	readers  map[string]segment.Reader
	state    segment.State
}

// recover reads what earlier runs left.
func (b *Buffer) recover() error {
	names, err := b.fs.ReadDir(b.cfg.Dir)
	if err != nil {
		return err
	}
	b.w.clock = b.fs.Clock()
	b.findSegments(names)
	t := b.readTail()
	b.w.next, b.diskOrd = t.ord, t.ord
	b.ord, b.runOrd = t.ord, t.ord
	b.epoch = max(t.epoch, 1)
	b.delta = t.nextSeq - 1 - t.ord
	b.lastSeq = t.nextSeq - 1
	b.dropped, b.statesOK = t.state.Dropped, t.known
	b.resumeTime(&t)
	for _, name := range slices.Sorted(keys(t.readers)) {
		r := t.readers[name]
		b.accounts = append(b.accounts, &account{Reader: r, saved: copyReader(&r), isSaved: true, cell: -1})
	}
	clean := t.clean || len(b.segs) == 0
	b.w.kept = b.recoverMemory(clean)
	if b.w.kept || !clean {
		b.epoch++
	}
	if !b.w.kept && !clean {
		b.delta += epochGap
	}
	for _, a := range b.accounts {
		if a.cell < 0 {
			a.cell = b.freeCellLocked()
		}
	}
	if b.ring == nil {
		b.newRing()
	}
	b.ring.SetEpoch(b.epoch)
	return nil
}

// freeCellLocked returns a cell of the ring that no account has, or
// ring.Cells.
func (b *Buffer) freeCellLocked() int {
	var taken [ring.Cells + 1]bool
	for _, a := range b.accounts {
		if a.cell >= 0 {
			taken[a.cell] = true
		}
	}
	for i := range ring.Cells {
		if !taken[i] {
			return i
		}
	}
	return ring.Cells
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// resumeTime lets the log's own time go on where it stood. The time that the
// machine was off counts only if both ends of it are vouched for.
func (b *Buffer) resumeTime(t *tail) {
	last, c := t.clock, b.w.clock
	off := c.Wall.Sub(last.Wall)
	switch {
	case c.Boot == last.Boot && c.Boot != [16]byte{}:
		off = c.Up - last.Up
	case !c.Trusted || !last.Trusted:
		off = 0
	}
	b.now = max(t.time, last.Log, last.Log+off)
}

// findSegments lists the files of the log. Those of other logs and of later
// formats are left alone.
func (b *Buffer) findSegments(names []string) {
	byLog := map[uint64][]*seg{}
	for _, name := range names {
		h, ok := segment.ParseName(name)
		if strings.HasSuffix(name, asideSuffix) {
			b.count.aside++
			b.count.asideBytes += b.fileSize(name)
		}
		if !ok {
			continue
		}
		size := b.fileSize(name)
		s := &seg{Header: h, name: name, size: size, used: size}
		if err := b.readHeader(s); err != nil {
			b.log.Warn("segment left alone", "file", name, "err", err)
			continue
		}
		byLog[h.Log] = append(byLog[h.Log], s)
	}
	for log, segs := range byLog {
		if len(segs) > len(b.segs) || len(segs) == len(b.segs) && log > b.id {
			b.id, b.segs = log, segs
		}
	}
	if len(byLog) > 1 {
		b.log.Warn("segments of other logs are left alone", "log", b.ID(), "logs", len(byLog))
	}
	if b.id == 0 {
		b.id = randomID()
	}
	slices.SortFunc(b.segs, func(x, y *seg) int { return int(int64(x.ID) - int64(y.ID)) })
	for i, s := range b.segs {
		b.w.lastID = max(b.w.lastID, s.ID)
		s.end = s.FirstOrd
		if i > 0 {
			before := b.segs[i-1]
			before.end = max(before.FirstOrd, s.FirstOrd)
		}
	}
}

func (b *Buffer) fileSize(name string) int64 {
	f, err := b.fs.Open(b.path(name))
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
func (b *Buffer) readHeader(s *seg) error {
	f, err := b.fs.Open(b.path(s.name))
	if err != nil {
		return nil
	}
	defer f.Close() // it was only read
	p := make([]byte, segment.HeaderSize)
	n, err := f.ReadAt(p, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	h, err := segment.ParseHeader(p[:n])
	switch {
	case errors.Is(err, segment.ErrVersion):
		return err
	case err == nil && h.Name() == s.name:
		s.Header = h
	default:
		s.damaged.Store(true)
	}
	return nil
}

func randomID() uint64 {
	var p [8]byte
	_, _ = rand.Read(p[:]) // it never fails
	return binary.LittleEndian.Uint64(p[:]) | 1
}

// readTail reads the newest segment, and as many before it as it takes to
// know the readers.
func (b *Buffer) readTail() tail {
	t := tail{nextSeq: 1, readers: map[string]segment.Reader{}}
	from := len(b.segs)
	var parts []tail
	for from > 0 && len(parts) < 4 {
		from--
		last := from == len(b.segs)-1
		p := b.readSegment(b.segs[from], last)
		parts = append(parts, p)
		if p.known {
			break
		}
	}
	for _, p := range slices.Backward(parts) {
		t.merge(&p)
	}
	if len(b.segs) == 0 {
		t.known = true
	}
	for _, r := range t.readers {
		t.ord = max(t.ord, r.Ord) // a position is only saved after its samples
	}
	return t
}

// merge adds what a later segment says.
func (t *tail) merge(p *tail) {
	t.ord, t.nextSeq = max(t.ord, p.ord), max(t.nextSeq, p.nextSeq)
	t.epoch = max(t.epoch, p.epoch)
	t.clean = p.clean
	t.known = t.known || p.known
	t.time = max(t.time, p.time)
	if p.clock.Log >= t.clock.Log {
		t.clock = p.clock
	}
	if p.state.Dropped != nil {
		t.state.Dropped = p.state.Dropped
	}
	for name, r := range p.readers {
		t.readers[name] = r
		if r.Removed {
			delete(t.readers, name)
		}
	}
}

// readSegment reads one segment. Only of the last one it is not known where
// it ends: there a block that cannot be read is damage if anything behind it
// shows that it was durable, else it is the torn end of an unclean stop.
func (b *Buffer) readSegment(s *seg, last bool) tail {
	t := tail{ord: s.FirstOrd, nextSeq: s.FirstSeq, epoch: s.Epoch, clock: s.Clock, readers: map[string]segment.Reader{}}
	f, err := b.fs.Open(b.path(s.name))
	if err != nil {
		b.log.Error("segment cannot be opened", "file", s.name, "err", err)
		return t
	}
	defer f.Close() // it was only read
	proven := b.proven(f, s)
	sc := b.scanner(f, s)
	off := int64(segment.HeaderSize)
	for {
		blk, err := sc.Next()
		if err != nil || !last && blk.FirstOrd >= s.end && blk.Flags&segment.FlagFooter == 0 && blk.Count > 0 {
			break
		}
		if blk.Skipped > 0 {
			if last && off >= proven {
				b.log.Warn("torn end of the log cut", "file", s.name, "offset", off)
				break
			}
			s.damaged.Store(true)
		}
		off = sc.Offset()
		if t.add(&blk.Block); t.clean {
			break // behind it is only its copy
		}
	}
	t.known = t.snapshot && len(t.readers) >= int(t.wanted)
	if last {
		s.end = max(t.ord, s.FirstOrd)
		if !t.clean {
			b.settleEnd(f, s, min(proven, off), off)
		}
	}
	return t
}

func (b *Buffer) scanner(f io.ReaderAt, s *seg) *segment.Scanner {
	sc := segment.NewScanner(f, s.Key(), segment.HeaderSize, s.size)
	sc.Lossy = true
	return sc
}

// proven returns the offset below which everything was durable once, as far
// as the blocks tell.
func (b *Buffer) proven(f io.ReaderAt, s *seg) int64 {
	off := int64(segment.HeaderSize)
	for sc := b.scanner(f, s); ; {
		blk, err := sc.Next()
		if err != nil {
			return off
		}
		off = max(off, int64(blk.Durable))
	}
}

// add takes one block into account.
func (t *tail) add(blk *segment.Block) {
	t.epoch = max(t.epoch, blk.Epoch)
	switch {
	case blk.Flags&segment.FlagDict != 0: // for readers
	case blk.Flags&(segment.FlagMeta|segment.FlagFooter) != 0:
		t.addMeta(blk)
	default:
		t.ord, t.nextSeq = max(t.ord, blk.End()), max(t.nextSeq, blk.FirstSeq+uint64(blk.Count))
		t.time = max(t.time, blk.Time)
	}
}

func (t *tail) addMeta(blk *segment.Block) {
	snapshot := false
	m := segment.Meta{
		Reader: func(r *segment.Reader) { t.readers[r.Name] = *r },
		State:  func(s *segment.State) { t.state = *s },
		Clock:  func(c *segment.Clock) { t.clock, snapshot = *c, true },
		Drop: func(d *segment.Drop) {
			if d.From == t.ord {
				t.ord, t.nextSeq = d.To, max(t.nextSeq, d.LastSeq+1)
			}
		},
		Skip: func(s segment.Skip) {
			if s.From == t.ord {
				t.nextSeq += s.To - s.From
				t.ord = s.To
			}
		},
		Footer: func(f *segment.Footer) {
			t.clean = f.Clean
			t.ord, t.nextSeq = max(t.ord, f.EndOrd), max(t.nextSeq, f.NextSeq)
		},
	}
	_ = m.Read(blk.Payload) // frames before a corrupt one count
	if snapshot {
		t.wanted, t.snapshot = t.state.Readers, true
	}
}

// settleEnd makes the end of an unclean run durable, from the offset proven
// up to end, which may have been in the memory of the machine alone: what is
// built on it must not outlive it. It is written again, because a sync that
// failed in that run may have left it looking as if it were on the disk. The
// space behind end is given back. A torn end that holds anything stays as it
// is: readers know that the log goes on in the next segment.
func (b *Buffer) settleEnd(f io.ReaderAt, s *seg, proven, end int64) {
	err := b.rewrite(f, s, proven, end)
	if err != nil {
		b.log.Warn("the end of the log cannot be made durable", "file", s.name, "err", err)
	}
}

func (b *Buffer) rewrite(f io.ReaderAt, s *seg, proven, end int64) error {
	w, err := b.fs.Create(b.path(s.name), 0)
	if err != nil {
		return err
	}
	defer w.Close() // it was synced
	buf := make([]byte, 64<<10)
	for at := proven; at < end; {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), end-at)], at)
		if n == 0 && err != nil {
			return err
		}
		if _, err := w.WriteAt(buf[:n], at); err != nil {
			return err
		}
		at += int64(n)
	}
	if b.zeros(f, s, end) && w.Truncate(end) == nil {
		s.size, s.used = end, end
	}
	return w.Sync()
}

// zeros says that the segment holds nothing but zeros from off on.
func (b *Buffer) zeros(f io.ReaderAt, s *seg, off int64) bool {
	buf := make([]byte, 64<<10)
	for at := off; at < s.size; {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), s.size-at)], at)
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

// stray moves the sequence numbers of a run that could not make its start
// durable: should this run end without a trace, the next one must not give
// the same ones again.
func (b *Buffer) stray() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.w.kept {
		return // they go on from numbers whose start is durable
	}
	b.delta += (1 + randomID()%1023) * epochGap
	b.newRing()
	b.log.Warn("the buffer starts without a disk: sequence numbers jump", "next", fmt.Sprint(b.ord+b.delta+1))
}
