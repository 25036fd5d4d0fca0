package layout

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"fieldferry/tag"
)

// errShort means that a caller cut the answer wrong: a bug, but one that must
// not become a value.
var errShort = errors.New("fewer bytes than the tag is long")

var (
	errDigit = errors.New("a digit beyond 9 in a BCD number")
	errUTF8  = errors.New("text that is not UTF-8")
)

// Decode reads the tag's value from the data of a block read: registers, two
// bytes each, or bits packed as Modbus does, lowest first. offset is how many
// registers or bits of the block lie ahead of the tag.
func (l *Layout) Decode(data []byte, offset int) (tag.Value, error) {
	if offset < 0 {
		return tag.Value{}, errShort
	}
	if l.Table.Bits() {
		if offset/8 >= len(data) {
			return tag.Value{}, errShort
		}
		return tag.Bool(data[offset/8]>>(offset%8)&1 != 0), nil
	}
	from, to := 2*offset, 2*(offset+l.Length)
	if to > len(data) || l.Length < 1 {
		return tag.Value{}, errShort
	}
	b := data[from:to]
	if l.Type == String || l.Type == Raw {
		return l.text(b)
	}
	if len(b) > 8 {
		return tag.Value{}, errShort
	}
	return l.number(l.Order.load(b))
}

// number makes a value of the bits of the tag's registers.
func (l *Layout) number(bits uint64) (tag.Value, error) {
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
		return tag.Float32(math.Float32frombits(uint32(bits))), nil
	case Float64:
		return tag.Float64(math.Float64frombits(bits)), nil
	case BCD16, BCD32:
		return bcd(bits, types[l.Type].bits/4)
	}
	return tag.Value{}, fmt.Errorf("no number of type %s", l.Type)
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

// text reads a string, which ends at its first zero byte and loses the blanks
// that devices pad with, or raw bytes.
func (l *Layout) text(b []byte) (tag.Value, error) {
	if l.Order&swapBytes != 0 {
		b = swapped(b)
	}
	if l.Type == Raw {
		return tag.Bytes(b), nil
	}
	if end := bytes.IndexByte(b, 0); end >= 0 {
		b = b[:end]
	}
	b = bytes.TrimRight(b, " ")
	if !utf8.Valid(b) {
		return tag.Value{}, errUTF8
	}
	return tag.String(string(b)), nil
}

// swapped is a copy of b with the bytes of every register exchanged.
func swapped(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i^1] = b[i]
	}
	return out
}
