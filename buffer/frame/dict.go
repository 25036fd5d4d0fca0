package frame

import (
	"encoding/binary"
	"maps"
	"slices"

	"fieldferry/tag"
)

// maxFrame bounds a dictionary frame, so that each fits into a block.
const maxFrame = 32 << 10

// Fields are what a later run needs to know of a tag to route, name and
// describe its samples, as they lie in a dictionary. Equal fields mean the
// same tag.
type Fields []byte

// FieldsOf returns the fields of a tag. Labels that would make them larger
// than 32 KiB are left out.
func FieldsOf(t *tag.Tag) Fields {
	p := appendTagFields(nil, t, true)
	if len(p) > maxFrame {
		p = appendTagFields(nil, t, false)
	}
	return p
}

// Base is what the samples of a tag are told as the difference to, where that
// is not another sample of their block.
type Base struct {
	N    uint64 // of its counter
	Kind byte   // of the value, as Cells.Kind; 0: none
	Num  uint64 // the value, as Cells.Num
}

// Append appends the dictionary frame of the tag.
func (f Fields) Append(dst []byte, id uint32, b Base) []byte {
	p := binary.AppendUvarint(nil, uint64(id))
	p = binary.AppendUvarint(p, b.N)
	p = binary.AppendUvarint(append(p, b.Kind), b.Num)
	return appendFrame(dst, opTag, append(p, f...))
}

func appendTagFields(p []byte, t *tag.Tag, labels bool) []byte {
	p = append(p, byte(t.Class), retainByte(t.Retain))
	p = appendString(p, clip(t.Name))
	p = appendString(p, clip(t.Type))
	p = appendString(p, clip(t.Unit))
	dev := t.Device
	if dev == nil {
		dev = &tag.Device{}
	}
	link := ""
	if dev.Link != nil {
		link = dev.Link.Name
	}
	p = appendString(p, clip(dev.Name))
	p = appendString(p, clip(link))
	if !labels {
		return append(p, 0, 0)
	}
	p = appendLabels(p, dev.Labels, nil)
	return appendLabels(p, t.Labels, dev.Labels)
}

// clip keeps absurd names from making a frame too large for a block.
func clip(s string) string { return s[:min(len(s), 4<<10)] }

func retainByte(r *bool) byte {
	switch {
	case r == nil:
		return 0
	case *r:
		return 2
	}
	return 1
}

// appendLabels appends those labels that base does not already say. A tag's
// labels are its device's overlaid by its own, so this loses nothing.
func appendLabels(dst []byte, labels, base map[string]string) []byte {
	keys := slices.Sorted(maps.Keys(labels))
	keys = slices.DeleteFunc(keys, func(k string) bool {
		v, ok := base[k]
		return ok && v == labels[k]
	})
	dst = binary.AppendUvarint(dst, uint64(len(keys)))
	for _, k := range keys {
		dst = appendString(dst, k)
		dst = appendString(dst, labels[k])
	}
	return dst
}

// Reason is the text of a reason.
type Reason string

// Append appends the dictionary frame of the reason.
func (r Reason) Append(dst []byte, id uint32) []byte {
	p := binary.AppendUvarint(nil, uint64(id))
	return appendFrame(dst, opReason, appendString(p, string(r)))
}

func appendFrame(dst []byte, op byte, payload []byte) []byte {
	dst = append(dst, op)
	dst = binary.AppendUvarint(dst, uint64(len(payload)))
	return append(dst, payload...)
}

// Dict is called for the entries of a dictionary block. Either may be nil.
type Dict struct {
	Tag    func(id uint32, b Base, fields Fields)
	Reason func(id uint32, text string)
}

// Read reads a dictionary block. Entries before a corrupt one are delivered.
func (d Dict) Read(payload []byte) error {
	return eachFrame(payload, func(op byte, in *reader) {
		id := uint32(in.uvarint())
		switch {
		case in.err:
		case op == opTag && d.Tag != nil:
			b := Base{N: in.uvarint(), Kind: in.byte(), Num: in.uvarint()}
			if !in.err {
				d.Tag(id, b, in.p[in.off:])
			}
		case op == opReason && d.Reason != nil:
			if text := in.string(); !in.err {
				d.Reason(id, text)
			}
		}
	})
}

// Tag rebuilds a tag from its fields, with a device and a link of its
// own. Index, Address, Access, Interval, Options and the list of the device's
// tags are not kept in the log.
func (f Fields) Tag() (*tag.Tag, error) {
	in := reader{p: f}
	t := readTag(&in)
	if in.err {
		return nil, errFrame(opTag)
	}
	return t, nil
}

// eachFrame calls use for each frame of a block without samples. A frame that
// use could not read, or whose length is wrong, ends it with an error.
func eachFrame(payload []byte, use func(op byte, in *reader)) error {
	r := reader{p: payload}
	for r.off < len(r.p) {
		op := r.byte()
		in := reader{p: r.bytes()}
		if op < 0x80 || r.err {
			return errFrame(op)
		}
		if use(op, &in); in.err {
			return errFrame(op)
		}
	}
	return nil
}

func readTag(in *reader) *tag.Tag {
	t := &tag.Tag{Class: tag.Class(in.byte())}
	if b := in.byte(); b != 0 {
		retain := b == 2
		t.Retain = &retain
	}
	t.Name, t.Type, t.Unit = in.string(), in.string(), in.string()
	dev := &tag.Device{Name: in.string()}
	dev.Link = &tag.Link{Name: in.string()}
	dev.Labels = readLabels(in, nil)
	t.Device = dev
	t.Labels = readLabels(in, dev.Labels)
	return t
}

func readLabels(in *reader, base map[string]string) map[string]string {
	n := in.uvarint()
	if n == 0 || n > uint64(len(in.p)) {
		if n != 0 {
			in.fail()
		}
		return base
	}
	out := maps.Clone(base)
	if out == nil {
		out = map[string]string{}
	}
	for ; n > 0 && !in.err; n-- {
		k := in.string()
		out[k] = in.string()
	}
	return out
}
