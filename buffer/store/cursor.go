package store

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"fieldferry/buffer/column"
	"fieldferry/buffer/disk"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/names"
	"fieldferry/buffer/segment"
	"fieldferry/tag"
)

// Why samples are not there that nobody dropped.
const (
	Damaged = "damaged" // their block, or their name in the dictionary, cannot be read
	Missing = "missing" // their file is not there
)

// Cursor is a reader's place in the log on disk. It reads a segment from its
// start, block by block, and checks every checksum every time. It belongs to
// one goroutine at a time.
type Cursor struct {
	s     *Store
	seg   *file // nil: none is open
	end   uint64
	size  int64 // of the file, at most
	file  disk.File
	scan  *segment.Scanner
	rows  frame.Rows // of the block that was found
	epoch uint32
	time  time.Duration // when the block was begun
	names names.Table
	all   bool // the whole dictionary of the segment was read
	pack  column.Unpacker
	gaps  []frame.Gap // what meta blocks have said about samples that are not there
	fails int         // in a row
	ref   func(id uint32) column.Ref
}

// Cursor returns a new cursor. known finds the one pointer for a tag's fields,
// and nil for corrupt ones.
func (s *Store) Cursor(known func(fields frame.Fields) *tag.Tag) *Cursor {
	c := &Cursor{s: s, names: names.New(known)}
	c.ref = c.findRef
	return c
}

// Leave closes the segment.
func (c *Cursor) Leave() {
	if c.file != nil {
		_ = c.file.Close() // it was only read
	}
	c.seg, c.file, c.scan, c.rows, c.all, c.gaps = nil, nil, nil, frame.Rows{}, false, c.gaps[:0]
}

// Rows are the samples that Next has found, and the epoch they are of.
func (c *Cursor) Rows() (*frame.Rows, uint32) { return &c.rows, c.epoch }

// Time is when the block that Rows are of was begun, by the log's own time.
func (c *Cursor) Time() time.Duration { return c.time }

// Pause is how long the disk is to be left alone after it could not be read.
func (c *Cursor) Pause() time.Duration {
	return min(100*time.Millisecond<<min(c.fails, 8), 10*time.Second)
}

// Next looks for the sample before which ord others came. It returns a gap
// that begins there, or none, and Rows begin with the sample. It reports false
// when the disk could not be read and must be tried again after Pause.
//
// limit is where the log on disk ends.
func (c *Cursor) Next(ord, limit uint64) (gap frame.Gap, ok bool) {
	c.rows = frame.Rows{}
	if c.seg != nil && ord >= c.end {
		c.s.mu.Lock()
		c.end = c.seg.end // it may have grown
		c.s.mu.Unlock()
	}
	if c.seg == nil || ord >= c.end || ord < c.seg.FirstOrd {
		if gap, ok = c.enter(ord, limit); !ok || gap.To > 0 {
			return gap, ok
		}
	}
	return c.block(ord)
}

// enter opens the segment that holds the sample. Samples that no segment
// holds are missing.
func (c *Cursor) enter(ord, limit uint64) (gap frame.Gap, ok bool) {
	c.Leave()
	f, until := c.s.find(ord)
	if f == nil {
		if until == 0 {
			until = limit
		}
		return frame.Gap{From: ord, To: until, Reason: Missing}, true
	}
	df, err := c.s.fs.Open(c.s.path(f.name))
	if err != nil {
		return c.failed(f, ord, err)
	}
	c.names.Clear()
	c.s.mu.Lock()
	c.seg, c.end, c.file, c.size = f, f.end, df, max(f.size, c.s.limit)
	c.s.mu.Unlock()
	c.scan = segment.NewScanner(df, f.Key(), segment.HeaderSize, c.size)
	return frame.Gap{}, true
}

// find returns the segment that holds a sample, or else where the next one
// begins, 0 if there is none.
func (s *Store) find(ord uint64) (*file, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, _ := slices.BinarySearchFunc(s.segs, ord, func(f *file, ord uint64) int {
		if f.end <= ord {
			return -1
		}
		return 1
	})
	if i == len(s.segs) {
		return nil, 0
	}
	if f := s.segs[i]; f.FirstOrd > ord {
		return nil, f.FirstOrd
	}
	return s.segs[i], 0
}

// failed decides what an error means: a file that is gone while the directory
// is there is missing; everything else may pass.
func (c *Cursor) failed(f *file, ord uint64, err error) (frame.Gap, bool) {
	s := c.s
	c.fails++
	if errors.Is(err, fs.ErrNotExist) {
		if names, err := s.fs.ReadDir(s.dir); err == nil && !slices.Contains(names, f.name) && len(names) > 0 {
			c.fails = 0
			s.log.Error("segment is gone", "file", f.name)
			s.mu.Lock()
			defer s.mu.Unlock()
			return frame.Gap{From: ord, To: f.end, Reason: Missing}, true
		}
	}
	if c.fails == 1 {
		s.log.Warn("segment cannot be read: trying again", "file", f.name, "err", err)
	}
	return frame.Gap{}, false
}

