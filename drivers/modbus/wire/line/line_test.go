package line

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/drivers/modbus/wire"
)

// TestRTULateAnswers: answers that come 50 ms to 5 s after the timeout never
// become the value of another register, on a line with two units, for reads
// of one length and of many.
func TestRTULateAnswers(t *testing.T) {
	for _, ms := range []int{50, 120, 500, 900, 2500, 5000} {
		late := time.Duration(ms) * time.Millisecond
		for _, lengths := range []int{1, 3} {
			t.Run(fmt.Sprintf("%v of %d", late, lengths), func(t *testing.T) {
				o := Options{Options: wire.Options{Timeout: 200 * time.Millisecond}, LateWindow: 6 * time.Second}
				onLine(t, o, func(t *testing.T, l *line, r *Line) {
					n, held := 0, 0
					l.script = func(l *line, unit byte, pdu []byte) {
						n++
						if n%7 == 0 {
							held++
							l.later(o.Timeout+late, l.answer(unit, pdu))
							return
						}
						l.later(5*time.Millisecond, l.answer(unit, pdu))
					}
					ok, failed := 0, 0
					for i := range 400 {
						time.Sleep(20 * time.Millisecond)
						if err := readN(t, r, byte(1+i%2), i%100, 1+i%lengths); err != nil {
							failed++
						} else {
							ok++
						}
					}
					time.Sleep(o.LateWindow)
					_ = readN(t, r, 1, 0, 1)
					got := r.Stats()
					if held == 0 || ok < 150 || int(got.Timeouts) < held || got.Late+got.Foreign == 0 {
						t.Errorf("%d ok, %d failed of 400, %d held back, stats %+v", ok, failed, held, got)
					}
				})
			})
		}
	}
}

// TestRTUReadsOnAfterALoss: a lost answer costs its own cycle alone: the same
// register is read again at once, by a request whose answer has another
// length.
func TestRTUReadsOnAfterALoss(t *testing.T) {
	onLine(t, Options{Options: wire.Options{Timeout: time.Second}}, func(t *testing.T, l *line, r *Line) {
		var asked []byte
		l.script = func(l *line, unit byte, pdu []byte) {
			asked = append(asked, pdu[4])
			if len(asked) > 1 {
				l.send(l.answer(unit, pdu))
			}
		}
		if err := readN(t, r, 1, 10, 2); err == nil {
			t.Fatal("a lost answer gave a value")
		}
		for range 3 {
			if err := readN(t, r, 1, 10, 2); err != nil {
				t.Fatalf("after a loss: %v", err)
			}
		}
		time.Sleep(4 * time.Second)
		if err := readN(t, r, 1, 10, 2); err != nil {
			t.Fatal(err)
		}
		if want := "\x02\x03\x03\x03\x02"; string(asked) != want {
			t.Errorf("quantities asked for: % x, want % x", asked, want)
		}
	})
}

// TestRTUWriteIsNotRepeatedIntoItsOwnEcho: the late echo of a write would
// confirm the same write sent again.
func TestRTUWriteIsNotRepeatedIntoItsOwnEcho(t *testing.T) {
	onLine(t, Options{Options: wire.Options{Timeout: time.Second}, Echo: EchoOff}, func(t *testing.T, l *line, r *Line) {
		l.script = func(*line, byte, []byte) {}
		w := frame.WriteRegister(5, [2]byte{0, 7})
		_, err := r.Exchange(t.Context(), 1, w)
		if e := wantKind(t, err, frame.Timeout); !e.Sent {
			t.Errorf("first write: %+v, want it sent", e)
		}
		_, err = r.Exchange(t.Context(), 1, w)
		if e := wantKind(t, err, frame.Timeout); e.Sent || l.sent != 1 {
			t.Errorf("second write: %+v, %d frames sent; want it held back", e, l.sent)
		}
		time.Sleep(4 * time.Second)
		l.script = nil
		if _, err := r.Exchange(t.Context(), 1, w); err != nil {
			t.Errorf("after the window: %v", err)
		}
	})
}

