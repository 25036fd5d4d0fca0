package line

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/drivers/modbus/wire"
)

// TestEchoConfirmsNothing: on a line that gives back what is sent, and with a
// device that is there or not, a write is confirmed by the device or not at
// all, whatever was read before it.
func TestEchoConfirmsNothing(t *testing.T) {
	writes := []frame.PDU{
		frame.WriteRegister(505, [2]byte{0, 7}), frame.WriteCoil(3, 1),
		frame.WriteRegisters(505, []byte{0, 7, 0, 8}), frame.WriteCoils(3, 2, []byte{3}),
	}
	for _, set := range []Echo{EchoAuto, EchoOn, EchoOff} {
		for _, echo := range []bool{true, false} {
			for _, there := range []bool{true, false} {
				for _, framing := range []frame.Serial{frame.SerialRTU, frame.SerialASCII} {
					if set != EchoAuto && (set == EchoOn) != echo {
						continue // said wrongly
					}
					name := fmt.Sprintf("set %d, echo %t, device %t, framing %d", set, echo, there, framing)
					t.Run(name, func(t *testing.T) {
						o := Options{Options: wire.Options{Timeout: time.Second}, Echo: set, Framing: framing}
						onLine(t, o, func(t *testing.T, l *line, r *Line) {
							l.echo, l.deaf = echo, !there
							for i, w := range writes {
								_, err := r.Exchange(t.Context(), 1, w)
								if (err == nil) != there {
									t.Errorf("write %d: %v, and the device is there: %t", i, err, there)
								}
								if err := readN(t, r, 1, 5+i, 1); there != (err == nil) && i > 1 {
									t.Errorf("read %d: %v", i, err)
								}
							}
						})
					})
				}
			}
		}
	}
}

// TestEchoComesAndGoes: an adapter is changed for one without an echo, and
// back; reads go on, and no write is confirmed that is not.
func TestEchoComesAndGoes(t *testing.T) {
	onLine(t, Options{Options: wire.Options{Timeout: time.Second}}, func(t *testing.T, l *line, r *Line) {
		for round := range 6 {
			l.echo = round%2 == 0
			l.deaf = false
			for i := range echoDoubts {
				if err := readN(t, r, 1, i, 2); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			}
			if _, err := r.Exchange(t.Context(), 1, frame.WriteRegister(500, [2]byte{1, byte(round)})); err != nil {
				t.Errorf("round %d: write: %v", round, err)
			}
			l.deaf = true
			if _, err := r.Exchange(t.Context(), 1, frame.WriteRegister(501, [2]byte{1, byte(round)})); err == nil {
				t.Errorf("round %d: a write was confirmed by nobody", round)
			}
			<-time.After(10 * time.Second) // virtual: the window of what was given up
		}
	})
}

func TestBroadcast(t *testing.T) {
	onLine(t, Options{Turnaround: 150 * time.Millisecond}, func(t *testing.T, l *line, r *Line) {
		var got []byte
		l.script = func(_ *line, unit byte, pdu []byte) { got = append([]byte{unit}, pdu...) }
		start := time.Now()
		reply, err := r.Exchange(t.Context(), 0, frame.WriteRegister(5, [2]byte{0, 7}))
		if err != nil || reply.Data != nil || !bytes.Equal(got, []byte{0, 6, 0, 5, 0, 7}) {
			t.Errorf("broadcast: % x, %v; sent % x", reply.Data, err, got)
		}
		if d, least := time.Since(start), 150*time.Millisecond+8*r.o.Char; d < least {
			t.Errorf("the devices had %v for it, want %v", d, least)
		}
		l.script = nil
		if err := readN(t, r, 1, 5, 1); err != nil {
			t.Errorf("the next read: %v", err)
		}
	})
}

// events is a tap that writes down what it is told.
type events struct {
	mu  sync.Mutex // guards the field below
	got []string
}

func (e *events) Frame(v wire.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = append(e.got, fmt.Sprintf("%v %d %d %d", v.Outcome, v.Unit, v.PDU.Function, len(v.Bytes)))
}

