package modbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/tag"
)

// unreachable: a connection that is refused, and one whose first packet is
// lost; a neighbour on another link is read meanwhile.
func unreachable(t *testing.T) {
	well := set(t, "tcp").run(10 * time.Millisecond)
	away := set(t, "tcp")
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	away.l.Endpoint = "tcp://" + gone.Addr().String()
	op := away.run(10 * time.Millisecond)
	op.until("attempts", func() bool { return strings.Contains(op.r.Stats().LastError, "refused") })
	d, _ := drivers.Lookup("modbus-tcp")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = d.Open(ctx, newLink(t, "modbus-tcp", "tcp://"+blackHole(t), nil), quiet)
	if !errors.Is(err, drivers.ErrLinkDown) || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("open where nothing answers: %v, want the link down by a timeout", err)
	}
	well.more("a", 3)
	well.right("a", 100)
	if op.count("a") > 0 {
		t.Error("values came from nowhere")
	}
}

// blackHole is an address where connections are neither made nor refused: its
// queue is full.
func blackHole(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", at.(*unix.SockaddrInet4).Port)
	for range 3 { // more than it has room for
		if c, err := net.DialTimeout("tcp", address, 100*time.Millisecond); err == nil {
			t.Cleanup(func() { c.Close() })
		}
	}
	return address
}

// noFunction: a device that does not know the function for blocks, and one
// that does not know it at all.
func noFunction(t *testing.T, framing string) {
	st := stageOf(t, framing)
	st.answers(-1, func(c *modbustest.Conn, r modbustest.Request) []byte {
		if r.PDU[4] > 1 {
			return c.Frame(r.ID, 1, []byte{0x83, 1})
		}
		return c.Answer(r)
	})
	st.want("a=100 b=101")
	st.frames(-1, 0x83, 1)
	st = stageOf(t, framing)
	st.frames(-1, 0x83, 1)
	st.want("a!illegal function b!illegal function")
	before := st.s.Requests(1)
	st.want("a!illegal function b!illegal function")
	if n := st.s.Requests(1) - before; n > 0 {
		t.Errorf("%d requests for what the device has refused, want none for a minute", n)
	}
}

// hole: a register in a block that the device does not have.
func hole(t *testing.T, framing string) {
	st := stageOf(t, framing, "a hr:0 uint16", "b hr:1 uint16", "c hr:2 uint16", "d hr:3 uint16")
	st.m.Hole(1)
	st.want("a=100 b!bad address c=102 d=103")
	before := st.s.Requests(1)
	st.want("a=100 b!bad address c=102 d=103")
	if n := st.s.Requests(1) - before; n > 2 {
		t.Errorf("%d requests once it was known, want 2", n)
	}
}

// excuses plays an exception a number of times: the tags are bad with a reason
// (none: they are read in the end), after so many requests.
func excuses(t *testing.T, framing string, code byte, times int, reason string, requests int) {
	st := stageOf(t, framing)
	st.want("a=100 b=101") // the first one listens to the line, too
	before := st.s.Requests(1)
	st.frames(times, 0x83, code)
	want := "a=100 b=101"
	if reason != "" {
		want = fmt.Sprintf("a!%[1]s b!%[1]s", reason)
	}
	st.want(want)
	if n := st.s.Requests(1) - before; n != requests {
		t.Errorf("exception %d, %d times: %d requests, want %d", code, times, n, requests)
	}
	if known := facts(st.l); known != "" {
		t.Errorf("exception %d taught %s", code, known)
	}
	st.heals()
}

// acknowledged: a write that is taken, and takes its time, is read back and
// not sent again.
func acknowledged(t *testing.T, framing string) {
	st := set(t, framing)
	if o, ok := st.l.Options.(*RTUOptions); ok {
		o.Echo = "off"
	}
	st.open()
	writes := 0
	st.handle(func(c *modbustest.Conn, r modbustest.Request) {
		if r.PDU[0] == 6 {
			writes++
			c.Answer(r)
			c.Write(c.Frame(r.ID, 1, []byte{0x86, 5}))
			return
		}
		c.Write(c.Answer(r))
	})
	if err := st.write(); err != nil || writes != 1 || st.m.Get(0) != 7 {
		t.Errorf("write: %v after %d requests, the device holds %d; want 7 after one", err, writes, st.m.Get(0))
	}
}

// ofGateway: what a gateway says of a unit is that unit's fault alone.
func ofGateway(t *testing.T) {
	for _, code := range []byte{10, 11} {
		st := stageOf(t, "tcp")
		st.handle(func(c *modbustest.Conn, r modbustest.Request) {
			if r.Unit == 1 {
				c.Write(c.Frame(r.ID, 1, []byte{0x83, code}))
				return
			}
			c.Write(c.Answer(r))
		})
		st.fails(map[byte]string{10: "gateway path unavailable", 11: "gateway target device failed to respond"}[code], "exception")
		wantRead(t, st.g[1], "n=100")
		st.heals()
	}
}

