package frame

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// PDU is a request or an answer without what the transport adds: a function
// code and what follows it.
type PDU struct {
	Function byte
	Data     []byte
}

// The function codes that this package builds and checks.
const (
	readCoils, readInputRegisters         = 1, 4
	writeCoil, writeRegister              = 5, 6
	writeCoils, writeRegisters, maskWrite = 15, 16, 22

	// ExceptionBit is added to the function code of a request that is refused.
	ExceptionBit byte = 0x80
)

// most that one request may carry (Modbus Application Protocol V1.1b3 §6).
const (
	maxReadRegisters, maxReadBits   = 125, 2000
	maxWriteRegisters, maxWriteBits = 123, 1968
	maxPDU                          = 253
)

// Read asks for a quantity of bits (function 1 or 2) or registers (3 or 4).
func Read(function byte, address, quantity int) PDU {
	return PDU{function, words(address, quantity)}
}

// WriteCoil sets one coil (function 5): 0 is off, anything else on.
func WriteCoil(address int, bit byte) PDU {
	v := 0
	if bit != 0 {
		v = 0xFF00
	}
	return PDU{writeCoil, words(address, v)}
}

// WriteRegister sets one holding register (function 6) to two bytes.
func WriteRegister(address int, value [2]byte) PDU {
	return PDU{writeRegister, append(words(address), value[:]...)}
}

// WriteCoils sets coils (function 15), packed lowest first.
func WriteCoils(address, quantity int, bits []byte) PDU {
	return PDU{writeCoils, append(append(words(address, quantity), byte(len(bits))), bits...)}
}

// WriteRegisters sets holding registers (function 16), two bytes each.
func WriteRegisters(address int, data []byte) PDU {
	return PDU{writeRegisters, append(append(words(address, len(data)/2), byte(len(data))), data...)}
}

// MaskWrite changes bits of a holding register (function 22): it becomes
// its content and and, or or.
func MaskWrite(address int, and, or uint16) PDU {
	return PDU{maskWrite, words(address, int(and), int(or))}
}

// words lays numbers out as two bytes each. One that does not fit leaves
// nothing, which Validate refuses: a wrapped address would be another register.
func words(v ...int) []byte {
	b := make([]byte, 0, 8)
	for _, w := range v {
		if w < 0 || w > 65535 {
			return nil
		}
		b = binary.BigEndian.AppendUint16(b, uint16(w))
	}
	return b
}

// field is the i-th word of the data, 0 where there is none.
func (p PDU) field(i int) int {
	if len(p.Data) < 2*i+2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(p.Data[2*i:]))
}

// Address is where a read or a write begins.
func (p PDU) Address() int { return p.field(0) }

// Quantity is how many values a read asks for.
func (p PDU) Quantity() int { return p.field(1) }

// Reads says that the request is a read of bits or registers (function 1-4).
func (p PDU) Reads() bool { return p.Function >= readCoils && p.Function <= readInputRegisters }

// Bits says that the values are single bits.
func (p PDU) Bits() bool { return p.Function == 1 || p.Function == 2 || p.Function == writeCoils }

// AnswerBytes is how many bytes of registers or bits the answer to a read holds.
func (p PDU) AnswerBytes() int {
	if p.Bits() {
		return (p.field(1) + 7) / 8
	}
	return 2 * p.field(1)
}

// Validate tells what makes a request unfit to be sent.
func (p PDU) Validate() error {
	quantity, most := 1, 1
	switch {
	case len(p.Data)+1 > maxPDU:
		return fmt.Errorf("a request of %d bytes, longer than %d", len(p.Data)+1, maxPDU)
	case p.Function == 0 || p.Function&ExceptionBit != 0:
		return fmt.Errorf("no function has the code %d", p.Function)
	case p.Reads() && p.Bits():
		quantity, most = p.field(1), maxReadBits
	case p.Reads():
		quantity, most = p.field(1), maxReadRegisters
	case p.Function == writeCoils:
		quantity, most = p.field(1), maxWriteBits
	case p.Function == writeRegisters:
		quantity, most = p.field(1), maxWriteRegisters
	case p.Function != writeCoil && p.Function != writeRegister:
		return nil // nothing is known of it
	}
	if quantity < 1 || quantity > most {
		return fmt.Errorf("function %d for %d values, outside 1-%d", p.Function, quantity, most)
	}
	if p.field(0)+quantity > 65536 {
		return fmt.Errorf("function %d for %d values at %d ends beyond 65535", p.Function, quantity, p.field(0))
	}
	return p.invalidLength(quantity)
}

// invalidLength tells where the data of a request does not fit its quantity.
func (p PDU) invalidLength(quantity int) error {
	want, data := 4, 0
	switch p.Function {
	case writeCoils:
		data = (quantity + 7) / 8
	case writeRegisters:
		data = 2 * quantity
	}
	if data > 0 {
		want = 5 + data
	}
	if len(p.Data) != want || data > 0 && int(p.Data[4]) != data {
		return fmt.Errorf("function %d for %d values with %d bytes of data, not %d", p.Function, quantity, len(p.Data), want)
	}
	return nil
}

// Check tells whether an answer is one to the request, and returns its
// payload, for a read the registers or bits alone: function code, byte count against quantity and length, exception
// form, echo of writes. Its error is an *Error of kind Exception or BadFrame.
func (p PDU) Check(answer PDU) ([]byte, error) {
	switch {
	case answer.Function == p.Function|ExceptionBit && len(answer.Data) == 1:
		return nil, &Error{Kind: Exception, Code: answer.Data[0], Sent: true}
	case answer.Function == p.Function|ExceptionBit:
		return nil, Bad("an exception of %d bytes", len(answer.Data)+1)
	case answer.Function != p.Function:
		return nil, Bad("function %d in the answer to function %d", answer.Function, p.Function)
	case p.Reads():
		return p.checkRead(answer)
	}
	if echo := p.Echo(); echo != nil && !bytes.Equal(answer.Data, echo) {
		return nil, Bad("write not confirmed: function %d answered % x, not % x", p.Function, answer.Data, echo)
	}
	return answer.Data, nil
}

func (p PDU) checkRead(answer PDU) ([]byte, error) {
	want := p.AnswerBytes()
	if len(answer.Data) < 1 {
		return nil, Bad("an answer without data to function %d", p.Function)
	}
	if got := int(answer.Data[0]); got != want || len(answer.Data) != 1+want {
		return nil, Bad("byte count %d and %d bytes in the answer where %d were asked for", got, len(answer.Data)-1, want)
	}
	return answer.Data[1:], nil
}

// Echo is the data of the answer to a write; nil where nothing is known.
func (p PDU) Echo() []byte {
	switch p.Function {
	case writeCoil, writeRegister, maskWrite:
		return p.Data
	case writeCoils, writeRegisters:
		return p.Data[:min(4, len(p.Data))]
	}
	return nil
}
