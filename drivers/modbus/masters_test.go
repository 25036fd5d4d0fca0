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
	o := d.(drivers.Observer)
	before, notes := o.Observe(l)
	if len(notes) != 1 || !strings.HasPrefix(notes[0], "another master asks on this line") || before["answers"] < 5 {
		t.Errorf("while open: %v %q", before, notes)
	}
	c.Close()
	if got, _ := o.Observe(l); got["answers"] != before["answers"] || got["foreign"]+got["noise_bytes"] == 0 {
		t.Errorf("after the link was closed: %v, want what it was before, %v", got, before)
	}
	if n := strings.Count(log.String(), "another master asks on this line"); n != 1 {
		t.Errorf("%d lines about another master, want 1:\n%s", n, log.String())
	}
}

// TestAnswersTwiceAreSaid: a line that answers twice, and damaged frames, are
// seen by whoever looks at the link.
func TestAnswersTwiceAreSaid(t *testing.T) {
	s := modbustest.NewRTU(t, map[byte]*modbustest.Memory{1: memory()})
	l := newLink(t, "modbus-rtu", s.Endpoint(), map[int][]string{1: {"a hr:0 uint16"}})
	s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
		answer := c.Answer(r)
		if r.N == 1 {
			damaged := bytes.Clone(answer)
			damaged[3] ^= 0x40
			c.Write(damaged)
			return
		}
		c.Write(append(bytes.Clone(answer), answer...))
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
		_, _ = show(t, g)
	}
	c.Close()
	got, notes := d.(drivers.Observer).Observe(l)
	if len(notes) != 1 || !strings.HasPrefix(notes[0], "answers come twice on this line") {
		t.Errorf("notes %q", notes)
	}
	if got["copies"] == 0 || got["damaged"] == 0 || got["late"] < got["copies"] {
		t.Errorf("counts %v, want copies, among late, and damaged", got)
	}
	if n := strings.Count(log.String(), "answers come twice on this line"); n != 1 {
		t.Errorf("%d lines about it, want 1:\n%s", n, log.String())
	}
}
