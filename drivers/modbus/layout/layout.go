package layout

import "slices"

// The most that one request reads (Modbus Application Protocol V1.1b3 §6.1,
// §6.3), and with it the longest tag.
const (
	MaxRegisters = 125
	MaxBits      = 2000
)

// Layout is where a tag lies in its device and how its bytes are read.
type Layout struct {
	Address
	Type   Type
	Order  Order
	Length int // registers, or bits in a table of bits
	Count  int // elements of an array; 0: no array

	latin1, spaces bool     // of a string: its encoding, its padding
	invalid        []uint64 // raw numbers without a value
	scale          *scale   // nil: not scaled by the device
}

// Span is what has to be read for the tag in one request: its own registers
// or bits, and the register that scales it.
func (l *Layout) Span() (start, length int) {
	start, end := l.Number, l.Number+l.Length
	if l.scale != nil {
		start, end = min(start, l.scale.number), max(end, l.scale.number+1)
	}
	return start, end - start
}

// Partial says that the tag is a piece of a register, whose neighbours must
// stay as they are when it is written.
func (l *Layout) Partial() bool {
	return l.Part != Whole || !l.Table.Bits() && slices.Contains([]Type{Int8, Uint8}, l.Type)
}

// Scaled tells whether the device scales the tag by a register, and which.
func (l *Layout) Scaled() (number int, ok bool) {
	if l.scale == nil {
		return 0, false
	}
	return l.scale.number, true
}
