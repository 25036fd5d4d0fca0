package layout

import (
	"fmt"
	"strings"
)

// Order is how the bytes of a value lie in its registers. A value longer than
// one register may have its registers reversed, and every register may have
// its two bytes swapped: all of the usual orders are one of the four.
type Order uint8

const (
	swapWords Order = 1 << iota // low register first
	swapBytes                   // low byte first within each register
	shortName                   // AB or BA: said for one register only
)

// orderNames are the accepted names. The letters say which byte of the value,
// A being the most significant, comes first on the wire.
var orderNames = map[string]Order{
	"ABCD": 0, "BADC": swapBytes, "CDAB": swapWords, "DCBA": swapWords | swapBytes,
	"ABCDEFGH": 0, "BADCFEHG": swapBytes, "GHEFCDAB": swapWords, "HGFEDCBA": swapWords | swapBytes,
	"AB": shortName, "BA": shortName | swapBytes,
}

// ParseOrder reads a byte order: ABCD, BADC, CDAB, DCBA, their kin of eight
// letters, or AB and BA for types of one register. Empty is ABCD.
func ParseOrder(s string) (Order, error) {
	if s == "" {
		return 0, nil
	}
	o, ok := orderNames[strings.ToUpper(s)]
	if !ok {
		return 0, fmt.Errorf("unknown byte order %q", s)
	}
	return o, nil
}

// OrderHint tells which byte orders there are.
func OrderHint() string {
	return "use ABCD, BADC, CDAB or DCBA (64 bit also ABCDEFGH, BADCFEHG, GHEFCDAB, HGFEDCBA; one register AB or BA)"
}

// load gathers the bytes of a number of 2, 4 or 8 bytes, as they came from
// the wire, into its bits.
func (o Order) load(b []byte) uint64 {
	var bits uint64
	for i := range b {
		bits = bits<<8 | uint64(b[o.at(i, len(b))])
	}
	return bits
}

// store lays the low bytes of bits out in b as the wire wants them.
func (o Order) store(b []byte, bits uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[o.at(i, len(b))] = byte(bits)
		bits >>= 8
	}
}

// at tells where byte i of a value of n bytes lies, counted from the most
// significant. A four-letter order says nothing about a single register.
func (o Order) at(i, n int) int {
	if n == 2 && o&shortName == 0 {
		return i
	}
	if o&swapWords != 0 {
		i = n - 2 - i&^1 + i&1
	}
	if o&swapBytes != 0 {
		i ^= 1
	}
	return i
}
