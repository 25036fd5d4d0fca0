package modbus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fieldferry/cmd/gateway/console"
	"fieldferry/drivers/modbus/modbustest"
)

// run executes a subcommand where no gateway runs.
func run(t *testing.T, args ...string) (out, said string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := Command()
	var o, e bytes.Buffer
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetOut(&o)
	c.SetErr(&e)
	if args[0] != "replay" && !slices.Contains(args, "--socket") {
		args = append(args, "--socket", filepath.Join(t.TempDir(), "none"))
	}
	c.SetArgs(args)
	err = c.ExecuteContext(ctx)
	return o.String(), e.String(), err
}

// meter is a unit with a float in two orders and some text.
func meter() *modbustest.Memory {
	m := modbustest.NewMemory(50)
	m.Set(10, 0x4367, 0x5EB8) // 231.37
	m.Set(20, 0x5EB8, 0x4367)
	m.Set(30, 2314, 0x4142)
	return m
}

func TestScanBothFramings(t *testing.T) {
	s := modbustest.NewRTU(t, map[byte]*modbustest.Memory{2: meter(), 4: meter()})
	out, said, err := run(t, "scan", s.Endpoint(), "--units", "1-4", "--framing", "auto", "--pace", "1ms", "--timeout", "60ms")
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, said)
	}
	for _, want := range []string{"RTU framing:\n", "2     values", "4     values"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "Modbus TCP") || !strings.Contains(said, "4 units at 2 settings") {
		t.Errorf("got\n%s%s", out, said)
	}
}

// TestASCII: units that speak ASCII are found and read behind a converter, and
// a serial port is opened as the standard has it.
func TestASCII(t *testing.T) {
	s := modbustest.NewASCII(t, map[byte]*modbustest.Memory{2: meter()})
	out, said, err := run(t, "scan", s.Endpoint(), "--units", "1-2", "--framing", "ascii", "--pace", "1ms", "--timeout", "60ms")
	if err != nil || !strings.Contains(out, "ASCII framing:\n") || !strings.Contains(out, "2     values") {
		t.Errorf("scan: %v\n%s%s", err, out, said)
	}
	out, _, err = run(t, "read", s.Endpoint(), "--framing", "ascii", "--unit", "2", "--from", "hr:10", "--count", "2")
	if err != nil || !strings.Contains(out, "4367") || !strings.Contains(out, "5EB8") {
		t.Errorf("read: %v\n%s", err, out)
	}
	for _, tt := range []struct {
		framing, parity string
		want            []string
	}{
		{"ascii", "", []string{"ASCII at 9600 baud 7E1"}},
		{"ascii", "none", []string{"ASCII at 9600 baud 7N1"}},
		{"rtu,ascii", "", []string{"RTU at 9600 baud 8N1", "ASCII at 9600 baud 7E1"}},
		{"", "even", []string{"RTU at 9600 baud 8E1"}},
	} {
		a := asking{framing: tt.framing, parity: tt.parity, baud: "9600", stop: 1}
		var to target
		if err := a.place(&to, "/dev/ttyS9"); err != nil {
			t.Fatalf("%+v: %v", tt, err)
		}
		var got []string
		for i := range to.places {
			got = append(got, setting(&to.places[i]))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("--framing %q --parity %q: got %q, want %q", tt.framing, tt.parity, got, tt.want)
		}
	}
}

func TestScanJSON(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{2: meter()})
	out, said, err := run(t, "scan", s.Endpoint(), "--units", "2,9", "--json", "--pace", "0s", "--timeout", "60ms", "--ask", "ir:60000")
	var v struct {
		Complete bool
		Found    []scanned
	}
	if err != nil || json.Unmarshal([]byte(out), &v) != nil || said != "" {
		t.Fatalf("%v\n%s%s", err, out, said)
	}
	if !v.Complete || len(v.Found) != 1 || len(v.Found[0].Units) != 1 || v.Found[0].Units[0].Unit != 2 || v.Found[0].Units[0].Answer != "exception 2 (illegal data address)" {
		t.Errorf("got %s", out)
	}
}

func TestReadAlone(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: meter()})
	out, _, err := run(t, "read", strings.TrimPrefix(s.Endpoint(), "tcp://"), "--from", "40031", "--count", "2")
	if err != nil || !strings.Contains(out, "hr:30    090A  2314      2314") || !strings.Contains(out, "AB") {
		t.Errorf("%v\n%s", err, out)
	}
	out, _, err = run(t, "read", s.Endpoint(), "--from", "coil:0", "--count", "3", "--json")
	if err != nil || !strings.Contains(out, `"address": "coil:2"`) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestDetectAlone(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: meter()})
	out, _, err := run(t, "detect", s.Endpoint(), "--from", "hr:20", "--count", "2", "--shows", "231.4")
	lines := strings.Split(out, "\n")
	if err != nil || len(lines) < 2 || !strings.Contains(lines[1], `{name: value, address: "hr:20", type: float32, byte_order: CDAB}`) {
		t.Errorf("%v\n%s", err, out)
	}
	// The last register of the device: none behind it can be read.
	out, _, err = run(t, "detect", s.Endpoint(), "--from", "hr:49", "--count", "1", "--shows", "0")
	if err != nil || !strings.Contains(out, `"hr:49"`) {
		t.Errorf("at the end of the table: %v\n%s", err, out)
	}
	out, _, err = run(t, "detect", "--from", "ir:7", "--data", "4367 5EB8", "--json", "--top", "1")
	if err != nil || !strings.Contains(out, `"shown": "231.37"`) {
		t.Errorf("given data: %v\n%s", err, out)
	}
	if _, _, err = run(t, "detect", "--data", "0001", "--shows", "98765"); err == nil || !strings.Contains(err.Error(), "nothing reads as 98765") {
		t.Errorf("a value that is not there: %v", err)
	}
}

