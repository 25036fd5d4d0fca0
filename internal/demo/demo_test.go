//go:build demo

package demo

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ask sends one Modbus TCP request.
func ask(t *testing.T, addr string, unit byte, pdu ...byte) []byte {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(addr, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	req := append([]byte{0, 7, 0, 0, 0, byte(len(pdu) + 1), unit}, pdu...)
	if _, err := c.Write(req); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 7)
	if _, err := io.ReadFull(c, head); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, binary.BigEndian.Uint16(head[4:])-1)
	if _, err := io.ReadFull(c, answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestPlantAnswersAndLeavesNothingBehind(t *testing.T) {
	p, err := NewPlant(0, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()

	if got := ask(t, p.Line, 1, 3, 0, 6, 0, 1); len(got) != 4 || got[0] != 3 || binary.BigEndian.Uint16(got[2:]) != 300 {
		t.Errorf("set point of the filler: got % x, want 300", got)
	}
	if got := ask(t, p.Line, 1, 6, 0, 6, 1, 0); got[0] != 6 {
		t.Errorf("write: got % x", got)
	}
	if got := ask(t, p.Line, 1, 3, 0, 6, 0, 1); binary.BigEndian.Uint16(got[2:]) != 256 {
		t.Errorf("after the write: got % x, want 256", got)
	}
	if got := ask(t, p.Meters, 2, 4, 0, 0, 0, 2); len(got) != 6 || binary.BigEndian.Uint16(got[2:])>>8 != 0x43 {
		t.Errorf("voltage of a meter: got % x, want a float32 of about 230", got)
	}
	for name, pdu := range map[string][]byte{"no such register": {3, 9, 9, 0, 1}, "no such function": {99, 0, 0, 0, 1}, "too many": {3, 0, 0, 0, 126}} {
		if got := ask(t, p.Line, 1, pdu...); len(got) != 2 || got[0] != pdu[0]|0x80 {
			t.Errorf("%s: got % x, want an exception", name, got)
		}
	}
	tty, err := os.OpenFile(p.Serial, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	frame := []byte{1, 3, 0, 1, 0, 1}
	frame = binary.LittleEndian.AppendUint16(frame, crc16(frame))
	if _, err := tty.Write(frame); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 7)
	if _, err := io.ReadFull(tty, answer); err != nil || crc16(answer) != 0 || binary.BigEndian.Uint16(answer[3:]) != 650 {
		t.Errorf("serial line: got % x, %v, want a set point of 650", answer, err)
	}
	tty.Close()

	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := os.Stat(p.Serial); err == nil {
		t.Errorf("%s is still there", p.Serial)
	}
}

// TestSerialLineOutlivesItsReader: the gateway closes the port and opens it
// again at every change of a tag on it.
func TestSerialLineOutlivesItsReader(t *testing.T) {
	p, err := NewPlant(0, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	for i := range 3 {
		tty, err := os.OpenFile(p.Serial, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		frame := []byte{1, 3, 0, 1, 0, 1}
		if _, err := tty.Write(binary.LittleEndian.AppendUint16(frame, crc16(frame))); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 7)
		if err := tty.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(tty, answer); err != nil || crc16(answer) != 0 {
			t.Errorf("opened for the %d. time: got % x, %v, want an answer", i+1, answer, err)
		}
		tty.Close()
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestConfigurationNamesEveryPart(t *testing.T) {
	p, err := NewPlant(0, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	dir := t.TempDir()
	if err := p.WriteConfig(dir, filepath.Join(dir, "buffer"), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "tagmap.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{p.Line, p.Meters, p.Serial, p.Press} {
		if !strings.Contains(string(text), want) {
			t.Errorf("tagmap.yaml does not name %s", want)
		}
	}
	if strings.Contains(string(text), "$") {
		t.Error("tagmap.yaml has a place that was not filled in")
	}
}