// deadUnit: a unit that is silent costs its neighbour nothing but a probe now
// and then.
func deadUnit(t *testing.T, framing string) {
	st := set(t, framing)
	setTimeout(st.l, 50*time.Millisecond)
	st.handle(func(c *modbustest.Conn, r modbustest.Request) {
		if r.Unit != 1 {
			c.Write(c.Answer(r))
		}
	})
	op := st.run(20 * time.Millisecond)
	op.until("a dead unit", func() bool { return op.r.Stats().Devices[0].Dead })
	began, before := time.Now(), st.s.Requests(1)
	op.more("n", 60)
	most := 1 + int(time.Since(began)/time.Second)
	if n := st.s.Requests(1) - before; n > most {
		t.Errorf("a dead unit was asked %d times within %v, want %d at most", n, time.Since(began), most)
	}
	st.s.Handle(nil)
	op.more("a", 2)
	op.right("a", 100)
	op.right("n", 100)
}

// reset: a device begins anew, with its counters at zero and one register less.
func reset(t *testing.T, framing string) {
	st := set(t, framing)
	op := st.run(20 * time.Millisecond)
	op.more("b", 2)
	st.m.Set(0, 0, 0)
	st.m.Hole(0)
	if framing == "port" {
		st.s.Unplug(t)
		st.s.Plug(t)
	} else {
		st.s.CloseAll()
	}
	op.until("refusals of a", func() bool {
		op.mu.Lock()
		defer op.mu.Unlock()
		bad := op.bad["a"]
		return len(bad) > 0 && bad[len(bad)-1] == tag.ReasonBadAddress
	})
	op.more("b", 2)
	op.right("a", 100, 0)
	op.right("b", 101, 0)
}

// unconfirmed: the answer to a write names another address or value.
func unconfirmed(t *testing.T, framing string) {
	for _, pdu := range [][]byte{{6, 0, 0, 0, 8}, {6, 0, 9, 0, 7}} {
		st := set(t, framing)
		if o, ok := st.l.Options.(*RTUOptions); ok {
			o.Echo = "off"
		}
		st.open()
		st.frames(1, pdu...)
		st.unknown()
		if n := st.s.Requests(1); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
		st.heals()
	}
}

// unanswered: a write that nobody answers may have happened, and is not made
// again.
func unanswered(t *testing.T, framing string) {
	st := set(t, framing)
	if o, ok := st.l.Options.(*RTUOptions); ok {
		o.Echo = "off"
	}
	st.open()
	st.answers(1, func(c *modbustest.Conn, r modbustest.Request) []byte { c.Answer(r); return nil })
	st.unknown()
	if n := st.s.Requests(1); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	st.want("a=7 b=101")
}

// unplugged: the adapter goes and comes back under its name, with another
// terminal behind it.
func unplugged(t *testing.T) {
	st := set(t, "port")
	op := st.run(20 * time.Millisecond)
	op.more("a", 2)
	for range 2 {
		before := st.s.Connections()
		st.s.Unplug(t)
		op.until("word of it", func() bool { return strings.Contains(op.r.Stats().LastError, "no such port") })
		asked := st.s.Requests(0)
		op.until("another look", func() bool { return op.r.Stats().LastError != "" })
		if n := st.s.Requests(0) - asked; n > 0 {
			t.Errorf("%d requests to an adapter that is away", n)
		}
		st.s.Plug(t)
		op.more("a", 2)
		if n := st.s.Connections() - before; n != 1 {
			t.Errorf("the port was plugged in %d times, want 1", n)
		}
	}
	op.right("a", 100)
}

// taken: a port that another program holds.
func taken(t *testing.T) {
	st := stageOf(t, "port")
	d, _ := drivers.Lookup(st.l.Driver)
	_, err := d.Open(t.Context(), st.l, quiet)
	if !errors.Is(err, drivers.ErrLinkDown) || errors.Is(err, drivers.ErrAbsent) || !strings.Contains(err.Error(), "another program has it open") {
		t.Errorf("second open: %v", err)
	}
	st.want("a=100 b=101")
	st.c.Close()
	st.open()
	st.want("a=100 b=101")
}

// staleBytes: a converter sends what was meant for somebody else before us.
func staleBytes(t *testing.T, framing string) {
	st := set(t, framing)
	st.s.Greet(func(c *modbustest.Conn) {
		c.Write(c.Frame(0, 1, []byte{3, 4, 9, 9, 9, 9}))
		c.Write([]byte{1, 3, 4, 9})
	})
	st.open()
	for range 3 {
		st.want("a=100 b=101")
	}
}

