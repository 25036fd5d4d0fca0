package modbustest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// NewPort is New for RTU frames on a serial port, which is plugged in. Its
// Endpoint is a name that stays the same when it is plugged in again, as those
// below /dev/serial/by-id do.
func NewPort(t testing.TB, units map[byte]*Memory) *Server {
	t.Helper()
	s := &Server{Units: units, RTU: true, name: filepath.Join(t.TempDir(), "usb-adapter-port0")}
	s.init()
	t.Cleanup(s.stop)
	s.Plug(t)
	return s
}

// Plug makes a serial port under the name of the server.
func (s *Server) Plug(t testing.TB) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("open a pseudo terminal: %v", err)
	}
	path, err := unlock(master)
	if err != nil {
		t.Fatalf("unlock a pseudo terminal: %v", err)
	}
	slave, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("open a pseudo terminal: %v", err)
	}
	if err := os.Symlink(path, s.name); err != nil {
		t.Fatal(err)
	}
	s.take(&terminal{master, slave})
}

// terminal is the devices' end of a pseudo terminal. The master's is held
// open, too: while nobody has it open, reading fails.
type terminal struct {
	*os.File
	slave *os.File
}

func (p *terminal) Close() error { return errors.Join(p.slave.Close(), p.File.Close()) }

// unlock makes the master's end of a terminal usable, and tells its path.
func unlock(f *os.File) (path string, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return "", err
	}
	n := 0
	cerr := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	return fmt.Sprintf("/dev/pts/%d", n), errors.Join(err, cerr)
}

// Unplug takes the serial port away, and its name with it.
func (s *Server) Unplug(t testing.TB) {
	t.Helper()
	if err := os.Remove(s.name); err != nil {
		t.Fatal(err)
	}
	s.CloseAll()
}
