// Package names reads the dictionary of a segment: what its numbers of tags and
// reasons mean.
//
// A Table belongs to one goroutine at a time, and nothing in it blocks.
package names

import (
	"fieldferry/buffer/column"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/segment"
	"fieldferry/tag"
)

// Table is the dictionary of one segment. What it says of its numbers is all
// that counts: another one may use them differently.
type Table struct {
	known func(fields frame.Fields) *tag.Tag
	tags  map[uint32]named
	texts map[uint32]string
	pack  column.Unpacker
}

type named struct {
	tag  *tag.Tag
	base frame.Base
}

// New returns a table without entries. known finds the one pointer for a tag's
// fields, and nil for corrupt ones.
func New(known func(fields frame.Fields) *tag.Tag) Table {
	t := Table{known: known}
	t.Clear()
	return t
}

// Clear forgets all entries: another segment follows.
func (n *Table) Clear() { n.tags, n.texts = map[uint32]named{}, map[uint32]string{} }

// Plain is the payload of a block without samples; none where it cannot be
// read. It is valid until the next call.
func (n *Table) Plain(b *segment.Block) []byte {
	p, err := n.pack.Unpack(b.Codec, b.Payload, int(b.Raw), 0, nil)
	if err != nil {
		return nil
	}
	return p
}

// Learn takes a dictionary block.
func (n *Table) Learn(b *segment.Block) {
	d := frame.Dict{
		Tag: func(id uint32, base frame.Base, fields frame.Fields) {
			if t := n.known(fields); t != nil {
				n.tags[id] = named{t, base}
			}
		},
		Reason: func(id uint32, text string) { n.texts[id] = text },
	}
	_ = d.Read(n.Plain(b)) // entries before a corrupt one count
}

// Ref is the value that samples of a tag are compared with.
func (n *Table) Ref(id uint32) column.Ref {
	t, ok := n.tags[id]
	if !ok {
		return column.Ref{Kind: column.Unknown}
	}
	return column.Ref{Kind: t.base.Kind, Num: t.base.Num}
}

// Name finds the tag and the reason of a row, and makes its counter the tag's
// own. It reports false where they are not known.
func (n *Table) Name(row *frame.Row) bool {
	t, ok := n.tags[row.Tag]
	if !ok {
		return false
	}
	text := row.Sample.Quality.Reason
	if row.Reason != 0 {
		if text, ok = n.texts[row.Reason]; !ok {
			return false
		}
	}
	row.Sample.Tag, row.Sample.Quality.Reason = t.tag, text
	row.N += t.base.N
	return true
}

// Device is the name of a tag's device, empty if it cannot be read.
func (n *Table) Device(id uint32) string {
	if t := n.tags[id].tag; t != nil {
		return t.Device.Name
	}
	return ""
}
