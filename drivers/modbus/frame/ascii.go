package frame

import (
	"bytes"
	"encoding/hex"
)

// asciiMin is the shortest frame in ASCII (Modbus over Serial Line V1.02
// §2.5.2): colon, unit, function, checksum, CR LF.
const asciiMin = 9

// scanASCII looks for the first frame with a right checksum. A colon begins a
// frame wherever it comes: what lies before it is noise.
func scanASCII(b []byte) (start, end int) {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], ':')
		if i < 0 {
			return 0, 0
		}
		start = at + i
		at = start + 1
		stop := bytes.IndexAny(b[at:], ":\n")
		if stop < 0 {
			return 0, 0
		}
		if b[at+stop] == '\n' && wholeASCII(b[start:at+stop+1]) {
			return start, at + stop + 1
		}
	}
}

// wholeASCII says that a frame has digits only and the right checksum: all its
// bytes add up to nothing.
func wholeASCII(adu []byte) bool {
	n := len(adu)
	if n < asciiMin || n > SerialASCII.Max() || n%2 == 0 || adu[n-2] != '\r' {
		return false
	}
	var raw [rtuMax]byte
	k, err := hex.Decode(raw[:], adu[1:n-2])
	if err != nil {
		return false
	}
	sum := byte(0)
	for _, x := range raw[:k] {
		sum += x
	}
	return sum == 0
}
