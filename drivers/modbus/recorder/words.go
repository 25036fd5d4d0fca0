package recorder

import (
	"encoding/binary"
	"fmt"
	"strings"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

// functions are the names of function codes (Modbus Application Protocol
// V1.1b3 §6).
var functions = map[byte]string{
	1: "read coils", 2: "read discrete inputs", 3: "read holding registers", 4: "read input registers",
	5: "write coil", 6: "write register", 7: "read exception status", 8: "diagnostics", 11: "comm event counter",
	12: "comm event log", 15: "write coils", 16: "write registers", 17: "report server id", 20: "read file record",
	21: "write file record", 22: "mask write register", 23: "read/write registers", 24: "read FIFO queue", 43: "device identification",
}

func functionName(fc byte) string {
	if name, ok := functions[fc&^frame.ExceptionBit]; ok {
		return name
	}
	return fmt.Sprintf("function %d", fc&^frame.ExceptionBit)
}

// Out says that the frame was sent by us.
func (f *Frame) Out() bool { return f.Outcome == wire.Request || f.Outcome == wire.Silence }

// Words tells the frame in words: "read holding registers 100-109".
func (f *Frame) Words() string {
	switch {
	case f.Outcome == wire.Silence:
		return "no answer to: " + request(f.PDU)
	case f.Outcome == wire.Noise || f.PDU.Function == 0:
		return fmt.Sprintf("%d bytes", len(f.Bytes))
	case f.Outcome == wire.Request || f.Outcome == wire.Echo:
		return request(f.PDU)
	case f.PDU.Function&frame.ExceptionBit != 0 && len(f.PDU.Data) == 1:
		return fmt.Sprintf("%s: exception %d (%s)", functionName(f.PDU.Function), f.PDU.Data[0], frame.ExceptionText(f.PDU.Data[0]))
	}
	return answer(f.PDU)
}

func request(p frame.PDU) string {
	name := functionName(p.Function)
	switch {
	case p.Reads() && len(p.Data) == 4, (p.Function == 15 || p.Function == 16) && len(p.Data) > 4:
		return fmt.Sprintf("%s %s", name, span(p.Address(), p.Quantity()))
	case (p.Function == 5 || p.Function == 6) && len(p.Data) == 4:
		return fmt.Sprintf("%s %d: 0x%04X", name, p.Address(), p.Quantity())
	}
	return name
}

func span(first, n int) string {
	if n <= 1 {
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d-%d", first, first+n-1)
}

// fewRegisters is how many registers of an answer are told one by one.
const fewRegisters = 8

func answer(p frame.PDU) string {
	name := functionName(p.Function)
	if !p.Reads() || len(p.Data) < 1 {
		return name
	}
	values := p.Data[1:]
	if p.Bits() {
		return fmt.Sprintf("%s: % x", name, values)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", name)
	for i := 0; i+1 < len(values); i += 2 {
		if i/2 == fewRegisters {
			fmt.Fprintf(&b, " ... (%d in all)", len(values)/2)
			break
		}
		fmt.Fprintf(&b, " %04X", binary.BigEndian.Uint16(values[i:]))
	}
	return b.String()
}
