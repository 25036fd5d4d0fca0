package layout

import (
	"fmt"
	"slices"
	"strings"

	"fieldferry/tag"
)

// Type is the data type of a tag on the wire.
type Type uint8

// The types.
const (
	Bool Type = iota
	Int8
	Uint8
	Int16
	Uint16
	Int32
	Uint32
	Int64
	Uint64
	Float32
	Float64
	BCD16
	BCD32
	String
	Raw
)

// types holds the names of the types, the registers each takes (0: as the
// length says) and the bits of its number.
var types = [...]struct {
	name      string
	registers int
	bits      int
}{
	Bool: {"bool", 1, 1}, Int8: {"int8", 1, 8}, Uint8: {"uint8", 1, 8},
	Int16: {"int16", 1, 16}, Uint16: {"uint16", 1, 16},
	Int32: {"int32", 2, 32}, Uint32: {"uint32", 2, 32},
	Int64: {"int64", 4, 64}, Uint64: {"uint64", 4, 64},
	Float32: {"float32", 2, 32}, Float64: {"float64", 4, 64},
	BCD16: {"bcd16", 1, 16}, BCD32: {"bcd32", 2, 32},
	String: {"string", 0, 0}, Raw: {"raw", 0, 0},
}

func (t Type) String() string {
	if int(t) < len(types) {
		return types[t].name
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// MaxRegisters is the most that one request reads (Modbus Application
// Protocol V1.1b3 §6.3), and with it the longest tag.
const MaxRegisters = 125

// Spec is what a tag map says about where a tag lies.
type Spec struct {
	Address string
	Type    string // empty means bool where the address names a bit
	Order   string // byte order; empty is ABCD
	Length  int    // registers of a string or a raw tag
}

// Layout is where a tag lies in its device and how its bytes are read.
type Layout struct {
	Address
	Type   Type
	Order  Order
	Length int // registers, or 1 for a tag in a table of bits
}

// Parse makes a layout and tells everything that is wrong with the spec; the
// layout is of use only when nothing is. The paths of the faults are the keys
// of a tag: address, type, byte_order, length.
func (s Spec) Parse() (Layout, tag.Faults) {
	var faults tag.Faults
	fault := func(path, hint, format string, args ...any) {
		faults = append(faults, tag.Fault{Path: path, Text: fmt.Sprintf(format, args...), Hint: hint})
	}
	a, err := ParseAddress(s.Address)
	addressed := err == nil
	if !addressed {
		fault("address", notation, "%v", err)
	}
	l := Layout{Address: a}
	typed := true
	if l.Type, err = s.parseType(a); err != nil {
		typed = false
		if addressed || s.Type != "" {
			fault("type", "use "+typeList(), "%v", err)
		}
	}
	if l.Order, err = ParseOrder(s.Order); err != nil {
		fault("byte_order", OrderHint(), "%v", err)
	}
	if !typed {
		return l, faults
	}
	if l.Length, err = s.length(l.Type); err != nil {
		fault("length", fmt.Sprintf("length is the number of registers of a string or raw tag, 1-%d", MaxRegisters), "%v", err)
	}
	if l.Order&shortName != 0 && l.Length > 1 && l.Type != String && l.Type != Raw {
		fault("byte_order", "use ABCD, BADC, CDAB or DCBA", "byte order %q is for one register, type %s has %d", s.Order, l.Type, l.Length)
	}
	if addressed {
		faults = append(faults, l.fit()...)
	}
	return l, faults
}

func (s Spec) parseType(a Address) (Type, error) {
	if s.Type == "" {
		if a.Table.Bits() || a.Part == PartBit {
			return Bool, nil
		}
		return 0, fmt.Errorf("a tag in a %s needs a type", a.Table)
	}
	for t := range types {
		if types[t].name == s.Type {
			return Type(t), nil
		}
	}
	return 0, fmt.Errorf("unknown type %q", s.Type)
}

func (s Spec) length(t Type) (int, error) {
	n := types[t].registers
	switch {
	case n == 0 && s.Length == 0:
		return 0, fmt.Errorf("type %s needs a length", t)
	case n == 0 && (s.Length < 1 || s.Length > MaxRegisters):
		return 0, fmt.Errorf("length %d is outside 1-%d", s.Length, MaxRegisters)
	case n == 0:
		return s.Length, nil
	case s.Length != 0 && s.Length != n:
		return 0, fmt.Errorf("type %s is %d registers long, not %d", t, n, s.Length)
	}
	return n, nil
}

// fit tells where type and address do not go together.
func (l *Layout) fit() tag.Faults {
	var faults tag.Faults
	fault := func(path, hint, format string, args ...any) {
		faults = append(faults, tag.Fault{Path: path, Text: fmt.Sprintf(format, args...), Hint: hint})
	}
	one := l.Address
	switch {
	case l.Table.Bits() && l.Type != Bool:
		fault("type", "use bool, or a register (hr:, ir:)", "a %s is a single bit, not %s", l.Table, l.Type)
	case l.Part == PartBit && l.Type != Bool:
		fault("type", "use bool, or leave the bit out of the address", "address %q names one bit, not %s", l.Address, l.Type)
	case !l.Table.Bits() && l.Part != PartBit && l.Type == Bool:
		one.Part = PartBit
		fault("type", fmt.Sprintf("name the bit, as in %s", one), "address %q is a whole register, not a bool", l.Address)
	case (l.Part == PartHigh || l.Part == PartLow) && l.Type != Int8 && l.Type != Uint8:
		fault("type", "use int8 or uint8", "address %q names half a register, not %s", l.Address, l.Type)
	}
	if l.Number+l.Length > 65536 {
		fault("address", "the last register or bit of a device is 65535", "%s of length %d ends beyond 65535", l.Address, l.Length)
	}
	return faults
}

func typeList() string {
	names := make([]string, len(types))
	for i := range types {
		names[i] = types[i].name
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// Partial says that the tag is a piece of a register, which cannot be written
// without writing its neighbours.
func (l *Layout) Partial() bool {
	return l.Part != Whole || !l.Table.Bits() && slices.Contains([]Type{Int8, Uint8}, l.Type)
}
