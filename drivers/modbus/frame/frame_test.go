package frame

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"fieldferry/drivers/modbus/modbustest"
)

// requests are one of each kind, and the frame that each is in RTU.
var requests = []struct {
	name string
	pdu  PDU
	wire []byte
}{
	{"read coils", Read(1, 19, 37), []byte{1, 0, 19, 0, 37}},
	{"read holding registers", Read(3, 107, 3), []byte{3, 0, 107, 0, 3}},
	{"read to the end", Read(4, 65411, 125), []byte{4, 0xFF, 0x83, 0, 125}},
	{"write coil on", WriteCoil(172, 1), []byte{5, 0, 172, 0xFF, 0}},
	{"write coil off", WriteCoil(172, 0), []byte{5, 0, 172, 0, 0}},
	{"write register", WriteRegister(1, [2]byte{0, 3}), []byte{6, 0, 1, 0, 3}},
	{"write coils", WriteCoils(19, 10, []byte{0xCD, 1}), []byte{15, 0, 19, 0, 10, 2, 0xCD, 1}},
	{"write registers", WriteRegisters(1, []byte{0, 10, 1, 2}), []byte{16, 0, 1, 0, 2, 4, 0, 10, 1, 2}},
}

// TestRequestsOnTheWire: the examples of the standard, framed both ways, and
// what a device that knows nothing of our code makes of them.
func TestRequestsOnTheWire(t *testing.T) {
	for _, c := range requests {
		if err := c.pdu.Validate(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		rtu, err := RTU(9).Encode(c.pdu)
		if want := modbustest.RTUFrame(9, c.wire); err != nil || !bytes.Equal(rtu, want) {
			t.Errorf("%s in RTU: % x, %v; want % x", c.name, rtu, err, want)
		}
		tcp, err := TCP(9).Encode(c.pdu)
		if err != nil || len(tcp) != TCPHeader+1+len(c.wire) || tcp[6] != 9 || !bytes.Equal(tcp[7:], c.wire) || int(tcp[5]) != len(c.wire)+1 {
			t.Errorf("%s in TCP: % x, %v; want unit 9 and % x", c.name, tcp, err, c.wire)
		}
		answer := modbustest.NewMemory(65536).Answer(c.wire)
		if _, err := c.pdu.Check(PDU{answer[0], answer[1:]}); err != nil {
			t.Errorf("%s: the right answer % x was refused: %v", c.name, answer, err)
		}
		if got, want := c.pdu.RTUAnswer(), len(answer)+3; got != want {
			t.Errorf("%s: the answer is %d bytes long in RTU, want %d", c.name, got, want)
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	for _, c := range []struct {
		pdu PDU
		err string
	}{
		{Read(3, 0, 0), "outside 1-125"},
		{Read(3, 0, 126), "outside 1-125"},
		{Read(1, 0, 2001), "outside 1-2000"},
		{Read(4, 65500, 100), "ends beyond 65535"},
		{PDU{3, []byte{0, 0, 0, 1, 0}}, "with 5 bytes of data"},
		{PDU{3, []byte{0, 0}}, "outside 1-125"},
		{WriteRegisters(0, make([]byte, 248)), "longer than 253"},
		{WriteRegisters(65530, make([]byte, 14)), "ends beyond 65535"},
		{WriteRegisters(0, make([]byte, 3)), "function 16"},
		{Read(3, 65536, 1), "outside 1-125"},
		{Read(3, -1, 1), "outside 1-125"},
		{Read(3, 0, 65537), "outside 1-125"},
		{WriteRegister(65536, [2]byte{0, 1}), "with 2 bytes of data"},
		{WriteCoil(70000, 1), "with 0 bytes of data"},
		{PDU{16, []byte{0, 0, 0, 4, 2, 0, 1}}, "not 13"},
		{PDU{16, []byte{0, 0, 0, 1, 4, 0, 1}}, "function 16"},
		{WriteCoils(0, 9, []byte{1}), "not 7"},
		{WriteCoils(0, 1969, make([]byte, 247)), "outside 1-1968"},
		{PDU{0, nil}, "no function"},
		{PDU{0x83, nil}, "no function"},
		{PDU{43, make([]byte, 253)}, "longer than 253"},
	} {
		if err := c.pdu.Validate(); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("Validate(%d % x) = %v, want an error with %q", c.pdu.Function, c.pdu.Data, err, c.err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		req    PDU
		answer []byte
		kind   Kind
		text   string
	}{
		{"exception", Read(3, 0, 1), []byte{0x83, 2}, Exception, "exception 2 (illegal data address)"},
		{"unknown exception", Read(3, 0, 1), []byte{0x83, 77}, Exception, "exception 77 (unknown)"},
		{"long exception", Read(3, 0, 1), []byte{0x83, 2, 0}, BadFrame, "an exception of 3 bytes"},
		{"short exception", Read(3, 0, 1), []byte{0x83}, BadFrame, "an exception of 1 bytes"},
		{"another function", Read(3, 0, 1), []byte{4, 2, 0, 1}, BadFrame, "function 4 in the answer to function 3"},
		{"exception of another function", Read(3, 0, 1), []byte{0x84, 2}, BadFrame, "function 132"},
		{"fewer registers", Read(3, 0, 10), []byte{3, 2, 0, 1}, BadFrame, "byte count 2 and 2 bytes"},
		{"more registers", Read(3, 0, 1), []byte{3, 4, 0, 1, 0, 2}, BadFrame, "byte count 4"},
		{"count is a lie", Read(3, 0, 1), []byte{3, 2, 0}, BadFrame, "byte count 2 and 1 bytes"},
		{"nothing at all", Read(3, 0, 1), []byte{3}, BadFrame, "without data"},
		{"exception without its bit", Read(3, 0, 1), []byte{3, 2}, BadFrame, "byte count 2 and 0 bytes"},
		{"bits", Read(1, 0, 9), []byte{1, 1, 0xFF}, BadFrame, "byte count 1"},
		{"write of another value", WriteRegister(1, [2]byte{0, 3}), []byte{6, 0, 1, 0, 4}, BadFrame, "write not confirmed"},
		{"write to another address", WriteCoil(1, 1), []byte{5, 0, 2, 0xFF, 0}, BadFrame, "write not confirmed"},
		{"write of fewer", WriteRegisters(0, []byte{0, 1, 0, 2}), []byte{16, 0, 0, 0, 1}, BadFrame, "write not confirmed"},
	} {
		data, err := c.req.Check(PDU{c.answer[0], c.answer[1:]})
		var e *Error
		if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(err.Error(), c.text) || data != nil || !e.Sent {
			t.Errorf("%s: Check = %x, %v; want %q and nothing", c.name, data, err, c.text)
		}
	}
}

func TestScanRTU(t *testing.T) {
	right := modbustest.RTUFrame(7, []byte{3, 4, 0, 1, 0, 2})
	other := modbustest.RTUFrame(8, []byte{3, 2, 0, 1})
	broken := append([]byte(nil), right...)
	broken[4] ^= 1
	cat := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, c := range []struct {
		name       string
		in         []byte
		final      bool
		start, end int
	}{
		{"nothing", nil, false, 0, 0},
		{"whole", right, false, 0, 9},
		{"incomplete", right[:8], false, 0, 0},
		{"incomplete at the end", right[:8], true, 0, 0},
		{"noise ahead", cat([]byte{0, 0xFF}, right), false, 2, 11},
		{"noise that begins like a unit", cat([]byte{7}, right), false, 1, 10},
		{"trailing bytes", cat(right, []byte{1, 2, 3}), false, 0, 9},
		{"two frames", cat(other, right), false, 0, 7},
		{"broken, then right", cat(broken, right), false, 9, 18},
		{"broken", broken, true, 0, 0},
		{"expected but cut, then right", cat(right[:5], right), true, 5, 14},
		{"exception", modbustest.RTUFrame(7, []byte{0x83, 2}), false, 0, 5},
		{"write echo", modbustest.RTUFrame(7, []byte{16, 0, 1, 0, 2}), false, 0, 8},
		{"mask write echo", modbustest.RTUFrame(7, []byte{22, 0, 1, 0, 2, 0, 3}), false, 0, 10},
		{"local echo of the request", cat(modbustest.RTUFrame(7, []byte{3, 0, 1, 0, 2}), right), false, 8, 17},
	} {
		expected := Expected(func(unit, fc byte, n int) bool { return unit == 7 && fc == 3 && n == 9 })
		if c.final {
			expected = nil
		}
		start, end := SerialRTU.Scan(c.in, expected)
		if start != c.start || end != c.end {
			t.Errorf("%s: ScanRTU(% x, %t) = %d, %d; want %d, %d", c.name, c.in, c.final, start, end, c.start, c.end)
		}
	}
}

// FuzzRTU: whatever a line brings, a frame found in it has a right checksum,
// and data let through has the length that was asked for.
func FuzzRTU(f *testing.F) {
	f.Add(modbustest.RTUFrame(7, []byte{3, 4, 0, 1, 0, 2}), true)
	f.Add([]byte{7, 3, 255, 0, 0, 0, 0, 0}, false)
	f.Add(modbustest.RTUFrame(7, []byte{0x83, 2}), false)
	f.Add(modbustest.RTUFrame(7, nil), true)
	f.Fuzz(func(t *testing.T, in []byte, final bool) {
		expected := Expected(func(unit, fc byte, n int) bool { return fc == 3 })
		if final {
			expected = nil
		}
		start, end := SerialRTU.Scan(in, expected)
		if end == 0 {
			return
		}
		adu := in[start:end]
		n := len(adu)
		if got, want := uint16(adu[n-2])|uint16(adu[n-1])<<8, modbustest.CRC(adu[:n-2]); got != want {
			t.Fatalf("frame % x has checksum %x, want %x", adu, got, want)
		}
		for _, r := range requests {
			request, err := RTU(adu[0]).Encode(r.pdu)
			if err != nil {
				t.Fatal(err)
			}
			accept(t, RTU(adu[0]), r.pdu, request, adu)
		}
	})
}

// FuzzTCP: the same for the frames of Modbus TCP.
func FuzzTCP(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 9, 9, 3, 6, 0, 1, 0, 2, 0, 3})
	f.Add([]byte{0, 1, 0, 0, 0, 3, 9, 0x83, 2})
	f.Add([]byte{0, 1, 0, 0, 0, 1, 9})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, r := range requests {
			request, err := TCP(9).Encode(r.pdu)
			if err != nil {
				t.Fatal(err)
			}
			accept(t, TCP(9), r.pdu, request, in)
		}
	})
}

func accept(t *testing.T, f Framing, pdu PDU, request, in []byte) {
	answer, err := f.Decode(request, in)
	if err != nil {
		return
	}
	data, err := pdu.Check(answer)
	if err == nil && pdu.Reads() && len(data) != pdu.AnswerBytes() {
		t.Fatalf("% x: %d bytes of data to %d % x, want %d", in, len(data), pdu.Function, pdu.Data, pdu.AnswerBytes())
	}
}
