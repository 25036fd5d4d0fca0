package line

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

// TestCopies: every answer comes twice, the second time with the requests after
// it, and none of them becomes the value of another register.
func TestCopies(t *testing.T) {
	for _, framing := range []frame.Serial{frame.SerialRTU, frame.SerialASCII} {
		for _, ms := range []int{0, 4, 9, 12, 17, 40, 150, 400, 900} {
			t.Run(fmt.Sprintf("%d %d ms", framing, ms), func(t *testing.T) {
				o := Options{Options: wire.Options{Timeout: 200 * time.Millisecond}, Framing: framing}
				onLine(t, o, func(t *testing.T, l *line, r *Line) {
					l.script = func(l *line, unit byte, pdu []byte) {
						answer := l.answer(unit, pdu)
						l.later(8*time.Millisecond, answer)
						l.later(time.Duration(8+ms)*time.Millisecond, answer)
					}
					failed := 0
					for i := range 300 {
						if readN(t, r, byte(1+i/5%2), 2*i%100, 2) != nil {
							failed++
						}
					}
					if got := r.Stats(); failed > 5 || got.Late < 100 {
						t.Errorf("%d of 300 failed, stats %+v; want 5 at most, and the copies dropped", failed, got)
					}
				})
			})
		}
	}
}

// TestSecondAnswersOfOneBlock: a copy that comes with the next request for the
// same registers holds the values of before. The true answer after it tells.
func TestSecondAnswersOfOneBlock(t *testing.T) {
	onLine(t, Options{Options: wire.Options{Timeout: 200 * time.Millisecond}}, func(t *testing.T, l *line, r *Line) {
		n := uint16(0)
		l.script = func(l *line, unit byte, pdu []byte) {
			n++
			l.units[1].Set(0, n, n)
			answer := l.answer(unit, pdu)
			l.later(8*time.Millisecond, answer)
			l.later(25*time.Millisecond, answer)
		}
		old := 0
		for range 200 {
			reply, err := r.Exchange(t.Context(), 1, frame.Read(3, 0, 2))
			if err != nil {
				t.Fatal(err)
			}
			if got := uint16(reply.Data[0])<<8 | uint16(reply.Data[1]); got != n {
				old++
			}
			time.Sleep(12 * time.Millisecond)
			synctest.Wait() // what was to come by now has
		}
		if old > 1 {
			t.Errorf("%d of 200 reads gave the values of the read before, want the first at most", old)
		}
	})
}

// TestAlike: two places that hold the same cost one more read when that is
// found out, and none after that; also where the register after them is not
// there.
func TestAlike(t *testing.T) {
	for _, end := range []bool{false, true} {
		onLine(t, Options{Options: wire.Options{Timeout: time.Second}}, func(t *testing.T, l *line, r *Line) {
			l.units[1].Set(10, 5, 6)
			l.units[1].Set(20, 5, 6)
			if end {
				l.units[1].Hole(12)
				l.units[1].Hole(22)
			}
			var asked []byte
			l.script = func(l *line, unit byte, pdu []byte) {
				asked = append(asked, pdu[4])
				l.later(8*time.Millisecond, l.answer(unit, pdu))
			}
			for i := range 6 {
				reply, err := r.Exchange(t.Context(), 1, frame.Read(3, 10+i%2*10, 2))
				if err != nil || !slices.Equal(reply.Data, []byte{0, 5, 0, 6}) {
					t.Fatalf("read %d: % x, %v", i, reply.Data, err)
				}
			}
			want := []byte{2, 2, 3, 2, 3, 2, 2, 2}
			if end {
				want[4] = 4 // the refusal of three may have been that of two
			}
			if !slices.Equal(asked, want) {
				t.Errorf("quantities asked for: % x, want % x", asked, want)
			}
		})
	}
}

// TestCopiesOfWrites: on a line that answers twice a write is not confirmed by
// the copy of the one before.
func TestCopiesOfWrites(t *testing.T) {
	o := Options{Options: wire.Options{Timeout: 200 * time.Millisecond}, Echo: EchoOff}
	onLine(t, o, func(t *testing.T, l *line, r *Line) {
		l.script = func(l *line, unit byte, pdu []byte) {
			l.later(8*time.Millisecond, l.answer(unit, pdu))
			l.later(30*time.Millisecond, l.answer(unit, pdu))
		}
		_ = readN(t, r, 1, 0, 2)
		time.Sleep(50 * time.Millisecond)
		_ = readN(t, r, 1, 4, 2) // now it is known
		w := frame.WriteRegister(5, [2]byte{0, 7})
		if _, err := r.Exchange(t.Context(), 1, w); err != nil {
			t.Fatal(err)
		}
		l.script = func(*line, byte, []byte) {} // the device is gone; a copy is on its way
		_, err := r.Exchange(t.Context(), 1, w)
		wantKind(t, err, frame.Timeout)
	})
}
