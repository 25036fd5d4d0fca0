//go:build peer

package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/tty"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/drivers/modbus/wire/line"
	"fieldferry/drivers/modbus/wire/reach"
	"fieldferry/drivers/modbus/wire/tcp"
	"fieldferry/internal/peers"
	"fieldferry/tag"
)

// plant is what every unit of the pymodbus server is asked for, and what unit
// u answers (the head of modbus_server.py).
var plant = []string{
	"a hr:0 uint16", "b 40003 uint16", "bit0 hr:10.0 bool", "bit1 hr:10.1 bool", "bit15 hr:10.15 bool",
	"abcd hr:20 float32 ABCD", "badc hr:22 float32 BADC", "cdab hr:24 float32 CDAB", "dcba hr:26 float32 DCBA",
	"i32 hr:30 int32", "u32 hr:32 uint32", "i64 hr:34 int64", "u64 hr:38 uint64", "f64 hr:42 float64",
	"text hr:50 string - 8", "bcd hr:60 bcd16", "bcd32 hr:61 bcd32", "neg hr:70 int16",
	"coil coil:1 bool", "di3 di:3 bool", "di4 di:4 bool", "ir ir:5 uint16", "gone hr:300 uint16",
}

func plantOf(u int) string {
	return fmt.Sprintf("a=%d b=%d bit0=true bit1=false bit15=true abcd=%[3]d.1 badc=%[3]d.1 cdab=%[3]d.1 dcba=%[3]d.1 "+
		"i32=%[4]d u32=%[5]d i64=%[6]d u64=%[7]d f64=%[3]d.1 text=UNIT %[3]d bcd=1234 bcd32=12345678 neg=%[8]d "+
		"coil=%[9]t di3=true di4=false ir=%[10]d gone!bad address",
		1000*u, 1000*u+2, u, -123456*u, 4000000000+u, -12345678901234*int64(u), uint64(18000000000000000000)+uint64(u), -u, (1+u)%2 == 1, 2000*u+5)
}

