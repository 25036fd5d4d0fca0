package inspect

import (
	"io"

	"fieldferry/buffer/column"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/segment"
	"fieldferry/tag"
)

// This file is all that knows how blocks and frames are decoded.

// blocks calls use for each intact block of a segment from an offset on, until
// it returns false. It returns where the last of them ends.
func (s *Segment) blocks(r io.ReaderAt, from int64, use func(*segment.Block) bool) int64 {
	sc := segment.NewScanner(r, s.Key(), from, s.Size)
	sc.Lossy = true
	var pack column.Unpacker
	for {
		b, err := sc.Next()
		if err == nil {
			plain(&b, &pack)
		}
		if err != nil || !use(&b) {
			return sc.Offset()
		}
	}
}

func isDict(b *segment.Block) bool   { return b.Flags&segment.FlagDict != 0 }
func isFooter(b *segment.Block) bool { return b.Flags&segment.FlagFooter != 0 }
func isCounts(b *segment.Block) bool { return b.Flags&segment.FlagCounts != 0 }
func isMeta(b *segment.Block) bool   { return b.Flags != 0 && !isDict(b) && !isCounts(b) }

// plain decodes the payload of a block without samples; where it cannot be
// decoded it stays what it is, which no frame reads as.
func plain(b *segment.Block, pack *column.Unpacker) {
	if b.Flags == 0 {
		return
	}
	if p, err := pack.Unpack(b.Codec, b.Payload, int(b.Raw), 0, nil); err == nil {
		b.Payload, b.Codec = p, column.Rows
	}
}

// readFooter takes over what a footer says.
func (s *Segment) readFooter(b *segment.Block) {
	if !isFooter(b) {
		return
	}
	m := frame.Meta{Footer: func(f *frame.Footer) {
		s.footer, s.clean = true, f.Clean
		s.Count, s.Next = f.EndOrd, f.NextSeq
		s.Ended = s.wall(f.Newest)
	}}
	_ = m.Read(b.Payload) // without a footer in it, it is none
}

// names is the dictionary of one segment.
type names struct {
	tags    map[uint32]*tag.Tag
	bases   map[uint32]frame.Base
	reasons map[uint32]string
	whole   bool // all of the segment's dictionary was read

	frames, samples column.Unpacker
}

func newNames() names {
	return names{tags: map[uint32]*tag.Tag{}, bases: map[uint32]frame.Base{}, reasons: map[uint32]string{}}
}

// rows returns the samples of a block. They are valid until the next call.
func (n *names) rows(b *segment.Block, r io.ReaderAt, s *Segment) (frame.Rows, error) {
	ref := func(id uint32) column.Ref {
		if _, known := n.bases[id]; !known {
			n.learnAll(r, s)
		}
		base, known := n.bases[id]
		if !known {
			return column.Ref{Kind: column.Unknown}
		}
		return column.Ref{Kind: base.Kind, Num: base.Num}
	}
	p, err := n.samples.Unpack(b.Codec, b.Payload, int(b.Raw), int(b.Count), ref)
	return frame.NewRows(p, b.Count, b.FirstSeq), err
}

// learn takes a dictionary block. The error says what in it is wrong; what
// came before that counts.
func (n *names) learn(payload []byte) error {
	var bad error
	d := frame.Dict{
		Tag: func(id uint32, b frame.Base, fields frame.Fields) {
			t, err := fields.Tag()
			if err != nil {
				bad = err
				return
			}
			n.tags[id], n.bases[id] = t, b
		},
		Reason: func(id uint32, text string) { n.reasons[id] = text },
	}
	if err := d.Read(payload); err != nil {
		return err
	}
	return bad
}

// learnAll reads the dictionary of the whole segment: a damaged part of it is
// there a second time, at its end.
func (n *names) learnAll(r io.ReaderAt, s *Segment) {
	if n.whole {
		return
	}
	n.whole = true
	s.blocks(r, segment.HeaderSize, func(b *segment.Block) bool {
		if isDict(b) {
			_ = n.learn(b.Payload) // what can be read counts
		}
		return true
	})
}

// name completes a row. Where the dictionary does not have the tag it stands
// for itself with its number, and name reports false.
func (n *names) name(row *frame.Row, r io.ReaderAt, s *Segment) bool {
	known := n.fill(row)
	if !known {
		n.learnAll(r, s)
		known = n.fill(row)
	}
	return known
}

func (n *names) fill(row *frame.Row) bool {
	row.Sample.Tag = n.tags[row.Tag]
	text, known := n.reasons[row.Reason], true
	if row.Reason != 0 {
		if _, known = n.reasons[row.Reason]; known {
			row.Sample.Quality.Reason = text
		}
	}
	return row.Sample.Tag != nil && known
}

// number is what the sample of a row is of the samples of its tag, counted from
// 1; 0 where that is not known.
func (n *names) number(row *frame.Row) uint64 {
	base, known := n.bases[row.Tag]
	if !known {
		return 0
	}
	return base.N + row.N
}

// beyond returns the count of the sample that comes next, behind those that a
// meta block says were never written, and the highest sequence number of these.
func beyond(count uint64, b *segment.Block) (next, seq uint64) {
	pass := func(from, to, last uint64) {
		if from == count {
			count, seq = to, max(seq, last)
		}
	}
	m := frame.Meta{
		Drop: func(d *frame.Drop) { pass(d.From, d.To, d.LastSeq) },
		Skip: func(g frame.Gap) { pass(g.From, g.To, g.LastSeq) },
	}
	_ = m.Read(b.Payload) // frames before a corrupt one count
	return count, seq
}
