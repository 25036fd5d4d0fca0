package modbus

import (
	"strings"
	"testing"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/drivers/modbus/recorder"
)

// TestRecorded: what passes on a link whose context has a recorder is in it.
func TestRecorded(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: memory()})
	l := newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: {"a hr:5 uint16"}, 2: {"b hr:5 uint16"}})
	d, _ := drivers.Lookup("modbus-tcp")
	rec := recorder.New(3)
	c, err := d.Open(recorder.NewContext(t.Context(), rec), l, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, dev := range l.Devices {
		g, err := c.Prepare(t.Context(), dev, dev.Tags)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = show(t, g) // unit 2 is silent
	}
	var b strings.Builder
	got := rec.Recent()
	if _, err := got.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"> request   1 0300050001", "< answer    1 03020069", "> silence   2 0300050001 -"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if _, ok := rec.Kept(recorder.KeptFirst); !ok {
		t.Error("nothing is kept around the silence")
	}
}