// TestErrors: each mistake is told in words, with its exit code.
func TestErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.txt")
	if err := os.WriteFile(file, []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"scan", "line1"}, console.ExitUnreachable, "no gateway is running"},
		{[]string{"scan"}, console.ExitUnreachable, "no gateway is running"},
		{[]string{"scan", "tcp://h:1", "--units", "1-300"}, console.ExitUsage, "write unit ids from 0 to 255"},
		{[]string{"scan", "tcp://h:1", "--units", "9-1"}, console.ExitUsage, "write unit ids"},
		{[]string{"scan", "tcp://h:1", "--ask", "hr:1.3"}, console.ExitUsage, "--ask"},
		{[]string{"scan", "tcp://h:1", "--timeout", "0s"}, console.ExitUsage, "--timeout"},
		{[]string{"scan", "tcp://h:1", "--pace", "-1s"}, console.ExitUsage, "--pace"},
		{[]string{"scan", "tcp://h:1", "--tries", "0"}, console.ExitUsage, "--tries"},
		{[]string{"scan", "tcp://h:1", "--framing", "morse"}, console.ExitUsage, "use tcp, rtu or ascii"},
		{[]string{"scan", "/dev/none", "--framing", "tcp"}, console.ExitUsage, "a serial port speaks rtu"},
		{[]string{"scan", "/dev/none", "--baud", "7"}, console.ExitUsage, "7 baud"},
		{[]string{"scan", "/dev/none", "--baud", "fast"}, console.ExitUsage, "write a speed"},
		{[]string{"scan", "/dev/none"}, console.ExitFailed, "there is no such port"},
		{[]string{"read", "/dev/none", "--baud", "any"}, console.ExitUsage, "say one speed"},
		{[]string{"read", "ftp://h", "--unit", "1"}, console.ExitFailed, "endpoint"},
		{[]string{"read", "tcp://h:1", "--unit", "300"}, console.ExitUsage, "--unit 300"},
		{[]string{"read", "tcp://h:1", "--from", "hr"}, console.ExitUsage, "--from"},
		{[]string{"read", "tcp://h:1", "--from", "hr:1.2"}, console.ExitUsage, "whole register"},
		{[]string{"read", "tcp://h:1", "--from", "hr:65535", "--count", "2"}, console.ExitUsage, "ends at 65535"},
		{[]string{"detect", "tcp://h:1", "--from", "coil:1"}, console.ExitUsage, "name 1 to 123 registers"},
		{[]string{"detect", "--data", "xyz"}, console.ExitUsage, "in hexadecimal"},
		{[]string{"detect", "--data", "123456"}, console.ExitUsage, "3 bytes are not registers"},
		{[]string{"identify", "tcp://h:1", "--depth", "deep"}, console.ExitUsage, "--depth"},
		{[]string{"frames", "line1", "--kept", "never"}, console.ExitUsage, "use first or last"},
		{[]string{"frames", "line1"}, console.ExitUnreachable, "no gateway is running"},
		{[]string{"replay", file, "--pty"}, console.ExitFailed, "line 1"},
		{[]string{"replay", file + ".none", "--pty"}, console.ExitFailed, "no such file"},
		{[]string{"replay", file}, console.ExitUsage, "say where to play"},
		{[]string{"replay", file, "--pty", "--framing", "tcp"}, console.ExitUsage, "speaks rtu"},
	}
	for _, tt := range tests {
		out, _, err := run(t, tt.args...)
		var c *console.Coded
		if !errors.As(err, &c) || c.Code != tt.code || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v (%s), want %d with %q", tt.args, err, out, tt.code, tt.want)
		}
	}
}

// TestSame: names of one port and of one address.
func TestSame(t *testing.T) {
	dir := t.TempDir()
	port := filepath.Join(dir, "ttyS0")
	byID := filepath.Join(dir, "by-id")
	if err := os.WriteFile(port, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(port, byID); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{port, byID, true}, {port, port + "x", false}, {"/dev/gone", "/dev/gone", true},
		{"tcp://plc", "tcp://PLC:502", true}, {"tcp://plc:503", "tcp://plc", false}, {"tcp://[::1]", "tcp://[::1]:502", true}, {port, "tcp://plc", false},
	} {
		if got := same(tt.a, tt.b); got != tt.want {
			t.Errorf("same(%q, %q) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
	for in, want := range map[string]string{"/dev/x": "/dev/x", "10.0.0.7": "tcp://10.0.0.7:502", "plc:503": "tcp://plc:503", "::1": "tcp://[::1]:502", "tcp://a": "tcp://a"} {
		if got, ok := address(in); !ok || got != want {
			t.Errorf("address(%q) = %q, %v, want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{"line1", "hall/meter", "a:b"} {
		if got, ok := address(in); ok {
			t.Errorf("address(%q) = %q, want the name of a link", in, got)
		}
	}
}
