package frame

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"fieldferry/drivers/modbus/modbustest"
)

// TestASCIIOnTheWire: each request framed, and the right answer to it found
// and let through.
func TestASCIIOnTheWire(t *testing.T) {
	for _, c := range requests {
		adu, err := SerialASCII.Framing(9).Encode(c.pdu)
		if want := modbustest.ASCIIFrame(9, c.wire); err != nil || !bytes.Equal(adu, want) {
			t.Errorf("%s: %q, %v; want %q", c.name, adu, err, want)
		}
		answer := modbustest.ASCIIFrame(9, modbustest.NewMemory(65536).Answer(c.wire))
		if got := SerialASCII.Answer(c.pdu); got != len(answer) {
			t.Errorf("%s: the answer is %d characters long, want %d", c.name, got, len(answer))
		}
		pdu, err := SerialASCII.Framing(9).Decode(adu, answer)
		if err == nil {
			_, err = c.pdu.Check(pdu)
		}
		if err != nil {
			t.Errorf("%s: the right answer %q was refused: %v", c.name, answer, err)
		}
	}
}

func TestScanASCII(t *testing.T) {
	right := string(modbustest.ASCIIFrame(7, []byte{3, 4, 0, 1, 0, 2}))
	other := string(modbustest.ASCIIFrame(8, []byte{3, 2, 0, 1}))
	broken := strings.Replace(right, "01", "03", 1)
	for _, c := range []struct {
		name, in string
		want     string // the frame found
	}{
		{"nothing", "", ""},
		{"whole", right, right},
		{"lower case", strings.ToLower(right), strings.ToLower(right)},
		{"incomplete", right[:len(right)-1], ""},
		{"noise ahead", "\x00\xFF\r\n" + right, right},
		{"cut, then right", right[:9] + right, right},
		{"colons", ":::" + right, right},
		{"trailing", right + "OK", right},
		{"two", other + right, other},
		{"broken, then right", broken + right, right},
		{"broken", broken, ""},
		{"no carriage return", strings.Replace(right, "\r", "", 1), ""},
		{"not a digit", strings.Replace(right, "0", "O", 1), ""},
		{"a digit short", ":" + right[2:], ""},
		{"too short", ":07F9\r\n", ""},
		{"too long", ":" + strings.Repeat("00", 300) + "\r\n", ""},
		{"a banner", "login: \r\n", ""},
	} {
		start, end := SerialASCII.Scan([]byte(c.in), nil)
		if got := c.in[start:end]; got != c.want {
			t.Errorf("%s: found %q in %q, want %q", c.name, got, c.in, c.want)
		}
		if c.want == "" {
			continue
		}
		unit, function := SerialASCII.Head([]byte(c.want))
		if unit != 7 && unit != 8 || function != 3 {
			t.Errorf("%s: unit %d, function %d", c.name, unit, function)
		}
	}
}

// TestAnswersThatTellTheirLength are found whole, at every byte they come in.
func TestAnswersThatTellTheirLength(t *testing.T) {
	for _, pdu := range [][]byte{
		{7, 0x55}, {8, 0, 0, 1, 2}, {11, 0, 0, 0, 9}, {12, 3, 1, 2, 3}, {17, 2, 5, 0xFF},
		{20, 3, 2, 6, 1}, {23, 4, 0, 1, 0, 2}, {24, 0, 4, 0, 1, 0, 9}, {43, 14, 1, 1, 0, 0, 0},
		{43, 14, 1, 1, 0, 0, 2, 0, 1, 'x', 1, 0},
	} {
		adu := modbustest.RTUFrame(1, pdu)
		all := func(byte, byte, int) bool { return true }
		for n := range adu {
			if _, end := SerialRTU.Scan(adu[:n], all); end != 0 {
				t.Errorf("function %d: a frame of %d bytes in the first %d of %d", pdu[0], end, n, len(adu))
			}
		}
		if start, end := SerialRTU.Scan(append([]byte{0}, adu...), nil); start != 1 || end != 1+len(adu) {
			t.Errorf("function %d: found %d to %d, want 1 to %d", pdu[0], start, end, 1+len(adu))
		}
		if req := (PDU{Function: pdu[0], Data: []byte{14, 1, 0}}); !SerialRTU.Known(req) || !SerialASCII.Known(req) {
			t.Errorf("function %d is not known", pdu[0])
		}
	}
	if SerialRTU.Known(PDU{Function: 99}) || !SerialASCII.Known(PDU{Function: 99}) {
		t.Error("an answer to function 99 has an end in ASCII, and none that is known in RTU")
	}
}

// FuzzASCII: whatever a line brings, a frame found in it has a right checksum,
// and data let through has the length that was asked for.
func FuzzASCII(f *testing.F) {
	f.Add(modbustest.ASCIIFrame(7, []byte{3, 4, 0, 1, 0, 2}))
	f.Add(modbustest.ASCIIFrame(7, []byte{0x83, 2}))
	f.Add(modbustest.ASCIIFrame(7, nil))
	f.Add([]byte(":07030\xFF::F6\r\n"))
	f.Add([]byte(":\n:\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		start, end := SerialASCII.Scan(in, nil)
		if end == 0 {
			return
		}
		adu := in[start:end]
		raw, err := hex.DecodeString(string(adu[1 : len(adu)-2]))
		sum := byte(0)
		for _, x := range raw {
			sum += x
		}
		if err != nil || sum != 0 || adu[0] != ':' {
			t.Fatalf("frame %q: %v, all bytes add up to %d", adu, err, sum)
		}
		unit, function := SerialASCII.Head(adu)
		if unit != raw[0] || function != raw[1] {
			t.Fatalf("frame %q: unit %d, function %d", adu, unit, function)
		}
		for _, r := range requests {
			request, err := SerialASCII.Framing(unit).Encode(r.pdu)
			if err != nil {
				t.Fatal(err)
			}
			accept(t, SerialASCII.Framing(unit), r.pdu, request, adu)
		}
	})
}
