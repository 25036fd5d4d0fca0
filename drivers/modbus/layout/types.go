package layout

import (
	"fmt"
	"strconv"
	"strings"
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

func typeList() string {
	names := make([]string, len(types))
	for i := range types {
		names[i] = types[i].name
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1] + "; of numbers and bits an array, as in int16[10]"
}

// parseType reads a type, and how many elements it has: 0 where it is no array.
func parseType(s string) (t Type, count int, err error) {
	name, rest, array := strings.Cut(s, "[")
	if array {
		n, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 16)
		if err != nil || !strings.HasSuffix(rest, "]") || n < 1 {
			return 0, 0, fmt.Errorf("type %q has no number of elements, 1 or more, in its brackets", s)
		}
		count = int(n)
	}
	for t := range types {
		if types[t].name != name {
			continue
		}
		if array && !arrays[t] {
			return 0, 0, fmt.Errorf("there are no arrays of type %s", name)
		}
		return Type(t), count, nil
	}
	return 0, 0, fmt.Errorf("unknown type %q", s)
}

// arrays are the types that there are arrays of. Bytes have none: which of a
// register comes first is not agreed upon; raw has them as they are.
var arrays = map[int]bool{
	int(Bool): true, int(Int16): true, int(Uint16): true, int(Int32): true, int(Uint32): true, int(Int64): true,
	int(Uint64): true, int(Float32): true, int(Float64): true, int(BCD16): true, int(BCD32): true,
}