// TestRTUOddAnswers plays what a line does to an answer.
func TestRTUOddAnswers(t *testing.T) {
	right := modbustest.RTUFrame(1, []byte{3, 2, 0, 5})
	echo := modbustest.RTUFrame(1, []byte{3, 0, 5, 0, 1})
	cut := func(b []byte, n int) []byte { return b[:n] }
	flip := append([]byte(nil), right...)
	flip[3] ^= 0x10
	for _, c := range []struct {
		name  string
		bytes [][]byte // sent 20 ms apart
		kind  frame.Kind
		text  string // empty: it is read
	}{
		{"in pieces", [][]byte{cut(right, 1), right[1:3], right[3:]}, 0, ""},
		{"noise ahead", [][]byte{{0x00, 0xFF}, right}, 0, ""},
		{"echo of the request", [][]byte{echo, right}, 0, ""},
		{"a late frame of another unit ahead", [][]byte{modbustest.RTUFrame(2, []byte{3, 2, 0xEE, 0xEE}), right}, 0, ""},
		{"another length ahead", [][]byte{modbustest.RTUFrame(1, []byte{3, 4, 1, 1, 1, 1}), right}, 0, ""},
		{"a broken frame ahead", [][]byte{flip, right}, 0, ""},
		{"trailing bytes", [][]byte{append(append([]byte(nil), right...), 1, 2, 3)}, 0, ""},
		{"twice", [][]byte{append(append([]byte(nil), right...), right...)}, 0, ""},
		{"broken checksum", [][]byte{flip}, frame.BadFrame, "7 bytes that form no answer"},
		{"short", [][]byte{cut(right, 6)}, frame.BadFrame, "6 bytes that form no answer"},
		{"another unit alone", [][]byte{modbustest.RTUFrame(2, []byte{3, 2, 0, 5})}, frame.Timeout, "no answer"},
		{"another length alone", [][]byte{modbustest.RTUFrame(1, []byte{3, 4, 0, 5, 0, 6})}, frame.BadFrame, "byte count 4 and 4 bytes in the answer where 2"},
		{"another function", [][]byte{modbustest.RTUFrame(1, []byte{4, 2, 0, 5})}, frame.Timeout, "no answer"},
		{"echo alone", [][]byte{echo}, frame.Timeout, "only the line's own echo"},
		{"exception in two parts", [][]byte{cut(modbustest.RTUFrame(1, []byte{0x83, 4}), 4), modbustest.RTUFrame(1, []byte{0x83, 4})[4:]}, frame.Exception, "exception 4"},
		{"silence", nil, frame.Timeout, "no answer within 1s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			onLine(t, Options{Options: wire.Options{Timeout: time.Second}}, func(t *testing.T, l *line, r *Line) {
				l.script = func(l *line, unit byte, pdu []byte) {
					for i, b := range c.bytes {
						l.later(time.Duration(20+20*i)*time.Millisecond, b)
					}
				}
				err := readN(t, r, 1, 5, 1)
				switch {
				case c.text == "" && err != nil:
					t.Fatal(err)
				case c.text != "":
					if e := wantKind(t, err, c.kind); !strings.Contains(e.Error(), c.text) {
						t.Errorf("got %v, want %q", e, c.text)
					}
				}
				l.script = nil
				if err := readN(t, r, 2, 9, 1); err != nil {
					t.Errorf("the next read: %v", err)
				}
			})
		})
	}
}

