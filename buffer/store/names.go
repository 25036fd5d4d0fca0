package store

import (
	"fieldferry/buffer/column"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/segment"
	"fieldferry/tag"
)

// names is the dictionary of one segment. What it says of its numbers is all
// that counts: another one may use them differently.
type names struct {
	known func(fields frame.Fields) *tag.Tag // nil for corrupt ones
	tags  map[uint32]named
	texts map[uint32]string
	pack  column.Unpacker
}

type named struct {
	tag  *tag.Tag
	base frame.Base
}

func (n *names) clear() { n.tags, n.texts = map[uint32]named{}, map[uint32]string{} }

// plain is the payload of a block without samples; none where it cannot be
// read. It is valid until the next call.
func (n *names) plain(b *segment.Block) []byte {
	p, err := n.pack.Unpack(b.Codec, b.Payload, int(b.Raw), 0, nil)
	if err != nil {
		return nil
	}
	return p
}

// learn takes a dictionary block.
func (n *names) learn(b *segment.Block) {
	d := frame.Dict{
		Tag: func(id uint32, base frame.Base, fields frame.Fields) {
			if t := n.known(fields); t != nil {
				n.tags[id] = named{t, base}
			}
		},
		Reason: func(id uint32, text string) { n.texts[id] = text },
	}
	_ = d.Read(n.plain(b)) // entries before a corrupt one count
}

// ref is the value that samples of a tag are compared with.
func (n *names) ref(id uint32) column.Ref {
	t, ok := n.tags[id]
	if !ok {
		return column.Ref{Kind: column.Unknown}
	}
	return column.Ref{Kind: t.base.Kind, Num: t.base.Num}
}

// name finds the tag and the reason of a row.
func (n *names) name(row *frame.Row) bool {
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

// device is the name of a tag's device, empty if it cannot be read.
func (n *names) device(id uint32) string {
	if t := n.tags[id].tag; t != nil {
		return t.Device.Name
	}
	return ""
}
