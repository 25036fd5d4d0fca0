package frame

import (
	"strings"

	"github.com/goburrow/modbus"
)

// This file alone knows the package that frames our requests and takes
// answers apart. Its transporters are not used: they hand late answers to the
// wrong request and do not survive a lost connection.

// Framing turns PDUs of one unit into the bytes of frames and back.
type Framing struct {
	packager modbus.Packager
	least    int // the shortest frame: the packager reads that far without looking
}

// TCP frames for one unit on Modbus TCP. The caller writes its own transaction
// id over the first two bytes of a request.
func TCP(unit byte) Framing {
	h := new(modbus.TCPClientHandler)
	h.SlaveId = unit
	return Framing{h, tcpMin}
}

// RTU frames for one unit in RTU.
func RTU(unit byte) Framing {
	h := new(modbus.RTUClientHandler)
	h.SlaveId = unit
	return Framing{h, rtuMin}
}

// ascii frames for one unit in Modbus ASCII.
func ascii(unit byte) Framing {
	h := new(modbus.ASCIIClientHandler)
	h.SlaveId = unit
	return Framing{h, asciiMin}
}

// Encode frames a request.
func (f Framing) Encode(pdu PDU) ([]byte, error) {
	adu, err := f.packager.Encode(&modbus.ProtocolDataUnit{FunctionCode: pdu.Function, Data: pdu.Data})
	if err != nil {
		return nil, &Error{Kind: Invalid, Err: err}
	}
	return adu, nil
}

// Decode takes the frame of an answer apart after comparing it with the frame
// of its request: transaction id, unit, length, checksum. The data of the PDU
// lies in answer. Its error is an *Error of kind BadFrame.
func (f Framing) Decode(request, answer []byte) (PDU, error) {
	if len(answer) < f.least {
		return PDU{}, Bad("a frame of %d bytes, shorter than any", len(answer))
	}
	if err := f.packager.Verify(request, answer); err != nil {
		return PDU{}, Bad("%s", strings.TrimPrefix(err.Error(), "modbus: "))
	}
	pdu, err := f.packager.Decode(answer)
	if err != nil {
		return PDU{}, Bad("%s", strings.TrimPrefix(err.Error(), "modbus: "))
	}
	return PDU{Function: pdu.FunctionCode, Data: pdu.Data}, nil
}

// ExceptionText names an exception code (Modbus Application Protocol V1.1b3
// §7): "illegal data address". A code that no standard knows is "unknown".
func ExceptionText(code byte) string {
	text := (&modbus.ModbusError{ExceptionCode: code}).Error()
	if _, rest, ok := strings.Cut(text, "("); ok {
		text, _, _ = strings.Cut(rest, ")")
	}
	return text
}
