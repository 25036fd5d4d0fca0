//go:build peer

package modbus

import (
	"strings"
	"testing"

	"fieldferry/internal/peers"
)

// TestSearchOfALine: nobody knows the settings of the line; a pseudo terminal
// carries every speed, so that the first is right, and --all goes on.
func TestSearchOfALine(t *testing.T) {
	line := peers.PTY(t)
	peers.Pymodbus(t, peers.ModbusOptions{Mode: "rtu", TTY: line.B, Units: 3, Dead: []int{2}})
	out, said, err := run(t, "scan", line.A, "--baud", "any", "--parity", "any", "--units", "1-3", "--pace", "10ms")
	if err != nil || strings.Count(out, "baud") != 1 || !strings.Contains(out, "RTU at 9600 baud 8N1:\n") || !strings.Contains(out, "3     values") {
		t.Errorf("%v\n%s%s", err, out, said)
	}
	if !strings.Contains(said, "3 units at 24 settings") {
		t.Errorf("said %q", said)
	}
	out, said, err = run(t, "scan", line.A, "--baud", "9600,19200", "--units", "3", "--all", "--pace", "10ms")
	if err != nil || !strings.Contains(out, "RTU at 9600 baud 8N1:\n") || !strings.Contains(out, "RTU at 19200 baud 8N1:\n") {
		t.Errorf("--all: %v\n%s%s", err, out, said)
	}
	out, said, err = run(t, "identify", line.A, "--unit", "3")
	if err != nil || !strings.Contains(out, "Pymodbus") {
		t.Errorf("identify: %v\n%s%s", err, out, said)
	}
}

// TestConverter: RTU over TCP and Modbus TCP are told apart.
func TestConverter(t *testing.T) {
	for mode, want := range map[string]string{"rtutcp": "RTU framing", "tcp": "Modbus TCP framing"} {
		s := peers.Pymodbus(t, peers.ModbusOptions{Mode: mode, Units: 3, Dead: []int{2}})
		out, said, err := run(t, "scan", s.Endpoint(), "--framing", "auto", "--units", "1-4", "--pace", "10ms")
		if err != nil || !strings.Contains(out, want) || strings.Count(out, "framing") != 1 || !strings.Contains(out, "3     values") {
			t.Errorf("%s: %v\n%s%s", mode, err, out, said)
		}
	}
}
