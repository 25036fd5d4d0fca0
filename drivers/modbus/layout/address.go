package layout

import (
	"fmt"
	"strconv"
	"strings"
)

// Table is one of the four tables of a Modbus device.
type Table uint8

// The tables. Their order is that of the function codes that read them.
const (
	Coils Table = iota
	DiscreteInputs
	HoldingRegisters
	InputRegisters
)

// tables holds what differs from table to table: the prefix of our notation,
// the leading digit of the classic numbers, the function code that reads it
// (Modbus Application Protocol V1.1b3 §6).
var tables = [...]struct {
	prefix, name string
	digit        byte
	read         byte
	bits         bool
	writable     bool
}{
	Coils:            {"coil", "coil", '0', 1, true, true},
	DiscreteInputs:   {"di", "discrete input", '1', 2, true, false},
	HoldingRegisters: {"hr", "holding register", '4', 3, false, true},
	InputRegisters:   {"ir", "input register", '3', 4, false, false},
}

// String is the name a person uses: "holding register".
func (t Table) String() string {
	if int(t) < len(tables) {
		return tables[t].name
	}
	return fmt.Sprintf("table(%d)", uint8(t))
}

// ReadFunction is the function code that reads the table.
func (t Table) ReadFunction() byte { return tables[t].read }

// Bits says that the table holds single bits rather than registers.
func (t Table) Bits() bool { return tables[t].bits }

// Writable says that a master can write the table at all.
func (t Table) Writable() bool { return tables[t].writable }

// Part is the piece of a register that an address names.
type Part uint8

// The parts of a register. PartBit comes with a bit number.
const (
	Whole Part = iota
	PartBit
	PartHigh
	PartLow
)

// Address is a place in a device.
type Address struct {
	Table  Table
	Number int // zero based, 0-65535
	Part   Part
	Bit    int // of a register, 0 is the least significant; only with PartBit
}

// notation is the hint to whoever writes an address that cannot be read.
const notation = "write coil:0, di:0, ir:0 or hr:0 (zero based, decimal or 0x), a bit as hr:10.3, " +
	"a half as hr:10.hi, or a classic number such as 40001 (one based)"

// ParseAddress reads an address as a tag map has it: coil:0, di:0, ir:0,
// hr:0x10, hr:10.3, hr:10.hi, or the classic five and six digit numbers, which
// are one based (40001 and 400001 are hr:0, 40001.10 is hr:0.10).
func ParseAddress(s string) (Address, error) {
	text := strings.TrimSpace(s)
	body, part, parted := strings.Cut(text, ".")
	a, err := parseBody(body)
	if err != nil {
		return Address{}, fmt.Errorf("address %q %w", s, err)
	}
	if parted {
		if err := a.setPart(part); err != nil {
			return Address{}, fmt.Errorf("address %q %w", s, err)
		}
	}
	return a, nil
}

// NotationHint tells how an address is written.
func NotationHint() string { return notation }

func parseBody(s string) (Address, error) {
	prefix, number, ok := strings.Cut(s, ":")
	if !ok {
		return parseClassic(s)
	}
	for t := range tables {
		if !strings.EqualFold(strings.TrimSpace(prefix), tables[t].prefix) {
			continue
		}
		n, err := parseNumber(strings.TrimSpace(number))
		return Address{Table: Table(t), Number: n}, err
	}
	return Address{}, fmt.Errorf("names the unknown table %q", prefix)
}

// parseNumber reads a zero-based number, decimal or with 0x.
func parseNumber(s string) (int, error) {
	digits, base := s, 10
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		digits, base = s[2:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		return 0, fmt.Errorf("has %q where a number belongs", s)
	}
	if n > 65535 {
		return 0, fmt.Errorf("is beyond 65535")
	}
	return int(n), nil
}

// parseClassic reads the one-based numbers of data sheets: a digit for the
// table, then four or five digits.
func parseClassic(s string) (Address, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return Address{}, fmt.Errorf("is neither table:number nor a classic number")
	}
	if len(s) != 5 && len(s) != 6 {
		return Address{}, fmt.Errorf("has %d digits where a classic number has five or six", len(s))
	}
	scale := uint64(10_000)
	if len(s) == 6 {
		scale = 100_000
	}
	n %= scale
	for t := range tables {
		if tables[t].digit != s[0] {
			continue
		}
		if n < 1 || n > 65536 {
			return Address{}, fmt.Errorf("is outside %c%0*d-%c%d: classic numbers are one based", s[0], len(s)-1, 1, s[0], min(scale-1, 65536))
		}
		return Address{Table: Table(t), Number: int(n - 1)}, nil
	}
	return Address{}, fmt.Errorf("starts with %c where a classic number has 0, 1, 3 or 4", s[0])
}

// setPart reads what follows the dot.
func (a *Address) setPart(s string) error {
	if a.Table.Bits() {
		return fmt.Errorf("names part %q of a %s, which is a single bit", s, a.Table)
	}
	switch strings.ToLower(s) {
	case "hi":
		a.Part = PartHigh
		return nil
	case "lo":
		a.Part = PartLow
		return nil
	}
	bit, err := strconv.ParseUint(s, 10, 8)
	if err != nil || bit > 15 || len(s) > 2 {
		return fmt.Errorf("names part %q of a register: bits are 0-15, halves hi and lo", s)
	}
	a.Part, a.Bit = PartBit, int(bit)
	return nil
}

// String writes the address as ParseAddress reads it.
func (a Address) String() string {
	s := fmt.Sprintf("%s:%d", tables[a.Table].prefix, a.Number)
	switch a.Part {
	case PartBit:
		return fmt.Sprintf("%s.%d", s, a.Bit)
	case PartHigh:
		return s + ".hi"
	case PartLow:
		return s + ".lo"
	}
	return s
}
