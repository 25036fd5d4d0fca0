package frame

import "encoding/hex"

// Serial is a framing of serial lines, which converters also pass on over TCP.
type Serial uint8

// The framings of serial lines.
const (
	SerialRTU   Serial = iota // bytes, told apart by their lengths and a CRC
	SerialASCII               // two hexadecimal digits for each byte, between ":" and CR LF
)

// Framing frames for one unit.
func (s Serial) Framing(unit byte) Framing {
	if s == SerialASCII {
		return ascii(unit)
	}
	return RTU(unit)
}

// Max is the length of the longest frame.
func (s Serial) Max() int {
	if s == SerialASCII {
		return 2*rtuMax + 1
	}
	return rtuMax
}

// Answer is the length of the frame that answers a request, 0 where it
// depends on the device.
func (s Serial) Answer(p PDU) int {
	n := p.RTUAnswer()
	if s == SerialASCII && n > 0 {
		return 2*n + 1 // the colon, a digit pair for each byte but one of the two of the CRC, CR LF
	}
	return n
}

// Known says whether the end of an answer to a request can be told: RTU has
// no mark for it, so that the form of the answer must be known.
func (s Serial) Known(p PDU) bool {
	return s == SerialASCII || p.RTUAnswer() > 0 || rtuLength([]byte{0, p.Function, 14, 0}) >= 0
}

// Head is the unit and the function code of a frame that Scan found.
func (s Serial) Head(adu []byte) (unit, function byte) {
	if s == SerialASCII {
		var b [2]byte
		_, _ = hex.Decode(b[:], adu[1:5]) // Scan has looked at every digit
		return b[0], b[1]
	}
	return adu[0], adu[1]
}

// Expected says whether a frame is being waited for. The length is 0 where
// the frame has not told it yet.
type Expected func(unit, function byte, length int) bool

// Scan looks for the first frame with a right checksum in b, whatever noise
// lies ahead of it, and returns where it begins and ends; end is 0 when there
// is none yet. Where a frame that is expected has begun but not ended, it
// waits for the rest; expected is nil when no more will come.
func (s Serial) Scan(b []byte, expected Expected) (start, end int) {
	if s == SerialASCII {
		return scanASCII(b)
	}
	return scanRTU(b, expected)
}