// block goes to the block that holds the sample.
func (c *Cursor) block(ord uint64) (frame.Gap, bool) {
	for {
		f, err := c.scan.Next()
		switch {
		case errors.Is(err, io.EOF):
			return c.damage(ord, c.end), true
		case err != nil:
			if !c.unreadable(err) {
				return frame.Gap{}, false
			}
			continue
		}
		c.fails = 0
		if f.Skipped > 0 {
			c.Hurt()
		}
		switch {
		case f.Flags&segment.FlagDict != 0:
			c.names.Learn(&f)
		case f.Flags&segment.FlagCounts != 0:
		case f.Flags != 0:
			c.note(c.names.Plain(&f))
		case f.End() <= ord:
		case f.FirstOrd >= c.end:
			return c.damage(ord, c.end), true
		default:
			return c.open(&f, ord), true
		}
		if g, ok := c.gapAt(ord); ok {
			return g, true
		}
	}
}

// open begins a block of samples. What lies between ord and the block is
// lost, and what comes before ord in it is passed over.
func (c *Cursor) open(b *segment.Block, ord uint64) (gap frame.Gap) {
	if b.FirstOrd > ord {
		gap = c.damage(ord, b.FirstOrd)
	}
	rows, err := c.pack.Unpack(b.Codec, b.Payload, int(b.Raw), int(b.Count), c.ref)
	if err != nil {
		return c.damage(ord, b.End())
	}
	c.rows, c.epoch, c.time = frame.NewRows(rows, b.Count, b.FirstSeq), b.Epoch, b.Time
	var row frame.Row
	for o := b.FirstOrd; o < ord && c.rows.Next(&row) == nil; o++ {
		continue
	}
	return gap
}

// gapAt returns what a meta block has said of the sample.
func (c *Cursor) gapAt(ord uint64) (frame.Gap, bool) {
	for _, g := range c.gaps {
		if g.From <= ord && ord < g.To {
			g.From = ord
			return g, true
		}
	}
	return frame.Gap{}, false
}

func (c *Cursor) damage(from, to uint64) frame.Gap {
	c.Hurt()
	return frame.Gap{From: from, To: to, Reason: Damaged}
}

// Hurt notes that the segment has something in it that cannot be read: it is
// set aside instead of deleted.
func (c *Cursor) Hurt() {
	if c.seg != nil && !c.seg.damaged.Swap(true) {
		c.s.log.Error("segment is damaged", "file", c.seg.name)
	}
}

// tries is how often a read that fails is tried before its page counts as
// damage.
const tries = 3

// unreadable decides about an error of the disk in the middle of a segment,
// and reports whether to read on. While not even the header can be read the
// disk is out; it is waited for.
func (c *Cursor) unreadable(err error) bool {
	c.fails++
	if c.fails == 1 {
		c.s.log.Warn("segment cannot be read: trying again", "file", c.seg.name, "err", err)
	}
	if c.fails < tries {
		return false
	}
	if _, err := c.file.ReadAt(make([]byte, 8), 0); err != nil {
		c.Leave() // it may be there again under the same name
		return false
	}
	c.scan.Lossy = true
	return true
}

// note keeps what a meta block says about samples that are not there.
func (c *Cursor) note(payload []byte) {
	m := frame.Meta{
		Drop: func(d *frame.Drop) { c.gaps = append(c.gaps, frame.Gap{From: d.From, To: d.To, Reason: d.Reason}) },
		Skip: func(g frame.Gap) { c.gaps = append(c.gaps, g) },
	}
	_ = m.Read(payload) // frames before a corrupt one count
}

// findRef is the reference value of a tag.
func (c *Cursor) findRef(id uint32) column.Ref {
	if r := c.names.Ref(id); r.Kind != column.Unknown || c.all {
		return r
	}
	c.learnAll()
	return c.names.Ref(id)
}

// Name finds the tag and the reason of a row in the segment's dictionary, in
// the second copy at its end if the first is damaged, and makes its counter
// the tag's own.
func (c *Cursor) Name(row *frame.Row) bool {
	if c.names.Name(row) {
		return true
	}
	if c.all {
		return false
	}
	c.learnAll()
	return c.names.Name(row)
}

// learnAll reads all there is of the segment's dictionary.
func (c *Cursor) learnAll() {
	c.all = true
	sc := segment.NewScanner(c.file, c.seg.Key(), segment.HeaderSize, c.size)
	sc.Lossy = true
	for {
		f, err := sc.Next()
		if err != nil {
			return
		}
		if f.Flags&segment.FlagDict != 0 {
			c.names.Learn(&f)
		}
	}
}
