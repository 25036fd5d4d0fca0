package line

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

// TestNothingBehindIsTouched: where a read may not be longer, neither a late
// answer nor a copy makes the line touch what lies behind it, and none of them
// becomes a value.
func TestNothingBehindIsTouched(t *testing.T) {
	for _, n := range []int{1, 2} {
		for _, twice := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d registers, twice %v", n, twice), func(t *testing.T) {
				const timeout = 200 * time.Millisecond
				o := Options{Options: wire.Options{Timeout: timeout}, Longest: func(_ byte, r frame.PDU) int { return n }}
				onLine(t, o, func(t *testing.T, l *line, r *Line) {
					asked, good := 0, 0
					l.script = func(l *line, unit byte, pdu []byte) {
						asked++
						if got := int(pdu[4]); got > n {
							t.Errorf("request %d asks for %d registers, want %d at most", asked, got, n)
						}
						answer := l.answer(unit, pdu)
						if asked%5 == 0 {
							l.later(timeout*3/2, answer)
							return
						}
						l.later(8*time.Millisecond, answer)
						if twice {
							l.later(25*time.Millisecond, answer)
						}
					}
					for i := range 200 {
						if readN(t, r, 1, 4*(i%20), n) == nil {
							good++
						}
						time.Sleep(timeout)
						synctest.Wait() // what was to come by now has
					}
					// A late answer costs its own read and those of its window.
					if good < 90 {
						t.Errorf("%d of 200 reads answered", good)
					}
				})
			})
		}
	}
}

// TestAlikeWithoutRoom: two places that hold the same are told apart without a
// longer read.
func TestAlikeWithoutRoom(t *testing.T) {
	for _, n := range []int{1, 2} {
		o := Options{Options: wire.Options{Timeout: 200 * time.Millisecond}, Longest: func(byte, frame.PDU) int { return 0 }}
		onLine(t, o, func(t *testing.T, l *line, r *Line) {
			l.units[1].Set(10, 5, 6)
			l.units[1].Set(20, 5, 6)
			l.script = func(l *line, unit byte, pdu []byte) {
				if got := int(pdu[4]); got > n {
					t.Errorf("asked for %d registers, want %d at most", got, n)
				}
				l.later(8*time.Millisecond, l.answer(unit, pdu))
			}
			for i := range 6 {
				reply, err := r.Exchange(t.Context(), 1, frame.Read(3, 10+i%2*10, n))
				if err != nil || len(reply.Data) != 2*n || reply.Data[1] != 5 {
					t.Fatalf("%d registers, read %d: % x, %v", n, i, reply.Data, err)
				}
			}
		})
	}
}