// readPlant reads three units, the second of which is dead, and writes to the
// last.
func readPlant(t *testing.T, l *tag.Link) {
	t.Helper()
	_, g := open(t, l)
	for round := range 3 {
		wantRead(t, g[0], plantOf(1))
		var de *drivers.DeviceError
		if round == 1 {
			if _, err := show(t, g[1]); !errors.As(err, &de) || de.Device != "d2" || de.Reason != tag.ReasonTimeout {
				t.Fatalf("the dead unit: %v, want a timeout of d2", err)
			}
		}
		wantRead(t, g[2], plantOf(3))
	}
	w := g[3].(drivers.Writer)
	for _, tg := range l.Devices[3].Tags {
		v := tag.Int(-7)
		if tg.Type == "float32" {
			v = tag.Float32(231.4)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		got, err := w.Write(ctx, tg, v)
		cancel()
		if err != nil || got.Value != v {
			t.Errorf("write %v to %s: read back %v, %v", v, tg.Name, got.Value, err)
		}
	}
}

func plantLink(t *testing.T, driver, endpoint string) *tag.Link {
	l := newLink(t, driver, endpoint, map[int][]string{1: plant, 2: plant, 3: plant, 4: {"i hr:200 int16", "f hr:202 float32 DCBA"}})
	setTimeout(l, 2*time.Second)
	return l
}

func TestPymodbusTCP(t *testing.T) {
	s := peers.Pymodbus(t, peers.ModbusOptions{Units: 4, Dead: []int{2}})
	readPlant(t, plantLink(t, "modbus-tcp", s.Endpoint()))
}

func TestPymodbusRTUOverTCP(t *testing.T) {
	s := peers.Pymodbus(t, peers.ModbusOptions{Mode: "rtutcp", Units: 4, Dead: []int{2}})
	readPlant(t, plantLink(t, "modbus-rtu", s.Endpoint()))
}

func TestPymodbusRTU(t *testing.T) {
	for _, baud := range []int{9600, 115200} {
		t.Run(fmt.Sprint(baud), func(t *testing.T) {
			line := peers.PTY(t)
			peers.Pymodbus(t, peers.ModbusOptions{Mode: "rtu", TTY: line.B, Baud: baud, Units: 4, Dead: []int{2}})
			l := plantLink(t, "modbus-rtu", line.A)
			l.Options.(*RTUOptions).Serial.Baud = baud
			readPlant(t, l)
		})
	}
}

func TestPymodbusASCIIOverTCP(t *testing.T) {
	s := peers.Pymodbus(t, peers.ModbusOptions{Mode: "asciitcp", Units: 4, Dead: []int{2}})
	readPlant(t, plantLink(t, "modbus-ascii", s.Endpoint()))
}

func TestPymodbusASCII(t *testing.T) {
	for _, baud := range []int{9600, 115200} {
		t.Run(fmt.Sprint(baud), func(t *testing.T) {
			pty := peers.PTY(t)
			peers.Pymodbus(t, peers.ModbusOptions{Mode: "ascii", TTY: pty.B, Baud: baud, Units: 4, Dead: []int{2}})
			l := plantLink(t, "modbus-ascii", pty.A)
			l.Options.(*RTUOptions).Serial.Baud = baud
			readPlant(t, l)
		})
	}
}

// TestJsmodbusOutOfOrder: with eight requests under way, a server that answers
// them in reverse order brings each asker its own registers.
func TestJsmodbusOutOfOrder(t *testing.T) {
	const depth, rounds, overtaken = 8, 100, 999
	conn, err := reach.Dial(t.Context(), peers.Jsmodbus(t), patience)
	if err != nil {
		t.Fatal(err)
	}
	c := tcp.New(conn, tcp.Options{Options: wire.Options{Timeout: patience}, Depth: depth})
	defer c.Close()
	var wg sync.WaitGroup
	for w := range depth {
		wg.Go(func() {
			for i := range rounds {
				address := w*rounds + i
				r, err := c.Exchange(t.Context(), 1, frame.Read(3, address, 2))
				if err != nil || binary.BigEndian.Uint16(r.Data) != uint16(address) || binary.BigEndian.Uint16(r.Data[2:]) != uint16(address+1) {
					t.Errorf("registers at %d: % x, %v", address, r.Data, err)
				}
			}
		})
	}
	wg.Wait()
	r, err := c.Exchange(t.Context(), 1, frame.Read(3, overtaken, 1))
	if err != nil {
		t.Fatal(err)
	}
	if n := binary.BigEndian.Uint16(r.Data); n < rounds {
		t.Errorf("%d answers overtook an earlier request, want %d at least: nothing was shown", n, rounds)
	}
}

// TestCounterCountsEveryRead: each read of the counter is one request at the
// device, no more and no fewer.
func TestCounterCountsEveryRead(t *testing.T) {
	s := peers.Pymodbus(t, peers.ModbusOptions{Units: 1})
	l := newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: {"n hr:100 uint16", "m hr:102 uint32"}})
	setTimeout(l, patience)
	_, g := open(t, l)
	for i := 1; i <= 500; i++ {
		wantRead(t, g[0], fmt.Sprintf("n=%d m=%d", i, i))
	}
}

