package frame

// Sizes of RTU frames (Modbus over Serial Line V1.02 §2.5.1): unit, function,
// data, two bytes of checksum.
const (
	rtuMin       = 4
	RTUMax       = 256
	rtuException = 5
)

// Sizes of Modbus TCP frames (Modbus Messaging on TCP/IP V1.0b §3.1.3): six
// bytes of header, then a length that counts the unit id and the PDU.
const (
	TCPHeader    = 6
	TCPMinLength = 2
	TCPMaxLength = 254
	tcpMin       = TCPHeader + TCPMinLength
)

// rtuLength tells how long the answer that begins with b is, by its header:
// 0 when the header is not complete yet, negative when no answer begins so.
func rtuLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch fc := b[1]; {
	case fc&ExceptionBit != 0:
		return rtuException
	case fc >= readCoils && fc <= readInputRegisters:
		if len(b) < 3 {
			return 0
		}
		return min(5+int(b[2]), RTUMax+1)
	case fc == writeCoil, fc == writeRegister, fc == writeCoils, fc == writeRegisters:
		return 8
	case fc == maskWrite:
		return 10
	}
	return -1
}

// RTUAnswer is the length of the RTU frame that answers a request, 0
// where nothing is known of the function.
func (p PDU) RTUAnswer() int {
	if p.Reads() {
		return 5 + p.AnswerBytes()
	}
	return max(rtuLength([]byte{0, p.Function, 0}), 0)
}

// ScanRTU looks for the first frame with a right checksum in b, whatever noise
// lies ahead of it, and returns where it begins and ends; end is 0 when there
// is none yet. Where a frame that is expected has begun but not ended, it
// waits for the rest; expected is nil when no more will come.
func ScanRTU(b []byte, expected func(unit, function byte, length int) bool) (start, end int) {
	for i := 0; i+rtuMin <= len(b); i++ {
		n := rtuLength(b[i:])
		switch {
		case n < rtuMin || n > RTUMax:
		case i+n > len(b):
			if expected != nil && expected(b[i], b[i+1], n) {
				return 0, 0
			}
		case whole(b[i : i+n]):
			return i, i + n
		}
	}
	return 0, 0
}

// whole says that the checksum of a frame is right.
func whole(adu []byte) bool {
	_, err := RTU(adu[0]).Decode(adu, adu)
	return err == nil
}
