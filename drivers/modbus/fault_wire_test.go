package modbus

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/tag"
)

// held plays answers that come with the request after next: nothing is
// answered at first, and that answer goes out ahead of the next one.
func held(st *stage, unit byte) {
	var late []byte
	first := true
	st.handle(func(c *modbustest.Conn, r modbustest.Request) {
		if first && r.Unit == unit {
			first = false
			late = c.Answer(r)
			return
		}
		c.Write(late)
		late = nil
		c.Write(c.Answer(r))
	})
}

// lateIsDropped plays a late answer of unit 1 while another request is under
// way, and wants no value of it.
func lateIsDropped(t *testing.T, framing string) {
	st := stageOf(t, framing)
	held(st, 1)
	st.fails(tag.ReasonTimeout, "no answer within")
	st.m.Set(0, 7, 8) // the late answer has the values of before
	st.want("a=7 b=8")
	st.want("a=7 b=8")
	if n := st.s.Connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// wrongUnit: answers in the name of another unit.
func wrongUnit(t *testing.T) {
	st := stageOf(t, "tcp")
	other := func(c *modbustest.Conn, r modbustest.Request) []byte {
		b := c.Answer(r)
		b[6] = 255
		return b
	}
	st.answers(2, other)
	st.fails("bad answer", "unit")
	st.heals()
	lenient := set(t, "tcp")
	lenient.l.Options.(*TCPOptions).AcceptAnyUnit = true
	lenient.open()
	lenient.answers(-1, other)
	lenient.want("a=100 b=101")
}

// brokenStream: what can no longer be cut into frames ends the connection, and
// the next one is good.
func brokenStream(t *testing.T) {
	for name, raw := range map[string]string{
		"protocol id": "\x00\x01\x00\x01\x00\x05\x01\x03\x02\x00\x01", "length 0": "\x00\x01\x00\x00\x00\x00\x01",
		"length 1": "\x00\x01\x00\x00\x00\x01\x01", "length 255": "\x00\x01\x00\x00\x00\xff\x01\x03\x02\x00\x01",
	} {
		t.Run(name, func(t *testing.T) {
			st := set(t, "tcp")
			st.answers(1, func(*modbustest.Conn, modbustest.Request) []byte { return []byte(raw) })
			op := st.run(20 * time.Millisecond)
			op.more("a", 3)
			op.right("a", 100)
			if n := st.s.Connections(); n != 2 {
				t.Errorf("%d connections, want 2", n)
			}
		})
	}
}

// inPieces: answers that come byte by byte.
func inPieces(t *testing.T, framing string) {
	st := stageOf(t, framing)
	st.handle(func(c *modbustest.Conn, r modbustest.Request) {
		for _, b := range c.Answer(r) {
			c.Write([]byte{b})
		}
	})
	for range 3 {
		st.want("a=100 b=101")
	}
}

// severalAtOnce: the answer comes between others in one segment.
func severalAtOnce(t *testing.T) {
	st := stageOf(t, "tcp")
	st.answers(-1, func(c *modbustest.Conn, r modbustest.Request) []byte {
		foreign := c.Frame(r.ID+1000, 1, []byte{3, 4, 9, 9, 9, 9})
		return []byte(string(foreign) + string(c.Answer(r)) + string(foreign))
	})
	for range 3 {
		st.want("a=100 b=101")
	}
}

// unsolicited: answers that nobody asked for, a few and a flood.
func unsolicited(t *testing.T) {
	st := set(t, "tcp")
	var conn *modbustest.Conn
	st.s.Greet(func(c *modbustest.Conn) { conn = c })
	st.open()
	st.want("a=100 b=101")
	frame := conn.Frame(60000, 1, []byte{3, 4, 9, 9, 9, 9})
	for range 5 {
		conn.Write(frame)
	}
	st.want("a=100 b=101")
	conn.Write([]byte(strings.Repeat(string(frame), 1100)))
	got, err := "", error(nil)
	for range 3 {
		if got, err = show(t, st.g[0]); err != nil {
			break
		}
	}
	if !errors.Is(err, drivers.ErrLinkDown) {
		t.Errorf("after a flood: got %q, %v; want the link down", got, err)
	}
}

// hangsUp: the peer closes between two requests and within an answer.
func hangsUp(t *testing.T, framing string) {
	st := set(t, framing)
	op := st.run(20 * time.Millisecond)
	op.more("a", 2)
	st.s.CloseAll()
	op.more("a", 2)
	once := true
	st.handle(func(c *modbustest.Conn, r modbustest.Request) {
		b := c.Answer(r)
		if once {
			once = false
			c.Write(b[:len(b)-2])
			c.Close()
			return
		}
		c.Write(b)
	})
	op.more("a", 3)
	op.right("a", 100)
	if n := st.s.Connections(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
	op.stop()
	// A write is not made again.
	w := set(t, framing)
	if o, ok := w.l.Options.(*RTUOptions); ok {
		o.Echo = "off"
	}
	w.open()
	w.handle(func(c *modbustest.Conn, r modbustest.Request) { c.Close() })
	if err := w.write(); !errors.Is(err, drivers.ErrOutcomeUnknown) || !errors.Is(err, drivers.ErrLinkDown) || w.s.Requests(0) != 1 {
		t.Errorf("a write on a connection that ends: %v after %d requests; want the outcome unknown and the link down after 1", err, w.s.Requests(0))
	}
}

// halfOpen: the peer is gone and nobody says so.
func halfOpen(t *testing.T, framing string) {
	st := set(t, framing)
	op := st.run(20 * time.Millisecond)
	op.more("a", 1)
	st.handle(func(*modbustest.Conn, modbustest.Request) {})
	op.until("new connections", func() bool { return st.s.Connections() > 1 })
	st.s.Handle(nil)
	op.more("a", 3)
	op.right("a", 100)
}

// turnsAway: the peer accepts and closes at once, as one does whose
// connections are all taken.
func turnsAway(t *testing.T) {
	st := set(t, "tcp")
	st.s.Greet(func(c *modbustest.Conn) { c.Close() })
	began := time.Now()
	op := st.run(20 * time.Millisecond)
	op.until("four attempts", func() bool { return st.s.Connections() >= 4 })
	if d := time.Since(began); d < 700*time.Millisecond { // 100 + 200 + 400, the least that is drawn
		t.Errorf("four connections within %v, want growing pauses between them", d)
	}
	st.s.Greet(nil)
	op.more("a", 2)
	op.right("a", 100)
}

// pauses: a device that needs a moment after connect and between requests.
func pauses(t *testing.T, framing string) {
	const after, between = 120 * time.Millisecond, 60 * time.Millisecond
	st := set(t, framing)
	switch o := st.l.Options.(type) {
	case *TCPOptions:
		o.PauseAfterConnect, o.PauseBetweenRequests = after, between
	case *RTUOptions:
		o.PauseAfterConnect, o.PauseBetweenRequests = after, between
	}
	last, least := time.Now(), after
	st.handle(func(c *modbustest.Conn, r modbustest.Request) {
		if d := time.Since(last); d < least {
			t.Errorf("request %d came %v after what was before it, want %v", r.N, d, least)
		}
		last, least = time.Now(), between
		c.Write(c.Answer(r))
	})
	st.open()
	for range 3 {
		st.want("a=100 b=101")
	}
}

// lateOfNeighbour: the answer of unit 1 comes while unit 2 is asked.
func lateOfNeighbour(t *testing.T, framing string) {
	st := stageOf(t, framing)
	held(st, 1)
	st.fails(tag.ReasonTimeout, "no answer within")
	wantRead(t, st.g[1], "n=100")
	st.want("a=100 b=101")
}

// spoils plays a damage of every answer: once, which costs a further request,
// and for as long as it lasts, when nothing becomes a value.
func spoils(t *testing.T, framing string, spoil func(b []byte) []byte) {
	play := func(c *modbustest.Conn, r modbustest.Request) []byte { return spoil(c.Answer(r)) }
	st := stageOf(t, framing)
	st.answers(1, play)
	st.want("a=100 b=101")
	st.answers(-1, play)
	st.fails("bad answer", "")
	before := st.s.Requests(1)
	_, _ = show(t, st.g[0]) // it is asked once now
	if n := st.s.Requests(1) - before; n != 1 {
		t.Errorf("%d requests in a cycle on a line that stays bad, want 1", n)
	}
}

// flipped has a wrong bit.
func flipped(b []byte) []byte {
	b[len(b)-3] ^= 1
	return b
}

// cut lacks its end.
func cut(b []byte) []byte { return b[:len(b)-3] }

// around puts bytes around an answer, which is a value all the same.
func around(t *testing.T, framing, before, after string) {
	st := stageOf(t, framing)
	st.answers(-1, func(c *modbustest.Conn, r modbustest.Request) []byte {
		return []byte(before + string(c.Answer(r)) + after)
	})
	for range 3 {
		st.want("a=100 b=101")
		wantRead(t, st.g[1], "n=100")
	}
}

// garbage: nothing but bytes that are no frames.
func garbage(t *testing.T, framing string) {
	st := stageOf(t, framing)
	st.answers(-1, func(*modbustest.Conn, modbustest.Request) []byte {
		return []byte(strings.Repeat("\x55\xaa\x03\x03", 600))
	})
	st.fails("bad answer", "check baud rate and parity")
	st.s.Handle(nil)
	wantRead(t, st.g[1], "n=100")
	st.want("a=100 b=101")
}

// sharedID: two devices answer to one unit id, at once and one after the other.
func sharedID(t *testing.T, framing string) {
	st := stageOf(t, framing)
	st.answers(2, func(c *modbustest.Conn, r modbustest.Request) []byte {
		b := c.Answer(r)
		return append(b[:4:4], b...)[:len(b)] // the one drowns the other
	})
	st.fails("bad answer", "two devices with one unit id")
	st = stageOf(t, framing)
	st.answers(4, func(c *modbustest.Conn, r modbustest.Request) []byte {
		return []byte(string(c.Answer(r)) + string(c.Frame(0, 1, []byte{3, 4, 9, 9, 9, 9})))
	})
	for range 4 {
		_, _ = show(t, st.g[0]) // whichever comes first
	}
	if !strings.Contains(st.log.String(), "another master asks on this line") {
		t.Errorf("nothing is said of answers that nobody asked for:\n%s", st.log)
	}
}

// echoing: the line gives back what is sent, with and without a device.
func echoing(t *testing.T, framing string) {
	for _, echo := range []string{"auto", "on"} {
		st := set(t, framing)
		st.l.Options.(*RTUOptions).Echo = echo
		st.open()
		st.answers(-1, func(c *modbustest.Conn, r modbustest.Request) []byte {
			return []byte(string(c.Frame(0, r.Unit, r.PDU)) + string(c.Answer(r)))
		})
		for range 3 {
			st.want("a=100 b=101")
		}
		if err := st.write(); err != nil || st.m.Get(0) != 7 {
			t.Errorf("echo %s: write: %v, the device holds %d", echo, err, st.m.Get(0))
		}
		// No device is there any more: its echo confirms nothing.
		st.answers(-1, func(c *modbustest.Conn, r modbustest.Request) []byte { return c.Frame(0, r.Unit, r.PDU) })
		st.unknown()
	}
	st := stageOf(t, framing) // nothing is known of the line, and nobody is on it
	st.answers(-1, func(c *modbustest.Conn, r modbustest.Request) []byte { return c.Frame(0, r.Unit, r.PDU) })
	if err := st.write(); err == nil {
		t.Error("a write was confirmed by the echo of an empty line")
	}
}

// answersWith plays answers of a wrong form: never a value, never an exception.
func answersWith(t *testing.T, framing string, pdu ...byte) {
	st := stageOf(t, framing)
	st.frames(2, pdu...)
	got, err := show(t, st.g[0])
	var de *drivers.DeviceError
	if !errors.As(err, &de) {
		t.Fatalf("answer % x: got %q, %v; want a failure of the device", pdu, got, err)
	}
	st.heals()
}

// exceptions of odd forms.
func oddExceptions(t *testing.T, framing string) {
	for _, code := range []byte{0, 9, 99} {
		st := stageOf(t, framing)
		st.frames(1, 0x83, code)
		st.want("a!unknown b!unknown")
		st.heals()
	}
	if framing != "port" {
		answersWith(t, framing, 0x83, 2, 0) // in RTU the checksum is wrong then
	}
	if framing == "tcp" {
		answersWith(t, framing, 0x83)
	}
}

// twice plays answers that come twice: at once, and again with the next
// request of the same shape.
func twice(t *testing.T, framing string) {
	st := stageOf(t, framing, "a hr:0 uint16", "b hr:1 uint16", "c hr:50 uint16", "d hr:51 uint16", "e hr:100 uint16", "f hr:101 uint16")
	n := uint16(0)
	st.handle(func(c *modbustest.Conn, r modbustest.Request) {
		n++
		for _, at := range []int{0, 50, 100} {
			st.m.Set(at, uint16(at)+n, n)
		}
		b := c.Answer(r)
		c.Write([]byte(string(b) + string(b)))
	})
	for range 4 {
		st.inOrder()
	}
	// The copy now comes a little later, most often with the next request.
	st.handle(func(c *modbustest.Conn, r modbustest.Request) {
		n++
		for _, at := range []int{0, 50, 100} {
			st.m.Set(at, uint16(at)+n, n)
		}
		b := c.Answer(r)
		c.Write(b)
		time.AfterFunc(3*time.Millisecond, func() { c.Write(b) })
	})
	for range 3 {
		st.inOrder()
	}
}

// inOrder reads three blocks of two registers, the second of each pair being
// the number of the request, and the first that plus its address.
func (st *stage) inOrder() {
	st.t.Helper()
	got, err := show(st.t, st.g[0])
	if err != nil {
		st.t.Fatal(err)
	}
	var v [6]int
	if _, err := fmt.Sscanf(got, "a=%d b=%d c=%d d=%d e=%d f=%d", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]); err != nil {
		st.t.Fatalf("read %q: %v", got, err)
	}
	if v[0] != v[1] || v[2] != 50+v[3] || v[4] != 100+v[5] || v[1] >= v[3] || v[3] >= v[5] {
		st.t.Fatalf("read %q: the answer to another request became a value", got)
	}
}
