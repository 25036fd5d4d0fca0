package peers

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

//go:embed modbus_server.py
var modbusServer []byte

// python is Debian's, which has python3-pymodbus; another one on the PATH
// would not.
const python = "/usr/bin/python3"

// ModbusOptions says what a pymodbus server is to be. What its units hold is
// written at the head of modbus_server.py.
type ModbusOptions struct {
	Mode  string // tcp (the default), rtutcp, asciitcp, rtu or ascii
	Port  int    // TCP port; 0 takes a free one
	TTY   string // for rtu and ascii: the serial port
	Baud  int    // for rtu and ascii; 0 means 9600
	Units int    // units 1..Units; 0 means 3
	Dead  []int  // units that never answer
	Holes []int  // holding registers that no unit has
	Most  int    // longest read of holding registers; 0 means 125
}

// ModbusServer is a running pymodbus server.
type ModbusServer struct {
	Port int // TCP port on 127.0.0.1; 0 for a serial line
	p    *process
}

// Pymodbus starts a pymodbus server and returns when it listens.
func Pymodbus(t testing.TB, o ModbusOptions) *ModbusServer {
	t.Helper()
	script := filepath.Join(t.TempDir(), "modbus_server.py")
	if err := os.WriteFile(script, modbusServer, 0o600); err != nil {
		t.Fatalf("write the server script: %v", err)
	}
	p := start(t, python, append([]string{script}, o.arguments()...)...)
	if err := p.await(func() bool { return strings.Contains(p.out.String(), "\n") }); err != nil {
		t.Fatalf("%v (it needs python3-pymodbus and python3-serial-asyncio: `make deps`)", err)
	}
	first, _, _ := strings.Cut(p.out.String(), "\n")
	where, ok := strings.CutPrefix(first, "listening ")
	s := &ModbusServer{p: p}
	if ok && o.TTY == "" {
		var err error
		s.Port, err = strconv.Atoi(where)
		ok = err == nil
	}
	if !ok {
		p.stop(syscall.SIGKILL)
		t.Fatalf("pymodbus said:\n%s\nwant \"listening PORT\" (it needs python3-pymodbus and python3-serial-asyncio: `make deps`)", p.out)
	}
	return s
}

func (o ModbusOptions) arguments() []string {
	args := []string{"tcp", "127.0.0.1", strconv.Itoa(o.Port)}
	switch {
	case o.TTY != "" && o.Baud == 0:
		args = []string{o.Mode, o.TTY, "9600"}
	case o.TTY != "":
		args = []string{o.Mode, o.TTY, strconv.Itoa(o.Baud)}
	case o.Mode != "":
		args[0] = o.Mode
	}
	if o.Units > 0 {
		args = append(args, "--units", strconv.Itoa(o.Units))
	}
	if o.Most > 0 {
		args = append(args, "--most", strconv.Itoa(o.Most))
	}
	if len(o.Dead) > 0 {
		args = append(args, "--dead", commas(o.Dead))
	}
	if len(o.Holes) > 0 {
		args = append(args, "--holes", commas(o.Holes))
	}
	return args
}

func commas(list []int) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(list)), ","), "[]")
}

// Endpoint is the server as a tag map names it: tcp://127.0.0.1:PORT.
func (s *ModbusServer) Endpoint() string { return fmt.Sprintf("tcp://127.0.0.1:%d", s.Port) }

// Stop ends the server before the test does.
func (s *ModbusServer) Stop() { s.p.stop(syscall.SIGKILL) }
