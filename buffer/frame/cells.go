package frame

import (
	"encoding/binary"

	"fieldferry/tag"
)

// The lowest bits of Cells.Order.
const (
	orderSource = 1 << iota
	orderPassed
	orderBits = iota
)

// Cells are the fields of one sample as they lie in a block, before anything
// is made of them: what package column turns into columns. Numbers are as
// written, differences to the sample before in zigzag.
type Cells struct {
	Op     byte   // kind of the value, quality, and whether there is a reason
	Order  uint64 // tag number; below it, in two bits: Passed is there; the time is the device's own
	Passed uint64 // sequence numbers passed over before the sample
	Time   uint64 // ns
	Read   uint64
	N      uint64 // the tag's counter beyond its base in the dictionary
	Reason uint64 // number, 0 where it is written out in Why
	Why    []byte
	Num    uint64
	Text   []byte
}

// Kind is the kind of the value as it lies on disk: those of package tag, and
// 9 and 10 for a float32 and a float64 that are a short decimal.
func (c *Cells) Kind() byte { return c.Op & 15 }

// Tag is the difference of the tag number to that of the sample before, in
// zigzag.
func (c *Cells) Tag() uint64 { return c.Order >> orderBits }

// HasPassed says that sequence numbers were passed over.
func (c *Cells) HasPassed() bool { return c.Order&orderPassed != 0 }

// HasReason says that Reason, and Why where that is 0, are there.
func (c *Cells) HasReason() bool { return c.Op&sampleReason != 0 }

// Append appends the fields as the frame of a sample.
func (c *Cells) Append(dst []byte) []byte {
	dst = append(dst, c.Op)
	dst = binary.AppendUvarint(dst, c.Order)
	if c.HasPassed() {
		dst = binary.AppendUvarint(dst, c.Passed)
	}
	dst = binary.AppendUvarint(dst, c.Time)
	dst = binary.AppendUvarint(dst, c.Read)
	dst = binary.AppendUvarint(dst, c.N)
	if c.HasReason() {
		dst = binary.AppendUvarint(dst, c.Reason)
		if c.Reason == 0 {
			dst = binary.AppendUvarint(dst, uint64(len(c.Why)))
			dst = append(dst, c.Why...)
		}
	}
	switch tag.Kind(c.Kind()) {
	case tag.KindNull:
		return dst
	case tag.KindBool:
		return append(dst, byte(c.Num))
	case tag.KindFloat32:
		return binary.LittleEndian.AppendUint32(dst, uint32(c.Num))
	case tag.KindFloat64:
		return binary.LittleEndian.AppendUint64(dst, c.Num)
	case tag.KindString, tag.KindBytes, tag.KindJSON:
		dst = binary.AppendUvarint(dst, uint64(len(c.Text)))
		return append(dst, c.Text...)
	}
	return binary.AppendUvarint(dst, c.Num)
}

// Parse reads the frame of a sample that p begins with and returns its length:
// 0 where p begins with none.
func (c *Cells) Parse(p []byte) int {
	r := reader{p: p}
	if c.read(&r, r.byte()); r.err {
		return 0
	}
	return r.off
}

func (c *Cells) read(r *reader, op byte) {
	*c = Cells{Op: op, Order: r.uvarint()}
	if c.HasPassed() {
		c.Passed = r.uvarint()
	}
	c.Time, c.Read, c.N = r.uvarint(), r.uvarint(), r.uvarint()
	if c.HasReason() {
		if c.Reason = r.uvarint(); c.Reason == 0 {
			c.Why = r.bytes()
		}
	}
	switch kind := tag.Kind(c.Kind()); {
	case op >= 0x80, kind > kindDecimal64:
		r.fail()
	case kind == tag.KindNull:
	case kind == tag.KindBool:
		c.Num = uint64(r.byte())
	case kind == tag.KindFloat32:
		c.Num = uint64(r.uint32())
	case kind == tag.KindFloat64:
		c.Num = r.uint64()
	case kind >= tag.KindString && kind <= tag.KindJSON:
		c.Text = r.bytes()
	default:
		c.Num = r.uvarint()
	}
}

// value is the value that the fields stand for.
func (c *Cells) value() tag.Value {
	switch kind := c.Kind(); kind {
	case byte(tag.KindInt):
		return tag.Int(unzigzag(c.Num))
	case kindDecimal32:
		return tag.Float32(float32(undecimal(c.Num)))
	case kindDecimal64:
		return tag.Float64(undecimal(c.Num))
	default:
		return tag.FromParts(tag.Kind(kind), c.Num, string(c.Text))
	}
}
