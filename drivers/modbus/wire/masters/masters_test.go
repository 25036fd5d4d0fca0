package masters

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/drivers/modbus/wire"
)

// tap counts what is handed on.
type tap struct{ n int }

func (t *tap) Frame(wire.Event) { t.n++ }

func TestWatch(t *testing.T) {
	ours := modbustest.RTUFrame(1, []byte{3, 0, 0, 0, 10})
	theirs := modbustest.RTUFrame(7, []byte{3, 0, 100, 0, 2})
	many := modbustest.RTUFrame(7, []byte{16, 0, 100, 0, 2, 4, 1, 2, 3, 4})
	answer := modbustest.RTUFrame(7, []byte{3, 4, 0, 1, 0, 2})
	broken := bytes.Clone(theirs)
	broken[3]++
	noise := func(b ...[]byte) wire.Event { return wire.Event{Outcome: wire.Noise, Bytes: bytes.Join(b, nil)} }
	sent := wire.Event{Outcome: wire.Request, Unit: 1, Bytes: ours}
	stray := wire.Event{Outcome: wire.Foreign, Unit: 7, PDU: frame.PDU{Function: 3, Data: []byte{4, 0, 1, 0, 2}}, Bytes: answer}
	for _, c := range []struct {
		name     string
		events   []wire.Event
		requests uint64
		lines    int
	}{
		{"nothing", []wire.Event{sent, {Outcome: wire.Answer, Unit: 1}, {Outcome: wire.Silence}, {Outcome: wire.Late}}, 0, 0},
		{"noise", []wire.Event{noise([]byte{0, 0xFF, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9})}, 0, 0},
		{"a damaged request", []wire.Event{noise(broken)}, 0, 0},
		{"our own echo", []wire.Event{sent, noise([]byte{0}, ours), {Outcome: wire.Foreign, Unit: 1, PDU: frame.PDU{Function: 3}, Bytes: ours}}, 0, 0},
		{"a request", []wire.Event{sent, noise(theirs)}, 1, 1},
		{"requests among noise", []wire.Event{noise([]byte{0, 9}, theirs, []byte{1, 3}, many, []byte{0xFF})}, 2, 1},
		{"a request cut short", []wire.Event{noise(many[:12])}, 0, 0},
		{"an ASCII request", []wire.Event{{Outcome: wire.Foreign, Unit: 7, PDU: frame.PDU{Function: 3, Data: []byte{0, 100, 0, 2}}}}, 1, 1},
		{"two answers", []wire.Event{stray, stray}, 0, 0},
		{"three answers", []wire.Event{stray, stray, stray, stray}, 0, 1},
	} {
		var log bytes.Buffer
		var next tap
		w := &Watch{}
		w.Log(slog.New(slog.NewTextHandler(&log, nil)))
		at := time.Now()
		for i, e := range c.events {
			e.At = at.Add(time.Duration(i) * time.Second)
			w.Behind(&next).Frame(e)
		}
		if got := strings.Count(log.String(), "another master asks on this line"); got != c.lines || w.Requests() != c.requests || next.n != len(c.events) {
			t.Errorf("%s: %d lines, %d requests, %d handed on; want %d, %d, %d\n%s", c.name, got, w.Requests(), next.n, c.lines, c.requests, len(c.events), log.String())
		}
	}
}

// TestTerminalServer: what a terminal server says is told, once.
func TestTerminalServer(t *testing.T) {
	for _, c := range []struct {
		said  string
		lines int
	}{
		{"\xff\xfd\x03\xff\xfb\x01", 1},
		{"Lantronix login: ", 1},
		{"\r\nPassword:", 1},
		{"\xff\x00\xff", 0},
		{"\xff\xfd", 0},
		{":0103040001", 0},
		{"\x01\x03\x04abcdefgh\x12\x34", 0},
	} {
		var log bytes.Buffer
		w := &Watch{}
		w.Log(slog.New(slog.NewTextHandler(&log, nil)))
		for range 2 {
			w.Behind(nil).Frame(wire.Event{At: time.Now(), Outcome: wire.Noise, Bytes: []byte(c.said)})
		}
		if got := strings.Count(log.String(), "terminal server"); got != c.lines {
			t.Errorf("%q: %d lines about a terminal server, want %d\n%s", c.said, got, c.lines, log.String())
		}
	}
}

// TestWatchTellsOnceAnHour, and tells nothing without a log.
func TestWatchTellsOnceAnHour(t *testing.T) {
	var log bytes.Buffer
	w := &Watch{}
	theirs := wire.Event{Outcome: wire.Noise, Bytes: modbustest.RTUFrame(7, []byte{4, 0, 1, 0, 1})}
	w.Behind(nil).Frame(theirs)
	w.Log(slog.New(slog.NewTextHandler(&log, nil)))
	start := time.Now()
	for minute := range 150 {
		theirs.At = start.Add(time.Duration(minute) * time.Minute)
		w.Behind(nil).Frame(theirs)
	}
	if got := strings.Count(log.String(), "unit=7 function=4"); got != 3 {
		t.Errorf("%d lines in two and a half hours, want 3:\n%s", got, log.String())
	}
	if w.Requests() != 151 {
		t.Errorf("%d requests counted, want 151", w.Requests())
	}
}

// FuzzRequest: no bytes panic, and a request lies within them.
func FuzzRequest(f *testing.F) {
	f.Add(modbustest.RTUFrame(7, []byte{3, 0, 100, 0, 2}))
	f.Add(modbustest.RTUFrame(7, []byte{16, 0, 100, 0, 2, 255, 1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := request(b); n < 0 || n > len(b) || n > 256 {
			t.Fatal(fmt.Sprint(n, " of ", len(b)))
		}
		w := &Watch{}
		w.frame(wire.Event{Outcome: wire.Noise, Bytes: b})
	})
}
