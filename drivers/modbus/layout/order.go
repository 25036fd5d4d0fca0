package layout

import (
	"fmt"
	"strings"
)

// Order is how the bytes of a value lie in its registers: the two bytes of
// every register may be exchanged, the two registers of every 32 bits, and
// the two halves of 64 bits. All orders of all lengths are one of these eight.
type Order uint8

const (
	swapBytes  Order = 1 << iota // low byte first within each register
	swapWords                    // low register first within each 32 bits
	swapHalves                   // low 32 bits first within 64
	shortName                    // AB or BA: said for one register only
)

// orderNames are the accepted names. The letters say which byte of the value,
// A being the most significant, comes first on the wire. A name of four
// letters serves 64 bits, too: CDAB is then the low register first throughout.
var orderNames = map[string]Order{
	"ABCD": 0, "BADC": swapBytes, "CDAB": swapWords | swapHalves, "DCBA": swapWords | swapHalves | swapBytes,
	"ABCDEFGH": 0, "BADCFEHG": swapBytes, "CDABGHEF": swapWords, "DCBAHGFE": swapWords | swapBytes,
	"EFGHABCD": swapHalves, "FEHGBADC": swapHalves | swapBytes,
	"GHEFCDAB": swapWords | swapHalves, "HGFEDCBA": swapWords | swapHalves | swapBytes,
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
	return "use ABCD, BADC, CDAB or DCBA (64 bit also ABCDEFGH, BADCFEHG, CDABGHEF, DCBAHGFE, EFGHABCD, FEHGBADC, GHEFCDAB, HGFEDCBA; one register AB or BA)"
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
	switch n {
	case 8:
		return i ^ int(o&(swapBytes|swapWords|swapHalves))
	case 4:
		return i ^ int(o&(swapBytes|swapWords))
	}
	if o&shortName != 0 {
		return i ^ int(o&swapBytes)
	}
	return i
}
