package tcp

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

// FuzzStream: whatever a peer sends after a request, and in whatever pieces,
// the request neither panics nor hangs, and data has the length asked for.
func FuzzStream(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 7, 1, 3, 4, 0, 5, 0, 6}, byte(3), true)
	f.Add([]byte{0, 0, 0, 0, 0, 3, 1, 0x83, 2, 0, 0, 0, 0, 0, 7, 1, 3, 4, 0, 5, 0, 6}, byte(9), true)
	f.Add([]byte{0, 0, 0, 1, 0, 7, 1}, byte(2), false)
	f.Add([]byte("login: "), byte(1), false)
	f.Fuzz(func(t *testing.T, in []byte, cut byte, id bool) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			c := New(ours, Options{Options: wire.Options{Timeout: time.Second}})
			defer c.Close()
			defer theirs.Close()
			go func() {
				b := make([]byte, 300)
				for {
					if _, err := theirs.Read(b); err != nil {
						return
					}
					out := append([]byte(nil), in...)
					if id && len(out) > 1 {
						copy(out, b[:2])
					}
					n := min(int(cut), len(out))
					_, _ = theirs.Write(out[:n]) // to a peer that may be gone
					_, _ = theirs.Write(out[n:])
				}
			}()
			for _, req := range []frame.PDU{frame.Read(3, 5, 2), frame.Read(1, 0, 9), frame.WriteRegister(5, [2]byte{0, 5})} {
				reply, err := c.Exchange(t.Context(), 1, req)
				var e *frame.Error
				if err != nil && !errors.As(err, &e) || err == nil && req.Reads() && len(reply.Data) != req.AnswerBytes() {
					t.Fatalf("function %d: % x, %v", req.Function, reply.Data, err)
				}
			}
		})
	})
}
