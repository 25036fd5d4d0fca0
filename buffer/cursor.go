package buffer

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"fieldferry/buffer/disk"
	"fieldferry/buffer/segment"
)

// cursor is a reader's place in a segment on disk. It reads the segment from
// its start, block by block, and checks every checksum again.
type cursor struct {
	r     *Reader
	seg   *seg // nil: none is open
	end   uint64
	size  int64 // of the file, at most
	file  disk.File
	scan  *segment.Scanner
	rows  segment.Rows // of the block that the reader is in
	epoch uint32
	dict  names
	copy2 bool   // the second copy of the dictionary was read
	gaps  []hole // what meta blocks have said about samples that are not there
	fails int    // in a row
}

// leave closes the segment.
func (c *cursor) leave() {
	if c.file != nil {
		_ = c.file.Close() // it was only read
	}
	*c = cursor{r: c.r, fails: c.fails, gaps: c.gaps[:0]}
}

// pause is how long the disk is left alone after it could not be read.
func (c *cursor) pause() time.Duration {
	return min(100*time.Millisecond<<min(c.fails, 8), 10*time.Second)
}

// take appends samples from the segment that holds the next one, or passes
// over what is not there. It reports false when the disk must be tried again.
func (c *cursor) take(dst []Entry) ([]Entry, bool) {
	r := c.r
	if c.seg == nil || r.next >= c.end || r.next < c.seg.FirstOrd {
		if c.seg != nil && r.next == c.end && c.grown() {
			return dst, true
		}
		return dst, c.enter()
	}
	if c.rows.Left() == 0 {
		return dst, c.block()
	}
	var ok bool
	if dst, ok = r.decode(dst, &c.rows, c.epoch, c); !ok {
		c.damage(r.next + uint64(c.rows.Left()))
		c.rows = segment.Rows{}
	}
	return dst, true
}

// grown takes notice of what was written to the segment since.
func (c *cursor) grown() bool {
	c.r.b.mu.Lock()
	defer c.r.b.mu.Unlock()
	before := c.end
	c.end = c.seg.end
	return c.end > before
}

// enter opens the segment that holds the next sample. Samples that no segment
// holds are missing.
func (c *cursor) enter() bool {
	c.leave()
	r, b := c.r, c.r.b
	b.mu.Lock()
	s, until := b.segmentLocked(r.next)
	var end uint64
	var size int64
	if s != nil {
		end, size = s.end, s.size
	}
	b.mu.Unlock()
	if s == nil {
		r.pass(hole{from: r.next, to: until, reason: reasonMissing})
		return true
	}
	f, err := b.fs.Open(b.path(s.name))
	if err != nil {
		return c.failed(s, end, err)
	}
	c.dict = newNames()
	c.seg, c.end, c.file, c.size = s, end, f, max(size, b.lim.segment)
	c.scan = segment.NewScanner(f, s.Key(), segment.HeaderSize, c.size)
	return true
}

// segmentLocked finds the segment that holds a sample which is on disk, or
// where the next one begins.
func (b *Buffer) segmentLocked(ord uint64) (*seg, uint64) {
	i, _ := slices.BinarySearchFunc(b.segs, ord, func(s *seg, ord uint64) int {
		if s.end <= ord {
			return -1
		}
		return 1
	})
	if i == len(b.segs) {
		return nil, b.diskOrd
	}
	if s := b.segs[i]; s.FirstOrd > ord {
		return nil, s.FirstOrd
	}
	return b.segs[i], 0
}

// failed decides what an error means: a file that is gone while the directory
// is there is missing; everything else may pass.
func (c *cursor) failed(s *seg, end uint64, err error) bool {
	b := c.r.b
	c.fails++
	if errors.Is(err, fs.ErrNotExist) {
		if names, err := b.fs.ReadDir(b.cfg.Dir); err == nil && !slices.Contains(names, s.name) && len(names) > 0 {
			c.fails = 0
			b.log.Error("segment is gone", "file", s.name)
			c.r.pass(hole{from: c.r.next, to: end, reason: reasonMissing})
			return true
		}
	}
	if c.fails == 1 {
		b.log.Warn("segment cannot be read: trying again", "file", s.name, "err", err)
	}
	return false
}

