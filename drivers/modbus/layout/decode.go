package layout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"fieldferry/tag"
)

// errShort means that a caller cut the answer wrong: a bug, but one that must
// not become a value.
var errShort = errors.New("fewer bytes than the tag is long")

var (
	errDigit     = errors.New("a digit beyond 9 in a BCD number")
	errUTF8      = errors.New("text that is not UTF-8")
	errNotFinite = errors.New("not a finite number")
	errInvalid   = errors.New("the device says that it has no value")
)

// Reasons of samples whose bytes are no value.
const (
	ReasonInvalid = "invalid at the device"      // one of the tag's sentinels
	ReasonScale   = "no scale at the device"     // scale_from holds nothing usable
	ReasonParts   = "some elements are no value" // of an array; they are null
)

// Reason is what a sample says of an error of Decode.
func Reason(err error) string {
	switch {
	case errors.Is(err, errNotFinite):
		return tag.ReasonNotFinite
	case errors.Is(err, errInvalid):
		return ReasonInvalid
	case errors.Is(err, errScale):
		return ReasonScale
	}
	return tag.ReasonBadValue
}

// Decode reads the tag's value from the data of a block read: registers, two
// bytes each, or bits packed as Modbus does, lowest first. offset is how many
// registers or bits of the block lie ahead of the tag; the register that
// scales it must lie in the block, too. NaN and the infinities are errors.
//
// An array comes as JSON text. Where only some of its elements are no value,
// these are null, and the array comes together with an error.
func (l *Layout) Decode(data []byte, offset int) (tag.Value, error) {
	if offset < 0 || offset > 65535 || l.Length < 1 {
		return tag.Value{}, errShort
	}
	if l.Table.Bits() {
		return l.bits(data, offset)
	}
	from, to := 2*offset, 2*(offset+l.Length)
	if to > len(data) {
		return tag.Value{}, errShort
	}
	b := data[from:to]
	switch {
	case l.Type == String || l.Type == Raw:
		return l.text(b)
	case l.Count > 0:
		return l.elements(b)
	case len(b) > 8:
		return tag.Value{}, errShort
	}
	v, err := l.number(l.Order.load(b))
	if err != nil || l.scale == nil {
		return v, err
	}
	at := from + 2*(l.scale.number-l.Number)
	if at < 0 || at+2 > len(data) {
		return tag.Value{}, errShort
	}
	return l.scaled(v, binary.BigEndian.Uint16(data[at:]))
}

// bits reads a bit, or an array of bits.
func (l *Layout) bits(data []byte, offset int) (tag.Value, error) {
	if (offset+l.Length-1)/8 >= len(data) {
		return tag.Value{}, errShort
	}
	bit := func(i int) bool { return data[(offset+i)/8]>>((offset+i)%8)&1 != 0 }
	if l.Count == 0 {
		return tag.Bool(bit(0)), nil
	}
	text := []byte{'['}
	for i := range l.Count {
		text = tag.Bool(bit(i)).Append(text)
		text = append(text, ',')
	}
	text[len(text)-1] = ']'
	return tag.JSON(string(text)), nil
}

// elements reads an array of numbers.
func (l *Layout) elements(b []byte) (tag.Value, error) {
	size := 2 * types[l.Type].registers
	text, failed := []byte{'['}, 0
	var last error
	for i := range l.Count {
		v, err := l.number(l.Order.load(b[i*size : (i+1)*size]))
		if err != nil {
			last = err
			failed++
		}
		text = append(v.Append(text), ',')
	}
	if failed == l.Count {
		return tag.Value{}, last
	}
	text[len(text)-1] = ']'
	return tag.JSON(string(text)), last
}

// number makes a value of the bits of the tag's registers.
func (l *Layout) number(bits uint64) (tag.Value, error) {
	if slices.Contains(l.invalid, bits) {
		return tag.Value{}, errInvalid
	}
	switch l.Type {
	case Bool:
		return tag.Bool(bits>>l.Bit&1 != 0), nil
	case Int8:
		return tag.Int(int64(int8(l.half(bits)))), nil
	case Uint8:
		return tag.Uint(uint64(l.half(bits))), nil
	case Int16:
		return tag.Int(int64(int16(bits))), nil
	case Int32:
		return tag.Int(int64(int32(bits))), nil
	case Int64:
		return tag.Int(int64(bits)), nil
	case Uint16, Uint32, Uint64:
		return tag.Uint(bits), nil
	case Float32:
		return finite(tag.Float32(math.Float32frombits(uint32(bits))))
	case Float64:
		return finite(tag.Float64(math.Float64frombits(bits)))
	case BCD16, BCD32:
		return bcd(bits, types[l.Type].bits/4)
	}
	return tag.Value{}, fmt.Errorf("no number of type %s", l.Type)
}

func finite(v tag.Value) (tag.Value, error) {
	if f, _ := v.Number(); math.IsNaN(f) || math.IsInf(f, 0) {
		return tag.Value{}, errNotFinite
	}
	return v, nil
}

// half is the byte of a register that the address names, the low one unless
// it says otherwise.
func (l *Layout) half(bits uint64) byte {
	if l.Part == PartHigh {
		return byte(bits >> 8)
	}
	return byte(bits)
}

func bcd(bits uint64, digits int) (tag.Value, error) {
	var n uint64
	for i := digits - 1; i >= 0; i-- {
		d := bits >> (4 * i) & 15
		if d > 9 {
			return tag.Value{}, errDigit
		}
		n = n*10 + d
	}
	return tag.Uint(n), nil
}
