package line

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/modbustest"
)

// line is a made-up serial line with devices on it, under a virtual clock.
type line struct {
	units map[byte]*modbustest.Memory
	in    chan []byte // the devices send, Read receives; closed by Close
	gone  chan struct{}
	once  sync.Once

	mu     sync.Mutex // guards the fields below
	rest   []byte     // what a Read had no room for
	script func(l *line, unit byte, pdu []byte)
	sent   int
	echo   bool // what is sent comes back
	deaf   bool // no device is there
	ascii  bool
}

var errUnplugged = errors.New("unplugged")

func newLine(units map[byte]*modbustest.Memory) *line {
	return &line{units: units, in: make(chan []byte, 1000), gone: make(chan struct{})}
}

func (l *line) Read(b []byte) (int, error) {
	if len(l.rest) == 0 {
		select {
		case l.rest = <-l.in:
		case <-l.gone:
			return 0, errUnplugged
		}
	}
	n := copy(b, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

func (l *line) Write(b []byte) (int, error) {
	select {
	case <-l.gone:
		return 0, errUnplugged
	default:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	if l.echo {
		l.send(b)
	}
	raw := append([]byte(nil), b[:len(b)-2]...)
	if l.ascii {
		text, err := hex.DecodeString(string(b[1 : len(b)-4]))
		if err != nil {
			return 0, err
		}
		raw = text
	}
	unit, pdu := raw[0], raw[1:]
	if l.deaf {
		return len(b), nil
	}
	if l.script != nil {
		l.script(l, unit, pdu)
		return len(b), nil
	}
	l.send(l.answer(unit, pdu))
	return len(b), nil
}

func (l *line) Close() error {
	l.once.Do(func() { close(l.gone) })
	return nil
}

func (l *line) answer(unit byte, pdu []byte) []byte {
	m := l.units[unit]
	if m == nil {
		return nil
	}
	return l.frame(unit, m.Answer(pdu))
}

func (l *line) frame(unit byte, pdu []byte) []byte {
	if l.ascii {
		return modbustest.ASCIIFrame(unit, pdu)
	}
	return modbustest.RTUFrame(unit, pdu)
}

func (l *line) send(b []byte) {
	if len(b) > 0 {
		l.in <- append([]byte(nil), b...)
	}
}

// later sends after a time.
func (l *line) later(d time.Duration, b []byte) { time.AfterFunc(d, func() { l.send(b) }) }

// onLine runs a test with a line and its master in a bubble.
func onLine(t *testing.T, o Options, test func(t *testing.T, l *line, r *Line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLine(map[byte]*modbustest.Memory{1: unit(0), 2: unit(0)})
		// 9600 baud 8N1
		o.Char, o.Gap = 10*time.Second/9600, 35*time.Second/9600
		l.ascii = o.Framing == frame.SerialASCII
		o.Memory = NewMemory()
		o.Memory.used = true // nobody was here before
		r := New(l, o)
		defer r.Close()
		test(t, l, r)
		r.Close()
		time.Sleep(time.Minute) // lets what is still to be sent be sent
	})
}

var _ io.ReadWriteCloser = (*line)(nil)

// readN reads n holding registers whose values are their addresses.
func readN(t *testing.T, c *Line, u byte, address, n int) error {
	t.Helper()
	r, err := c.Exchange(context.Background(), u, frame.Read(3, address, n))
	if err != nil {
		return err
	}
	if len(r.Data) != 2*n {
		t.Fatalf("%d bytes for %d registers", len(r.Data), n)
	}
	for i := range n {
		if got := int(r.Data[2*i])<<8 | int(r.Data[2*i+1]); got != address+i {
			t.Fatalf("unit %d register %d: got %d: a foreign answer became a value", u, address+i, got)
		}
	}
	return nil
}
