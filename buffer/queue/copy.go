package queue

import (
	"time"

	"fieldferry/buffer/frame"
	"fieldferry/tag"
)

// Copy is a reader's own copy of the block that it is at, and of the names in
// it. It is taken while nobody changes the queue, and read at leisure.
type Copy struct {
	Rows   frame.Rows // what is left to read
	Epoch  uint32
	time   time.Duration // when the block was begun
	serial uint64        // of the block; 0: none
	frames []byte
	count  uint32
	names  int // entries of the block that tags and texts hold
	tags   map[uint32]named
	texts  map[uint32]string
}

// named is a tag, and what its counter is told as the difference to.
type named struct {
	tag  *tag.Tag
	base uint64
}

// maxCopyTags bounds the names that are kept from block to block.
const maxCopyTags = 1 << 18

// Drop forgets the block.
func (c *Copy) Drop() { c.serial, c.Rows = 0, frame.Rows{} }

// Update copies what b holds beyond the copy, and the names that it needs. The
// copy of a new block begins with the sample before which ord others came.
func (c *Copy) Update(b *Block, ord uint64) {
	fresh := c.serial != b.Serial
	if fresh {
		c.serial, c.frames, c.count, c.Epoch, c.time, c.names = b.Serial, c.frames[:0], 0, b.Epoch, b.Time, 0
		c.Rows = frame.NewRows(nil, 0, b.Seq)
		if c.tags == nil || len(c.tags) > maxCopyTags {
			c.tags, c.texts = map[uint32]named{}, map[uint32]string{}
		}
	}
	c.frames = append(c.frames, b.Frames[len(c.frames):]...)
	c.Rows.More(c.frames, b.Count-c.count)
	c.count = b.Count
	for _, e := range b.Entries[c.names:] {
		if e.Tag != nil {
			c.tags[e.ID] = named{e.Tag, e.Base}
		} else {
			c.texts[e.ID] = e.Reason
		}
	}
	c.names = len(b.Entries)
	var row frame.Row
	for o := b.Ord; fresh && o < ord && c.Rows.Next(&row) == nil; o++ {
		continue
	}
}

// Name finds the tag and the reason of a row, the very ones that were
// appended, and makes its counter the tag's own.
func (c *Copy) Name(row *frame.Row) bool {
	t := c.tags[row.Tag]
	if t.tag == nil {
		return false
	}
	row.Sample.Tag = t.tag
	row.N += t.base
	if row.Reason == 0 {
		return true
	}
	text, ok := c.texts[row.Reason]
	row.Sample.Quality.Reason = text
	return ok
}

// Time is when the block was begun, by the log's own time.
func (c *Copy) Time() time.Duration { return c.time }

// Hurt is told that a row could not be read. Memory is not set aside.
func (*Copy) Hurt() {}
