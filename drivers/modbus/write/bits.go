package write

import "fmt"

// Bits is how a part of a register is written, which has neighbours in it.
type Bits uint8

// The ways.
const (
	// BitsAuto asks for a mask write, and where the device does not know
	// that function, reads, changes and writes the register.
	BitsAuto Bits = iota
	// BitsMask asks for a mask write (function 22) alone.
	BitsMask
	// BitsReadModifyWrite reads, changes and writes the register.
	BitsReadModifyWrite
	// BitsRefuse writes no part of a register.
	BitsRefuse
)

var bitsNames = [...]string{BitsAuto: "auto", BitsMask: "mask", BitsReadModifyWrite: "read-modify-write", BitsRefuse: "refuse"}

func (b Bits) String() string {
	if int(b) < len(bitsNames) {
		return bitsNames[b]
	}
	return fmt.Sprintf("bits(%d)", uint8(b))
}

// UnmarshalText reads auto, mask, read-modify-write or refuse.
func (b *Bits) UnmarshalText(text []byte) error {
	for i, n := range bitsNames {
		if n == string(text) {
			*b = Bits(i)
			return nil
		}
	}
	return fmt.Errorf("unknown way %q: use auto, mask, read-modify-write or refuse", text)
}

// MarshalText writes what UnmarshalText reads.
func (b Bits) MarshalText() ([]byte, error) { return []byte(b.String()), nil }