// banner: a terminal server greets, or negotiates telnet options.
func banner(t *testing.T, framing string) {
	for _, said := range []string{"\xff\xfd\x03\xff\xfb\x01", "\r\nterminal server, login: "} {
		st := set(t, framing)
		st.s.Greet(func(c *modbustest.Conn) { c.Write([]byte(said)) })
		st.open()
		for range 3 {
			st.want("a=100 b=101")
		}
		if !strings.Contains(st.log.String(), "set its port to raw TCP") {
			t.Errorf("%q: no hint in the log:\n%s", said, st.log)
		}
	}
}

// hesitant: frames that stop in the middle, for far longer than t1.5.
func hesitant(t *testing.T, framing string) {
	st := set(t, framing)
	setTimeout(st.l, patience)
	st.open()
	st.handle(func(c *modbustest.Conn, r modbustest.Request) {
		b := c.Answer(r)
		c.Write(b[:3])
		<-time.After(60 * time.Millisecond)
		c.Write(b[3:])
	})
	for range 2 {
		st.want("a=100 b=101")
	}
}

// tooLong: what cannot be asked for is refused at load, with the tag's name.
func tooLong(t *testing.T) {
	for _, address := range []string{"hr:0 raw - 126", "hr:65535 int32", "hr:65530 raw - 10", "hr:0 uint16[126]"} {
		st := set(t, "tcp", "long "+address)
		d, _ := drivers.Lookup(st.l.Driver)
		found := d.Check(st.l)
		if len(found) == 0 || found[0].Tag == nil || found[0].Tag.Name != "long" {
			t.Errorf("%s: faults %v, want one of the tag", address, found)
		}
	}
}

// noValues: registers that hold no value of the type.
func noValues(t *testing.T) {
	st := stageOf(t, "tcp", "nan hr:0 float32", "inf hr:2 float64", "bcd hr:6 bcd16", "text hr:7 string - 2", "ok hr:9 uint16")
	st.m.Set(0, 0x7FC0, 0, 0x7FF0, 0, 0, 0, 0x12A4, 0xC328, 0x4100, 5)
	st.want("nan!not finite inf!not finite bcd!bad value text!bad value ok=5")
}

// shutdown in the middle of a request.
func shutdown(t *testing.T, framing string) {
	st := set(t, framing)
	setTimeout(st.l, time.Minute)
	asked := make(chan struct{})
	var once sync.Once
	st.handle(func(*modbustest.Conn, modbustest.Request) { once.Do(func() { close(asked) }) })
	op := st.run(20 * time.Millisecond)
	select {
	case <-asked:
	case <-time.After(patience):
		t.Fatal("nothing was asked")
	}
	op.stop() // would take a minute otherwise
	st.s.Handle(nil)
	st.open() // the port is free
	st.want("a=100 b=101")
}

// overrun: a line that is slower than what is asked of it.
func overrun(t *testing.T, framing string) {
	st := set(t, framing)
	st.handle(func(c *modbustest.Conn, r modbustest.Request) {
		<-time.After(30 * time.Millisecond)
		c.Write(c.Answer(r))
	})
	op := st.run(10 * time.Millisecond)
	op.more("a", 10)
	op.more("n", 1)
	op.stop()
	s := op.r.Stats()
	if s.Overruns < 20 || st.s.Requests(0) > int(s.Reads)+1 {
		t.Errorf("%d overruns, %d reads, %d requests; want at least 20 turns left out and none queued", s.Overruns, s.Reads, st.s.Requests(0))
	}
}

// asleep: a device that the first request only wakes.
func asleep(t *testing.T, framing string) {
	st := set(t, framing)
	st.l.Devices[0].Options.(*DeviceOptions).Sleeps = true
	if o, ok := st.l.Options.(*RTUOptions); ok {
		o.Echo = "off"
	}
	st.open()
	awake, writes := false, 0
	st.handle(func(c *modbustest.Conn, r modbustest.Request) {
		if !awake {
			awake = true
			return
		}
		if r.PDU[0] == 6 {
			writes++
		}
		c.Write(c.Answer(r))
	})
	st.want("a=100 b=101")
	awake = false
	if err := st.write(); err != nil || writes != 1 {
		t.Errorf("write to a sleeping device: %v after %d requests that write", err, writes)
	}
	awake = false
	st.want("a=7 b=101")
	st.handle(func(*modbustest.Conn, modbustest.Request) {})
	before := st.s.Requests(1)
	_, err := show(t, st.g[0])
	var de *drivers.DeviceError
	if n := st.s.Requests(1) - before; !errors.As(err, &de) || n != 2 {
		t.Errorf("a device that does not wake: %v after %d requests, want a missed answer after 2", err, n)
	}
}
