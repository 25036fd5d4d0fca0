package tty

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// terminal makes a pseudo terminal and returns its master and its name.
func terminal(t *testing.T) (*os.File, string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatalf("open a pseudo terminal: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	raw, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	n := -1
	if err := raw.Control(func(fd uintptr) {
		if err := unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err != nil {
			t.Fatal(err)
		}
		if n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN); err != nil {
			t.Fatal(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return master, fmt.Sprintf("/dev/pts/%d", n)
}

func TestSettingsFaults(t *testing.T) {
	if f := Default().Faults(); len(f) > 0 {
		t.Errorf("the defaults: %v", f)
	}
	bad := Settings{Baud: 9601, Parity: "mark", StopBits: 3, DataBits: 7}
	var paths []string
	for _, f := range bad.Faults() {
		paths = append(paths, f.Path)
		if f.Hint == "" {
			t.Errorf("%v has no hint", f)
		}
	}
	if got, want := strings.Join(paths, " "), "baud parity stop_bits data_bits"; got != want {
		t.Errorf("faults of %+v at %q, want %q", bad, got, want)
	}
	if _, err := Open("/dev/null", bad); err == nil || !strings.Contains(err.Error(), "9601") {
		t.Errorf("open with wrong settings: %v", err)
	}
}

func TestTiming(t *testing.T) {
	for _, c := range []struct {
		s         Settings
		char, gap time.Duration
	}{
		{Settings{9600, "none", 1, 8}, 1041666, 3645831},
		{Settings{9600, "even", 1, 8}, 1145833, 4010415},
		{Settings{19200, "odd", 2, 8}, 625000, 2187500},
		{Settings{115200, "none", 1, 8}, 86805, 1750000},
	} {
		if char, gap := c.s.Timing(); char != c.char || gap != c.gap {
			t.Errorf("%+v: %v, %v; want %v, %v", c.s, char, gap, c.char, c.gap)
		}
	}
}

// TestPort opens a terminal with every parity and number of stop bits, and
// carries bytes through it.
func TestPort(t *testing.T) {
	for _, parity := range []string{"none", "even", "odd"} {
		for _, stop := range []int{1, 2} {
			master, name := terminal(t)
			p, err := Open(name, Settings{Baud: 19200, Parity: parity, StopBits: stop, DataBits: 8})
			if err != nil {
				t.Fatalf("%s %d: %v", parity, stop, err)
			}
			if _, err := p.Write([]byte("ask")); err != nil {
				t.Errorf("write: %v", err)
			}
			b := make([]byte, 10)
			if n, err := master.Read(b); string(b[:n]) != "ask" {
				t.Errorf("the device read %q, %v", b[:n], err)
			}
			if _, err := master.WriteString("answer\n"); err != nil {
				t.Fatal(err)
			}
			if n, err := p.Read(b); string(b[:n]) != "answer\n" {
				t.Errorf("read %q, %v", b[:n], err)
			}
			if n, err := p.Read(b); n != 0 || err != nil {
				t.Errorf("read of a silent port: %d, %v; want a tick", n, err)
			}
			if err := p.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			if _, err := p.Write([]byte("x")); err == nil {
				t.Error("write after close succeeded")
			}
		}
	}
}

// TestHangUp: a port that hung up is told after a few reads, never taken for a
// silent one.
func TestHangUp(t *testing.T) {
	master, name := terminal(t)
	p, err := Open(name, Default())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	master.Close()
	for range earlyTicks + 1 {
		if _, err = p.Read(make([]byte, 10)); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("the port hung up, and no read said so")
	}
	if _, err := p.Write([]byte("x")); err == nil {
		t.Error("write to a port that hung up succeeded")
	}
}

func TestOpenIsExclusive(t *testing.T) {
	_, name := terminal(t)
	p, err := Open(name, Default())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(name, Default()); err == nil || !strings.Contains(err.Error(), "another program has it open") {
		t.Errorf("second open: %v", err)
	}
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY, 0) // root may, and then sees the mark
	if err == nil {
		if n, err := unix.IoctlGetInt(fd, unix.TIOCGEXCL); err != nil || n != 1 {
			t.Errorf("the exclusive mark is %d, %v; want 1", n, err)
		}
		unix.Close(fd)
	} else if !errors.Is(err, unix.EBUSY) {
		t.Errorf("a foreign open: %v, want EBUSY", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(name, Default())
	if err != nil {
		t.Fatalf("open after close: %v", err)
	}
	again.Close()
}
