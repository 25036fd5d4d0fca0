//go:build peer

package modbus

import (
	"testing"
	"time"

	"fieldferry/drivers/modbus/write"
	"fieldferry/internal/peers"
	"fieldferry/tag"
)

// partsTags are written to a peer: every function that writes, and what is
// more than a plain number.
var partsTags = []string{
	"whole hr:220 uint16", "bit hr:220.3", "hi hr:220.hi uint8", "coil coil:20", "coils coil:24 bool[3]", "list hr:224 int16[4]",
	"float hr:230 float32 CDAB", "text hr:234 string - 4", "power hr:240 int16", "scale hr:241 int16",
}

// writeParts writes to a peer and reads back through other tags.
func writeParts(t *testing.T, l *tag.Link, way write.Bits, multiple bool) {
	t.Helper()
	o := l.Devices[0].Options.(*DeviceOptions)
	o.WriteBits, o.WriteMultiple = way, multiple
	optionOf(t, l, "power").ScaleFrom = "hr:241"
	optionOf(t, l, "text").Encoding = "latin-1"
	setTimeout(l, 2*time.Second)
	_, g := open(t, l)
	for _, w := range []struct {
		name string
		v    tag.Value
	}{
		{"whole", tag.Uint(0x00F0)}, {"bit", tag.Bool(true)}, {"hi", tag.Uint(0xA5)}, {"coil", tag.Bool(true)}, {"coils", tag.JSON("[true,false,true]")},
		{"list", tag.JSON("[1,-2,3,-32768]")}, {"float", tag.Float32(231.4)}, {"text", tag.String("m³/h")}, {"scale", tag.Int(-1)}, {"power", tag.Float64(-12.5)},
	} {
		got, err := writeTo(t, l, g[0], w.name, w.v)
		if err != nil || got.Value != w.v || got.Quality != tag.OK() {
			t.Errorf("%s, multiple %t: write %v to %s: read back %v (%v), %v", way, multiple, w.v, w.name, got.Value, got.Quality, err)
		}
	}
	wantRead(t, g[0], "whole=42488 bit=true hi=165 coil=true coils=[true,false,true] list=[1,-2,3,-32768] float=231.4 text=m³/h power=-12.5 scale=-1")
}

// TestPymodbusWritesParts writes bits, halves, arrays, texts and scaled values
// with all functions to a server that is not ours.
func TestPymodbusWritesParts(t *testing.T) {
	for _, mode := range []string{"tcp", "rtutcp"} {
		for _, way := range []write.Bits{write.BitsAuto, write.BitsMask, write.BitsReadModifyWrite} {
			driver := "modbus-tcp"
			if mode != "tcp" {
				driver = "modbus-rtu"
			}
			o := peers.ModbusOptions{Units: 1}
			if mode != "tcp" {
				o.Mode = mode
			}
			s := peers.Pymodbus(t, o)
			l := newLink(t, driver, s.Endpoint(), map[int][]string{1: partsTags})
			writeParts(t, l, way, way == write.BitsReadModifyWrite)
		}
	}
}

// TestLibmodbusWritesParts writes registers, bits of one and coils to the test
// server of libmodbus on a serial line.
func TestLibmodbusWritesParts(t *testing.T) {
	port := peers.PTY(t)
	peers.Libmodbus(t, port.B)
	l := newLink(t, "modbus-rtu", port.A, map[int][]string{17: {"whole hr:0x161 uint16", "bit hr:0x161.3", "lo hr:0x161.lo uint8", "coil coil:0x131", "coils coil:0x133 bool[3]"}})
	l.Options.(*RTUOptions).Serial.Baud = 115200
	setTimeout(l, time.Second)
	_, g := open(t, l)
	for deadline := time.Now().Add(patience); ; { // until it has opened its end
		if _, err := show(t, g[0]); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	for _, w := range []struct {
		name string
		v    tag.Value
	}{{"whole", tag.Uint(0xA500)}, {"bit", tag.Bool(true)}, {"lo", tag.Uint(0x3C)}, {"bit", tag.Bool(false)}, {"coil", tag.Bool(true)}, {"coils", tag.JSON("[true,false,true]")}} {
		if got, err := writeTo(t, l, g[0], w.name, w.v); err != nil || got.Value != w.v {
			t.Errorf("write %v to %s: read back %v (%v), %v", w.v, w.name, got.Value, got.Quality, err)
		}
	}
	wantRead(t, g[0], "whole=42292 bit=false lo=52 coil=true coils=[true,false,true]")
}