func TestRTUSlowFrameIsAwaited(t *testing.T) {
	onLine(t, Options{Options: wire.Options{Timeout: 100 * time.Millisecond}}, func(t *testing.T, l *line, r *Line) {
		l.script = func(l *line, unit byte, pdu []byte) {
			answer := l.answer(unit, pdu) // 125 registers: 265 ms at 9600 baud, begun just in time
			for i := range answer {
				l.later(90*time.Millisecond+time.Duration(i)*r.o.Char, answer[i:i+1])
			}
		}
		if err := readN(t, r, 1, 0, 125); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRTUGarbageEnds(t *testing.T) {
	onLine(t, Options{Options: wire.Options{Timeout: time.Second}}, func(t *testing.T, l *line, r *Line) {
		l.script = func(*line, byte, []byte) {} // no device understands a word
		stop := make(chan struct{})
		garble := func() {
			tick := time.NewTicker(2 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					l.send([]byte{0x55, 0xAA, 3, 3})
				case <-stop:
					return
				}
			}
		}
		go garble()
		for range 5 {
			start := time.Now()
			wantKind(t, readN(t, r, 1, 0, 4), frame.BadFrame)
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("a request on a garbled line took %v", d)
			}
		}
		close(stop)
		l.script = nil
		synctest.Wait()
		time.Sleep(10 * time.Second)
		if err := readN(t, r, 1, 0, 4); err != nil {
			t.Errorf("when the garbage had ended: %v", err)
		}
	})
}

// TestRTUSuspectException: an exception that may belong to an earlier request
// is marked, one that cannot is not.
func TestRTUSuspectException(t *testing.T) {
	onLine(t, Options{Options: wire.Options{Timeout: time.Second}}, func(t *testing.T, l *line, r *Line) {
		e := wantKind(t, readN(t, r, 1, 999, 2), frame.Exception)
		if e.Suspect || e.Code != 2 {
			t.Errorf("got %+v, want exception 2, beyond doubt", e)
		}
		l.script = func(*line, byte, []byte) {}
		wantKind(t, readN(t, r, 1, 0, 3), frame.Timeout)
		l.script = nil
		if e := wantKind(t, readN(t, r, 1, 999, 2), frame.Exception); !e.Suspect {
			t.Errorf("got %+v, want it suspect", e)
		}
	})
}

func TestRTUKeepsItsDistance(t *testing.T) {
	onLine(t, Options{Options: wire.Options{Timeout: time.Second}}, func(t *testing.T, l *line, r *Line) {
		var at []time.Time
		l.script = func(l *line, unit byte, pdu []byte) {
			at = append(at, time.Now())
			l.later(30*time.Millisecond, l.answer(unit, pdu))
		}
		for i := range 5 {
			if err := readN(t, r, 1, i, 1); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 4 {
			if d := at[i+1].Sub(at[i]); d < 30*time.Millisecond+r.o.Gap {
				t.Errorf("request %d came %v after the one before, want at least 30 ms and t3.5 (%v)", i+1, d, r.o.Gap)
			}
		}
	})
}

func TestRTUCancelCloseAndUnplug(t *testing.T) {
	onLine(t, Options{Options: wire.Options{Timeout: time.Hour}}, func(t *testing.T, l *line, r *Line) {
		l.script = func(*line, byte, []byte) {}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := r.Exchange(ctx, 1, frame.Read(3, 0, 1))
		if e := wantKind(t, err, frame.Cancelled); !e.Sent || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 30*time.Millisecond {
			t.Errorf("cancelled: %+v after %v", e, time.Since(start))
		}
		time.AfterFunc(time.Second, func() { l.Close() })
		wantKind(t, readN(t, r, 2, 0, 1), frame.LinkDown)
		if e := wantKind(t, readN(t, r, 2, 0, 1), frame.LinkDown); e.Sent || !strings.Contains(e.Error(), "unplugged") {
			t.Errorf("after the end: %+v", e)
		}
	})
}

func TestRTURefusesWhatCannotBeAnswered(t *testing.T) {
	onLine(t, Options{}, func(t *testing.T, l *line, r *Line) {
		for u, req := range map[byte]frame.PDU{0: frame.Read(3, 0, 1), 1: {Function: 99, Data: []byte{14}}, 2: frame.Read(3, 0, 200)} {
			_, err := r.Exchange(t.Context(), u, req)
			wantKind(t, err, frame.Invalid)
		}
		if l.sent != 0 {
			t.Errorf("%d frames were sent", l.sent)
		}
	})
}

// TestRTUOverTCP: the same line on a real socket; silence of all ends it.
func TestRTUOverTCP(t *testing.T) {
	s := modbustest.NewRTU(t, map[byte]*modbustest.Memory{1: unit(0), 2: unit(0)})
	c := connect(t, s, Options{Options: wire.Options{Timeout: short, Units: []byte{1, 2}}})
	for i := range 50 {
		mustRead(t, c, 1, i, 0)
		mustRead(t, c, 2, i, 0)
	}
	s.Handle(func(*modbustest.Conn, modbustest.Request) {})
	wantKind(t, read(t, c, 1, 0, 0), frame.Timeout)
	wantKind(t, read(t, c, 1, 1, 0), frame.Timeout)
	wantKind(t, read(t, c, 2, 0, 0), frame.Timeout)
	wantKind(t, read(t, c, 2, 1, 0), frame.LinkDown)
}
