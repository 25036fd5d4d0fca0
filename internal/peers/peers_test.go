//go:build peer

package peers

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ask sends one Modbus TCP request and returns the PDU of the answer.
func ask(t *testing.T, c net.Conn, unit byte, pdu []byte) []byte {
	t.Helper()
	req := append([]byte{0, 1, 0, 0, 0, byte(len(pdu) + 1), unit}, pdu...)
	if _, err := c.Write(req); err != nil {
		t.Fatalf("write %x: %v", req, err)
	}
	head := make([]byte, 7)
	if _, err := io.ReadFull(c, head); err != nil {
		t.Fatalf("read the answer to %x: %v", req, err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[4:])-1)
	if _, err := io.ReadFull(c, body); err != nil {
		t.Fatalf("read the answer to %x: %v", req, err)
	}
	return body
}

func TestPymodbusCountsReads(t *testing.T) {
	s := Pymodbus(t, ModbusOptions{Dead: []int{2}})
	c, err := net.Dial("tcp", strings.TrimPrefix(s.Endpoint(), "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	for want := byte(1); want <= 3; want++ {
		got := ask(t, c, 3, []byte{3, 0, 100, 0, 1})
		if len(got) != 4 || got[3] != want {
			t.Fatalf("read hr 100 of unit 3: got %x, want counter %d", got, want)
		}
	}
	if got := ask(t, c, 1, []byte{3, 1, 44, 0, 1}); len(got) != 2 || got[0] != 0x83 || got[1] != 2 {
		t.Fatalf("read hr 300: got %x, want exception 2", got)
	}
	_ = c.SetDeadline(time.Now().Add(200 * time.Millisecond))
	if _, err := c.Write([]byte{0, 2, 0, 0, 0, 6, 2, 3, 0, 0, 0, 1}); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatalf("dead unit 2 answered %d bytes", n)
	}
}

func TestMosquittoKeepsItsPort(t *testing.T) {
	b := Mosquitto(t, "persistence true\npersistence_location {dir}/\n")
	port := b.Port
	b.Stop()
	if answers(port) {
		t.Fatalf("port %d answers after Stop", port)
	}
	b.Start()
	if b.Port != port || !answers(port) {
		t.Fatalf("after Start: port %d, want %d and answering", b.Port, port)
	}
}

func TestPTYCarriesBytesAndIsUnplugged(t *testing.T) {
	l := PTY(t)
	for range 2 {
		a, err := os.OpenFile(l.A, os.O_RDWR|syscall.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.OpenFile(l.B, os.O_RDWR|syscall.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.WriteString("hello\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := bufio.NewReader(b).ReadString('\n'); got != "hello\n" {
			t.Fatalf("read %q, %v; want %q", got, err, "hello\n")
		}
		l.Unplug()
		if exists(l.A) || exists(l.B) {
			t.Fatal("the ends exist after Unplug")
		}
		a.Close()
		b.Close()
		l.Plug()
	}
}
