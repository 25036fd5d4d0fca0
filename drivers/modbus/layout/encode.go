package layout

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"fieldferry/tag"
)

// Encode makes the bytes of the tag's registers, in the order of the wire, of
// a value. A value that the type cannot hold exactly is an error: out of
// range, a fraction in an integer, text too long, a raw number that means that
// there is no value. Floats are rounded to the precision of the type. Bits of
// a table of bits are packed as Modbus does, lowest first. A part of a
// register has no bytes of its own: see Mask. The value of a tag that the
// device scales has to go through Unscale first.
func (l *Layout) Encode(v tag.Value) ([]byte, error) {
	switch {
	case l.Partial() && !l.Table.Bits():
		return nil, fmt.Errorf("%s is a part of a register", l.Address)
	case l.Count > 0:
		return l.encodeElements(v)
	case l.Table.Bits():
		return encodeBits([]tag.Value{v})
	case l.Type == String || l.Type == Raw:
		return l.encodeText(v)
	}
	b := make([]byte, 2*l.Length)
	return b, l.encodeNumber(b, v)
}

func (l *Layout) encodeNumber(b []byte, v tag.Value) error {
	bits, err := l.bitsOf(v)
	if err != nil {
		return err
	}
	if n := types[l.Type].bits; n < 64 {
		bits &= 1<<n - 1 // a negative number fills all 64
	}
	if slices.Contains(l.invalid, bits) {
		return fmt.Errorf("%v is what the device understands as no value", v)
	}
	l.Order.store(b, bits)
	return nil
}

func encodeBits(values []tag.Value) ([]byte, error) {
	b := make([]byte, (len(values)+7)/8)
	for i, v := range values {
		n, ok := v.Integer()
		if !ok || n != 0 && n != 1 {
			return nil, fmt.Errorf("%q is not a bool: use true or false, 1 or 0", v)
		}
		b[i/8] |= byte(n) << (i % 8)
	}
	return b, nil
}

// encodeElements makes an array of the JSON text of one.
func (l *Layout) encodeElements(v tag.Value) ([]byte, error) {
	text, ok := v.Text()
	if !ok {
		return nil, fmt.Errorf("%v is no array: write [1, 2, 3]", v)
	}
	values, err := parseArray(text)
	if err != nil {
		return nil, err
	}
	if len(values) != l.Count {
		return nil, fmt.Errorf("%d elements where the tag has %d", len(values), l.Count)
	}
	if l.Table.Bits() {
		return encodeBits(values)
	}
	b, size := make([]byte, 2*l.Length), 2*types[l.Type].registers
	for i, e := range values {
		if err := l.encodeNumber(b[i*size:(i+1)*size], e); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return b, nil
}

// parseArray reads a JSON array of numbers and booleans, whole numbers with
// all of their digits.
func parseArray(text string) ([]tag.Value, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var elements []any
	if err := d.Decode(&elements); err != nil || d.More() {
		return nil, fmt.Errorf("%q is no array: write [1, 2, 3]", text)
	}
	values := make([]tag.Value, len(elements))
	for i, e := range elements {
		switch e := e.(type) {
		case bool:
			values[i] = tag.Bool(e)
		case json.Number:
			values[i] = number(string(e))
		default:
			return nil, fmt.Errorf("element %d is neither a number nor true or false", i)
		}
	}
	return values, nil
}

// number is the value of the text of a JSON number.
func number(s string) tag.Value {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return tag.Int(n)
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return tag.Uint(n)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		f = math.NaN() // beyond every range: refused as such
	}
	return tag.Float64(f)
}

// Mask tells which bits of its register a part of one takes, and what they
// are for a value, both as they are on the wire.
func (l *Layout) Mask(v tag.Value) (mask, bits uint16, err error) {
	var n uint64
	shift := 0
	switch {
	case l.Part == PartBit:
		var b []byte
		if b, err = encodeBits([]tag.Value{v}); err == nil {
			n = uint64(b[0])
		}
		mask, shift = 1, l.Bit
	case l.Type == Int8 || l.Type == Uint8:
		n, err = l.bitsOf(v)
		mask = 0xFF
		if l.Part == PartHigh {
			shift = 8
		}
	default:
		err = fmt.Errorf("%s is no part of a register", l.Address)
	}
	if err != nil {
		return 0, 0, err
	}
	return l.wire(mask << shift), l.wire(uint16(n) & mask << shift), nil
}

// wire exchanges the bytes of a register where the byte order says so.
func (l *Layout) wire(w uint16) uint16 {
	var b [2]byte
	l.Order.store(b[:], uint64(w))
	return binary.BigEndian.Uint16(b[:])
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
