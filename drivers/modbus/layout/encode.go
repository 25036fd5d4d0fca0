package layout

import (
	"fmt"
	"math"

	"fieldferry/tag"
)

// Encode makes the bytes of the tag's registers, in the order of the wire, of
// a value. A value that the type cannot hold exactly is an error: out of
// range, a fraction in an integer, text too long. Floats are rounded to the
// precision of the type. A tag in a table of bits, and a bool in general,
// gives one byte, 0 or 1.
func (l *Layout) Encode(v tag.Value) ([]byte, error) {
	if l.Type == Bool {
		return encodeBool(v)
	}
	b := make([]byte, 2*l.Length)
	if l.Type == String || l.Type == Raw {
		return l.encodeText(b, v)
	}
	bits, err := l.bitsOf(v)
	if err != nil {
		return nil, err
	}
	l.Order.store(b, bits)
	return b, nil
}

func encodeBool(v tag.Value) ([]byte, error) {
	n, ok := v.Integer()
	if !ok || n != 0 && n != 1 {
		return nil, fmt.Errorf("%q is not a bool: use true or false, 1 or 0", v)
	}
	return []byte{byte(n)}, nil
}

func (l *Layout) encodeText(b []byte, v tag.Value) ([]byte, error) {
	s, ok := v.Text()
	switch {
	case !ok:
		return nil, fmt.Errorf("%q is not text, as type %s wants", v, l.Type)
	case len(s) > len(b):
		return nil, fmt.Errorf("%d bytes do not fit into the %d of the tag", len(s), len(b))
	case l.Type == Raw && len(s) != len(b):
		return nil, fmt.Errorf("%d bytes where the tag has %d", len(s), len(b))
	}
	copy(b, s)
	if l.Order&swapBytes != 0 {
		b = swapped(b)
	}
	return b, nil
}

// bitsOf converts v into the bits of the tag's number.
func (l *Layout) bitsOf(v tag.Value) (uint64, error) {
	switch l.Type {
	case Float32, Float64:
		return l.floatBits(v)
	case Int8, Int16, Int32, Int64:
		return l.signed(v)
	case BCD16, BCD32:
		return l.bcdBits(v)
	}
	return l.unsigned(v, 1<<types[l.Type].bits-1)
}

func (l *Layout) floatBits(v tag.Value) (uint64, error) {
	f, ok := v.Number()
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%q is not a finite number", v)
	}
	if l.Type == Float64 {
		return math.Float64bits(f), nil
	}
	if f32 := float32(f); !math.IsInf(float64(f32), 0) {
		return uint64(math.Float32bits(f32)), nil
	}
	return 0, fmt.Errorf("%v is beyond the range of float32", v)
}

func (l *Layout) signed(v tag.Value) (uint64, error) {
	n, ok := v.Integer()
	if !ok {
		return 0, l.notWhole(v)
	}
	limit := int64(math.MaxInt64) >> (64 - types[l.Type].bits)
	if n > limit || n < -limit-1 {
		return 0, fmt.Errorf("%v is outside the range of %s, %d to %d", v, l.Type, -limit-1, limit)
	}
	return uint64(n), nil
}

// unsigned converts v into a number from 0 to limit.
func (l *Layout) unsigned(v tag.Value, limit uint64) (uint64, error) {
	kind, bits, _ := v.Parts()
	if kind != tag.KindUint {
		n, ok := v.Integer()
		switch {
		case !ok && v.Numeric():
			return l.unsignedFloat(v, limit)
		case !ok:
			return 0, l.notWhole(v)
		case n < 0:
			return 0, l.outside(v, limit)
		}
		bits = uint64(n)
	}
	if bits > limit {
		return 0, l.outside(v, limit)
	}
	return bits, nil
}

// unsignedFloat converts a float that no int64 holds: one with a fraction, or
// one of 2^63 and above, as uint64 may be.
func (l *Layout) unsignedFloat(v tag.Value, limit uint64) (uint64, error) {
	f, _ := v.Number()
	if f != math.Trunc(f) {
		return 0, l.notWhole(v)
	}
	if f >= 1<<63 && f < 1<<64 && uint64(f) <= limit {
		return uint64(f), nil
	}
	return 0, l.outside(v, limit)
}

func (l *Layout) bcdBits(v tag.Value) (uint64, error) {
	limit := uint64(9999)
	if l.Type == BCD32 {
		limit = 99999999
	}
	n, err := l.unsigned(v, limit)
	if err != nil {
		return 0, err
	}
	var bits uint64
	for shift := 0; n > 0; shift += 4 {
		bits |= n % 10 << shift
		n /= 10
	}
	return bits, nil
}

func (l *Layout) notWhole(v tag.Value) error {
	return fmt.Errorf("%q is not a whole number, as type %s wants", v, l.Type)
}

func (l *Layout) outside(v tag.Value, limit uint64) error {
	return fmt.Errorf("%v is outside the range of %s, 0 to %d", v, l.Type, limit)
}