// TestTapIsToldOfEveryFrame of a line on which everything happens.
func TestTapIsToldOfEveryFrame(t *testing.T) {
	tap := new(events)
	o := Options{Options: wire.Options{Timeout: time.Second, Tap: tap}}
	onLine(t, o, func(t *testing.T, l *line, r *Line) {
		l.echo = true
		l.script = func(l *line, unit byte, pdu []byte) {
			l.later(1500*time.Millisecond, l.answer(unit, pdu))
		}
		wantKind(t, readN(t, r, 1, 5, 1), frame.Timeout)
		l.script = func(l *line, unit byte, pdu []byte) {
			l.send([]byte{0xFF})
			l.send(l.answer(2, pdu))
			l.later(time.Second*3/4, l.answer(unit, pdu))
		}
		if err := readN(t, r, 1, 5, 1); err != nil {
			t.Fatal(err)
		}
		l.script = nil
		wantKind(t, readN(t, r, 1, 999, 5), frame.Exception)
	})
	want := []string{
		"request 1 3 8", "echo 1 3 8", "silence 1 3 0",
		"request 1 3 8", "echo 1 3 8", "noise 0 0 1", "foreign 2 3 9", "late 1 3 7", "answer 1 3 9",
		"request 1 3 8", "echo 1 3 8", "answer 1 131 5",
	}
	if fmt.Sprint(tap.got) != fmt.Sprint(want) {
		t.Errorf("told of\n%q\nwant\n%q", tap.got, want)
	}
}

// TestLateAnswerToTheConnectionBefore: a converter sends on a new connection
// what was asked for on the one before.
func TestLateAnswerToTheConnectionBefore(t *testing.T) {
	o := Options{Options: wire.Options{Timeout: time.Second}, Memory: NewMemory()}
	onLine(t, o, func(t *testing.T, l *line, r *Line) {
		l.script = func(*line, byte, []byte) {}
		wantKind(t, readN(t, r, 1, 5, 1), frame.Timeout)
		r.Close()
		l2 := newLine(l.units)
		r2 := New(l2, r.o)
		defer r2.Close()
		l2.script = func(l *line, unit byte, pdu []byte) {
			l.send(modbustest.RTUFrame(1, []byte{3, 2, 0, 5}))
			l.later(20*time.Millisecond, l.answer(unit, pdu))
		}
		if err := readN(t, r2, 1, 77, 1); err != nil {
			t.Fatal(err)
		}
		if s := r2.Stats(); s.Late != 1 {
			t.Errorf("stats %+v, want one late answer", s)
		}
	})
}

// TestFirstListen: what a master before us asked for is not taken for ours.
func TestFirstListen(t *testing.T) {
	onLine(t, Options{}, func(t *testing.T, l *line, r *Line) {
		r.mem.used = false
		l.later(200*time.Millisecond, modbustest.RTUFrame(1, []byte{3, 2, 0, 5}))
		l.script = func(l *line, unit byte, pdu []byte) { l.later(20*time.Millisecond, l.answer(unit, pdu)) }
		if err := readN(t, r, 1, 77, 1); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAnswersOfAnyLength: functions whose answers tell their lengths themselves.
func TestAnswersOfAnyLength(t *testing.T) {
	id := []byte{43, 14, 1, 1, 0, 0, 2, 0, 3, 'a', 'b', 'c', 1, 2, 'd', 'e'}
	for _, c := range []struct {
		req    frame.PDU
		answer []byte
	}{
		{frame.PDU{Function: 43, Data: []byte{14, 1, 0}}, id},
		{frame.PDU{Function: 17}, []byte{17, 3, 9, 0xFF, 7}},
		{frame.PDU{Function: 7}, []byte{7, 0x55}},
		{frame.PDU{Function: 8, Data: []byte{0, 0, 1, 2}}, []byte{8, 0, 0, 1, 2}},
	} {
		for _, framing := range []frame.Serial{frame.SerialRTU, frame.SerialASCII} {
			onLine(t, Options{Framing: framing, Echo: EchoOff}, func(t *testing.T, l *line, r *Line) {
				l.script = func(l *line, unit byte, _ []byte) {
					for i, b := range l.frame(unit, c.answer) { // byte by byte
						l.later(time.Duration(20+i)*time.Millisecond, []byte{b})
					}
				}
				reply, err := r.Exchange(t.Context(), 1, c.req)
				if err != nil || !bytes.Equal(reply.Data, c.answer[1:]) {
					t.Errorf("function %d, framing %d: % x, %v; want % x", c.req.Function, framing, reply.Data, err, c.answer[1:])
				}
				l.script = func(*line, byte, []byte) {}
				_, err = r.Exchange(t.Context(), 1, c.req)
				wantKind(t, err, frame.Timeout)
				_, err = r.Exchange(t.Context(), 1, c.req)
				var e *frame.Error
				if errors.As(err, &e); e.Sent {
					t.Errorf("function %d was sent again while its answer may still come", c.req.Function)
				}
			})
		}
	}
}