// block goes to the block that holds the next sample. It reports false when
// the disk must be tried again.
func (c *cursor) block() bool {
	r := c.r
	for {
		f, err := c.scan.Next()
		switch {
		case errors.Is(err, io.EOF):
			c.damage(c.end)
			return true
		case err != nil:
			return c.unreadable(err)
		}
		c.fails = 0
		if f.Skipped > 0 {
			c.hurt()
		}
		switch {
		case f.Flags&segment.FlagDict != 0:
			c.learn(f.Payload)
		case f.Flags != 0:
			c.note(f.Payload)
		case f.End() <= r.next:
		case f.FirstOrd >= c.end:
			c.damage(c.end)
			return true
		default:
			c.open(&f.Block)
			return true
		}
		if c.passGap() {
			return true
		}
	}
}

// open begins a block of samples: what lies between it and the next sample
// is lost, and what comes before is passed over.
func (c *cursor) open(b *segment.Block) {
	r := c.r
	if b.FirstOrd > r.next {
		c.damage(b.FirstOrd)
	}
	c.rows, c.epoch = segment.NewRows(b), b.Epoch
	var row segment.Row
	for ord := b.FirstOrd; ord < r.next && c.rows.Next(&row) == nil; ord++ {
		continue
	}
}

// passGap passes over the samples that a meta block has accounted for.
func (c *cursor) passGap() bool {
	for _, g := range c.gaps {
		if g.from <= c.r.next && c.r.next < g.to {
			g.from = c.r.next
			c.r.pass(g)
			return true
		}
	}
	return false
}

// damage passes over samples that cannot be read.
func (c *cursor) damage(to uint64) {
	if to <= c.r.next {
		return
	}
	c.hurt()
	c.r.pass(hole{from: c.r.next, to: to, reason: reasonDamage})
}

// hurt notes that the segment has something in it that cannot be read: it is
// set aside instead of deleted.
func (c *cursor) hurt() {
	if !c.seg.damaged.Swap(true) {
		c.r.b.log.Error("segment is damaged", "file", c.seg.name)
	}
}

// tries is how often a read that fails is tried before its page counts as
// damage.
const tries = 3

// unreadable decides about an error of the disk in the middle of a segment.
// While not even the header can be read the disk is out; it is waited for.
func (c *cursor) unreadable(err error) bool {
	c.fails++
	if c.fails == 1 {
		c.r.b.log.Warn("segment cannot be read: trying again", "file", c.seg.name, "err", err)
	}
	if c.fails < tries {
		return false
	}
	if _, err := c.file.ReadAt(make([]byte, 8), 0); err != nil {
		c.leave() // it may be there again under the same name
		return false
	}
	c.scan.Lossy = true
	return true
}

// note keeps what a meta block says about samples that are not there.
func (c *cursor) note(payload []byte) {
	m := segment.Meta{
		Drop: func(d *segment.Drop) { c.gaps = append(c.gaps, hole{from: d.From, to: d.To, reason: d.Reason}) },
		Skip: func(s segment.Skip) { c.gaps = append(c.gaps, hole{from: s.From, to: s.To}) },
	}
	_ = m.Read(payload) // frames before a corrupt one count
}

// learn takes a dictionary block. What the segment says of its numbers is all
// that counts: another one may use them differently.
func (c *cursor) learn(payload []byte) {
	b := c.r.b
	b.mu.Lock()
	defer b.mu.Unlock()
	d := segment.Dict{
		Tag: func(id uint32, fields []byte) {
			if t := b.dict.known(fields); t != nil {
				c.dict.tags[id] = t
			}
		},
		Reason: func(id uint32, text string) { c.dict.reasons[id] = text },
	}
	_ = d.Read(payload) // entries before a corrupt one count
}

// name finds the tag and the reason of a row in the segment's dictionary: in
// the second copy at its end, if the first is damaged.
func (c *cursor) name(row *segment.Row) bool {
	if c.dict.name(row) {
		return true
	}
	if c.copy2 {
		return false
	}
	c.copy2 = true
	sc := segment.NewScanner(c.file, c.seg.Key(), segment.HeaderSize, c.size)
	sc.Lossy = true
	for {
		f, err := sc.Next()
		if err != nil {
			return c.dict.name(row)
		}
		if f.Flags&segment.FlagDict != 0 {
			c.learn(f.Payload)
		}
	}
}
