package line

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/drivers/modbus/wire"
)

// FuzzLine: whatever a line brings after a request, and in whatever pieces, no
// request panics or hangs, no data has another length than was asked for, and
// the next request, on a line that has become quiet, is answered.
func FuzzLine(f *testing.F) {
	right := modbustest.RTUFrame(1, []byte{3, 4, 0, 5, 0, 6})
	f.Add(right, byte(3), false, true)
	f.Add(append([]byte{0, 0xFF}, right...), byte(1), false, true)
	f.Add(modbustest.RTUFrame(1, []byte{0x83, 2}), byte(4), false, false)
	f.Add(modbustest.RTUFrame(1, []byte{43, 14, 1, 1, 0, 0, 1, 0, 200}), byte(9), false, true)
	f.Add(modbustest.ASCIIFrame(1, []byte{3, 4, 0, 5, 0, 6}), byte(2), true, true)
	f.Add([]byte(":0103:::\r\n:"), byte(2), true, false)
	f.Fuzz(func(t *testing.T, in []byte, cut byte, ascii, echo bool) {
		synctest.Test(t, func(t *testing.T) {
			l := newLine(map[byte]*modbustest.Memory{1: unit(0)})
			o := Options{Options: wire.Options{Timeout: time.Second}, Memory: NewMemory()}
			if l.ascii = ascii; ascii {
				o.Framing = frame.SerialASCII
			}
			r := New(l, o)
			defer r.Close()
			l.echo = echo
			l.script = func(l *line, _ byte, _ []byte) {
				n := min(int(cut), len(in))
				l.send(in[:n])
				l.later(10*time.Millisecond, in[n:])
			}
			for _, req := range []frame.PDU{frame.Read(3, 5, 2), frame.Read(1, 0, 9), frame.WriteRegister(5, [2]byte{0, 5}), {Function: 43, Data: []byte{14, 1, 0}}} {
				reply, err := r.Exchange(t.Context(), 1, req)
				var e *frame.Error
				if err != nil && !errors.As(err, &e) || err == nil && req.Reads() && len(reply.Data) != req.AnswerBytes() {
					t.Fatalf("function %d: % x, %v", req.Function, reply.Data, err)
				}
			}
			l.script = nil
			time.Sleep(10 * time.Second)
			if err := readN(t, r, 1, 7, 3); err != nil {
				t.Fatalf("the line was quiet again: %v", err)
			}
		})
	})
}
