package modbus

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/modbustest"
)

// TestAnotherMaster: requests and answers of a second master between ours are
// never values, and are said.
func TestAnotherMaster(t *testing.T) {
	s := modbustest.NewRTU(t, map[byte]*modbustest.Memory{1: memory()})
	l := newLink(t, "modbus-rtu", s.Endpoint(), map[int][]string{1: {"a hr:0 uint16", "b hr:1 uint16"}})
	s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
		theirs := modbustest.RTUFrame(9, []byte{3, 1, 100, 0, 2})
		answer := modbustest.RTUFrame(9, []byte{3, 4, 9, 9, 9, 9})
		c.Write(bytes.Join([][]byte{theirs, answer, c.Answer(r)}, nil))
	})
	var log bytes.Buffer
	d, _ := drivers.Lookup(l.Driver)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := d.Open(ctx, l, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	g, err := c.Prepare(ctx, l.Devices[0], l.Devices[0].Tags)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		wantRead(t, g, "a=100 b=101")
	}
	c.Close()
	if n := strings.Count(log.String(), "another master asks on this line"); n != 1 {
		t.Errorf("%d lines about another master, want 1:\n%s", n, log.String())
	}
}