// TestSerialPortIsOursAlone and is told apart from one that is gone.
func TestSerialPortIsOursAlone(t *testing.T) {
	line := peers.PTY(t)
	l := newLink(t, "modbus-rtu", line.A, map[int][]string{1: {"a hr:0 uint16"}})
	c, _ := open(t, l)
	d, _ := drivers.Lookup("modbus-rtu")
	if _, err := d.Open(t.Context(), l, quiet); !errors.Is(err, drivers.ErrLinkDown) || !strings.Contains(err.Error(), "another program has it open") {
		t.Errorf("a second open: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	again, err := d.Open(t.Context(), l, quiet)
	if err != nil {
		t.Fatalf("open after close: %v", err)
	}
	again.Close()
}

// TestUnpluggedAndPluggedIn: the link goes down without a busy loop, and a new
// one reads under the same name.
func TestUnpluggedAndPluggedIn(t *testing.T) {
	line := peers.PTY(t)
	l := newLink(t, "modbus-rtu", line.A, map[int][]string{1: {"a hr:0 uint16"}})
	setTimeout(l, 2*time.Second)
	for range 2 {
		server := peers.Pymodbus(t, peers.ModbusOptions{Mode: "rtu", TTY: line.B})
		_, g := open(t, l)
		wantRead(t, g[0], "a=1000")
		line.Unplug()
		var err error
		for range 20 {
			if _, err = show(t, g[0]); errors.Is(err, drivers.ErrLinkDown) {
				break
			}
		}
		if !errors.Is(err, drivers.ErrLinkDown) {
			t.Fatalf("unplugged: %v, want ErrLinkDown", err)
		}
		if _, err := show(t, g[0]); !errors.Is(err, drivers.ErrLinkDown) {
			t.Errorf("once more: %v", err)
		}
		server.Stop()
		line.Plug()
	}
}

// libmodbusFaults are the wrong answers of libmodbus's test server.
func libmodbusFaults(t *testing.T, c exchanger) {
	t.Helper()
	ask := func(address, n int) (wire.Reply, *frame.Error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		r, err := c.Exchange(ctx, 17, frame.Read(3, address, n))
		if err != nil {
			return r, asFrame(err)
		}
		return r, nil
	}
	good := func(after string) {
		t.Helper()
		// A request after a late answer may have to leave its shape alone.
		if r, e := ask(0x160, 3); e != nil || len(r.Data) != 6 {
			t.Fatalf("after %s: %x, %v", after, r.Data, e)
		}
	}
	good("the start")
	if _, e := ask(0x170, 1); e == nil || e.Kind != frame.Exception || e.Code != 6 {
		t.Errorf("exception: got %v", e)
	}
	good("an exception")
	if _, e := ask(0x171, 1); e == nil || e.Kind == frame.Exception {
		t.Errorf("another unit or transaction: got %v", e)
	}
	good("another unit or transaction")
	if _, e := ask(0x160, 2); e == nil || e.Kind == frame.Exception {
		t.Errorf("fewer registers than asked for: got %v", e)
	}
	good("fewer registers")
	if _, e := ask(0x172, 1); e == nil || e.Kind != frame.Timeout {
		t.Errorf("an answer after 500 ms: got %v, want a timeout", e)
	}
	for range 5 {
		if r, e := ask(0x160, 3); e == nil && len(r.Data) != 6 {
			t.Errorf("after a late answer: % x", r.Data)
		}
	}
	good("a late answer")
}

func TestLibmodbusTCP(t *testing.T) {
	address := peers.Libmodbus(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var c *tcp.Link
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for c == nil { // it takes one connection only: ours must be the first
		conn, err := reach.Dial(ctx, address, patience)
		var refused *net.OpError
		if err != nil && (!errors.As(err, &refused) || ctx.Err() != nil) {
			t.Fatal(err)
		}
		if err == nil {
			c = tcp.New(conn, tcp.Options{Options: wire.Options{Timeout: 300 * time.Millisecond}})
		}
		<-tick.C
	}
	defer c.Close()
	libmodbusFaults(t, c)
	if r, err := c.Exchange(ctx, 255, frame.Read(3, 0x173, 1)); err != nil || len(r.Data) != 2 {
		t.Errorf("an answer byte by byte: % x, %v", r.Data, err)
	}
}

func TestLibmodbusRTU(t *testing.T) {
	pty := peers.PTY(t)
	peers.Libmodbus(t, pty.B)
	s := tty.Default()
	s.Baud = 115200
	p, err := tty.Open(pty.A, s)
	if err != nil {
		t.Fatal(err)
	}
	o := line.Options{Options: wire.Options{Timeout: 300 * time.Millisecond}}
	o.Char, o.Gap = s.Timing()
	c := line.New(p, o)
	defer c.Close()
	for deadline := time.Now().Add(patience); ; { // until it has opened its end
		_, err := c.Exchange(t.Context(), 17, frame.Read(3, 0x160, 4))
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	libmodbusFaults(t, c)
}
