package frame

// Sizes of RTU frames (Modbus over Serial Line V1.02 §2.5.1): unit, function,
// data, two bytes of checksum.
const (
	rtuMin       = 4
	rtuMax       = 256
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
	if len(b) < 3 {
		return 0
	}
	switch fc := b[1]; fc {
	case 1, 2, 3, 4, 12, 17, 20, 21, 23: // a byte count follows
		return min(5+int(b[2]), rtuMax+1)
	case 5, 6, 8, 11, 15, 16: // two words
		return 8
	case 7: // a status byte
		return 5
	case maskWrite:
		return 10
	case 24: // a byte count of two bytes
		if len(b) < 4 {
			return 0
		}
		return min(6+int(b[2])<<8+int(b[3]), rtuMax+1)
	case 43:
		return identityLength(b)
	default:
		if fc&ExceptionBit != 0 {
			return rtuException
		}
	}
	return -1
}

// identityLength walks over the objects of a device identification (Modbus
// Application Protocol V1.1b3 §6.21), each with a length of its own.
func identityLength(b []byte) int {
	const deviceIdentification, head = 14, 8
	if b[2] != deviceIdentification {
		return -1
	}
	if len(b) < head {
		return 0
	}
	n := head
	for range b[head-1] {
		if len(b) < n+2 {
			return 0
		}
		if n += 2 + int(b[n+1]); n+2 > rtuMax {
			return -1
		}
	}
	return n + 2
}

// RTUAnswer is the length of the RTU frame that answers a request, 0 where it
// depends on the device.
func (p PDU) RTUAnswer() int {
	switch p.Function {
	case readCoils, 2, 3, readInputRegisters:
		return 5 + p.AnswerBytes()
	case 5, 6, 7, 8, 11, 15, 16, maskWrite:
		return rtuLength([]byte{0, p.Function, 0})
	case 23:
		return 5 + 2*p.field(1)
	}
	return 0
}

// scanRTU looks for the first frame with a right checksum; see Serial.Scan.
func scanRTU(b []byte, expected Expected) (start, end int) {
	for i := 0; i+rtuMin <= len(b); i++ {
		n := rtuLength(b[i:])
		switch {
		case n < 0 || n > rtuMax:
		case n == 0 || i+n > len(b):
			if expected != nil && expected(b[i], b[i+1], n) {
				return 0, 0
			}
		case checksum(b[i:i+n-2]) == uint16(b[i+n-2])|uint16(b[i+n-1])<<8:
			return i, i + n
		}
	}
	return 0, 0
}

// checksum is the CRC of RTU (Modbus over Serial Line V1.02 §6.2.2). The codec
// computes it again when the frame is taken apart; here it only tells where a
// frame ends, at every byte that comes in.
func checksum(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, x := range b {
		crc = crc>>8 ^ crcOf[byte(crc)^x]
	}
	return crc
}

// crcOf is the part of each byte in the checksum.
var crcOf = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i)
		for range 8 {
			crc = crc>>1 ^ 0xA001*(crc&1)
		}
		table[i] = crc
	}
	return table
}()
