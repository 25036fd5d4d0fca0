package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/tag"
)

// TestPipeline: with pipeline: 8 a server sees eight requests before it has
// answered one, and each tag gets its own value.
func TestPipeline(t *testing.T) {
	const depth, blocks = 8, 24
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: memory()})
	var held [][]byte
	s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
		if held = append(held, c.Answer(r)); len(held) == depth {
			for i := range held { // the last first
				c.Write(held[len(held)-1-i])
			}
			held = nil
		}
	})
	var tags []string
	want := ""
	for i := range blocks {
		tags = append(tags, fmt.Sprintf("t%02d hr:%d uint16", i, 15*i))
		want += fmt.Sprintf(" t%02d=%d", i, 100+15*i)
	}
	l := newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: tags})
	o := l.Options.(*TCPOptions)
	o.Timeout, o.Pipeline = patience, depth
	l.Devices[0].Options.(*DeviceOptions).MaxRegisters = 1
	_, g := open(t, l)
	for range 3 {
		wantRead(t, g[0], want[1:])
	}
}

// modem dials in from an address of its own and is an RTU device there.
func modem(t *testing.T, from, to string, base int) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		conn, err := d.Dial("tcp", to)
		if err == nil {
			m := modbustest.NewMemory(100)
			m.Set(0, uint16(base))
			var wg sync.WaitGroup
			wg.Go(func() { answerRTU(conn, m) })
			t.Cleanup(func() { conn.Close(); wg.Wait() })
			return conn
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody listens at %s: %v", to, err)
		}
	}
}

func answerRTU(conn net.Conn, m *modbustest.Memory) {
	b := make([]byte, 8)
	for {
		if _, err := io.ReadFull(conn, b); err != nil {
			return
		}
		if binary.LittleEndian.Uint16(b[6:]) == modbustest.CRC(b[:6]) {
			_, _ = conn.Write(modbustest.RTUFrame(b[0], m.Answer(b[1:6]))) // to a gateway that may be gone
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestDevicesDialIn: two modems at one port are told apart by their addresses,
// a stranger is let in nowhere, and one that hangs up and dials in again is
// read again.
func TestDevicesDialIn(t *testing.T) {
	at := freeAddress(t)
	listen := func(from string) *tag.Link {
		l := newLink(t, "modbus-rtu", "listen://"+at+"?from="+from, map[int][]string{1: {"a hr:0 uint16"}})
		l.Name = "well at " + from
		o := l.Options.(*RTUOptions)
		o.Allow, o.Timeout = []string{"127.0.0.0/24"}, patience
		return l
	}
	first := modemLater(t, "127.0.0.2", at, 1000)
	_, g1 := open(t, listen("127.0.0.2"))
	second := modemLater(t, "127.0.0.3", at, 2000)
	c2, g2 := open(t, listen("127.0.0.3"))
	defer func() { first(); second() }()
	for range 3 {
		wantRead(t, g1[0], "a=1000")
		wantRead(t, g2[0], "a=2000")
	}
	stranger := modem(t, "127.0.0.9", at, 9000)
	_ = stranger.SetReadDeadline(time.Now().Add(patience))
	if n, err := stranger.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("a stranger was sent %d bytes, %v", n, err)
	}
	second() // hangs up
	if _, err := show(t, g2[0]); !errors.Is(err, drivers.ErrLinkDown) {
		t.Fatalf("the modem hung up: %v, want ErrLinkDown", err)
	}
	c2.Close()
	third := modemLater(t, "127.0.0.3", at, 2000)
	defer third()
	_, g2 = open(t, listen("127.0.0.3"))
	wantRead(t, g2[0], "a=2000")
	wantRead(t, g1[0], "a=1000")
}

// modemLater is a modem that dials in, over and over, from now on; it hangs up
// when it is told to.
func modemLater(t *testing.T, from, to string, base int) (hangUp func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	m := modbustest.NewMemory(100)
	m.Set(0, uint16(base))
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if conn, err := d.DialContext(ctx, "tcp", to); err == nil {
				stop := context.AfterFunc(ctx, func() { conn.Close() })
				answerRTU(conn, m)
				stop()
				conn.Close()
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	hangUp = func() { cancel(); wg.Wait() }
	t.Cleanup(hangUp)
	return hangUp
}

// TestNobodyDialsIn is told as something that is not there.
func TestNobodyDialsIn(t *testing.T) {
	l := newLink(t, "modbus-tcp", "listen://"+freeAddress(t), nil)
	l.Options.(*TCPOptions).Allow = []string{"127.0.0.7"}
	d, _ := drivers.Lookup("modbus-tcp")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := d.Open(ctx, l, quiet); !errors.Is(err, drivers.ErrAbsent) || !errors.Is(err, drivers.ErrLinkDown) || !strings.Contains(err.Error(), "to dial in") {
		t.Errorf("got %v, want ErrAbsent and ErrLinkDown", err)
	}
}

// TestBackup: a link goes to its backup when the first address is refused, or
// silent, and comes back.
func TestBackup(t *testing.T) {
	first := modbustest.New(t, map[byte]*modbustest.Memory{1: memory()})
	second := modbustest.New(t, map[byte]*modbustest.Memory{1: memory()})
	l := newLink(t, "modbus-tcp", first.Endpoint(), map[int][]string{1: {"a hr:0 uint16"}})
	o := l.Options.(*TCPOptions)
	o.Backup, o.FailBack, o.Timeout = second.Endpoint(), 50*time.Millisecond, 100*time.Millisecond
	d, _ := drivers.Lookup("modbus-tcp")
	connect := func() (drivers.Conn, drivers.Group) {
		c, err := d.Open(t.Context(), l, quiet)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		g, err := c.Prepare(t.Context(), l.Devices[0], l.Devices[0].Tags)
		if err != nil {
			t.Fatal(err)
		}
		return c, g
	}
	c, g := connect()
	wantRead(t, g, "a=100")
	if second.Requests(0) != 0 {
		t.Error("the backup was asked while the first address answers")
	}
	first.Handle(func(*modbustest.Conn, modbustest.Request) {}) // alive to TCP, and silent
	for deadline := time.Now().Add(patience); second.Requests(0) == 0; {
		if _, err := show(t, g); errors.Is(err, drivers.ErrLinkDown) {
			c.Close()
			c, g = connect()
		}
		if time.Now().After(deadline) {
			t.Fatal("the backup was never asked")
		}
	}
	wantRead(t, g, "a=100")
	first.Handle(nil)
	n := first.Requests(0)
	for deadline := time.Now().Add(patience); first.Requests(0) < n+10; {
		wantRead(t, g, "a=100") // without a gap
		if time.Now().After(deadline) {
			t.Fatal("the link never came back to its first address")
		}
	}
	at := second.Requests(0)
	for range 5 {
		wantRead(t, g, "a=100")
	}
	if second.Requests(0) != at {
		t.Error("the backup is still asked")
	}
}
