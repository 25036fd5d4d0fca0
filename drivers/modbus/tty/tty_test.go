package tty

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"fieldferry/drivers"
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
	bad := Settings{Baud: 9601000, Parity: "marx", StopBits: 3, DataBits: 6,
		RS485: RS485{Mode: "perhaps", RTSOnSend: "up", DelayBefore: time.Second, DelayAfter: time.Microsecond}}
	var paths []string
	for _, f := range bad.Faults() {
		paths = append(paths, f.Path)
		if f.Hint == "" {
			t.Errorf("%v has no hint", f)
		}
	}
	if got, want := strings.Join(paths, " "), "baud parity stop_bits data_bits rs485.mode rs485.rts_on_send rs485.delay_before rs485.delay_after"; got != want {
		t.Errorf("faults of %+v at %q, want %q", bad, got, want)
	}
	if _, err := Open("/dev/null", bad); err == nil || !strings.Contains(err.Error(), "9601000") {
		t.Errorf("open with wrong settings: %v", err)
	}
}

func TestTiming(t *testing.T) {
	for _, c := range []struct {
		s         Settings
		char, gap time.Duration
	}{
		{Settings{Baud: 9600, Parity: "none", StopBits: 1, DataBits: 8}, 1041666, 3645831},
		{Settings{Baud: 9600, Parity: "even", StopBits: 1, DataBits: 8}, 1145833, 4010415},
		{Settings{Baud: 19200, Parity: "odd", StopBits: 2, DataBits: 8}, 625000, 2187500},
		{Settings{Baud: 115200, Parity: "none", StopBits: 1, DataBits: 8}, 86805, 1750000},
		{Settings{Baud: 9600, Parity: "even", StopBits: 1, DataBits: 7}, 1041666, 3645831},
	} {
		if char, gap := c.s.Timing(); char != c.char || gap != c.gap {
			t.Errorf("%+v: %v, %v; want %v, %v", c.s, char, gap, c.char, c.gap)
		}
	}
}

// settings are those of a test; a pseudo terminal knows no RS-485.
func settings(baud int, parity string, stop, data int) Settings {
	s := Default()
	s.Baud, s.Parity, s.StopBits, s.DataBits = baud, parity, stop, data
	return s
}

// termios is how a terminal is set, as somebody else sees it.
func termios(t *testing.T, name string) *unix.Termios {
	t.Helper()
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	got, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestRates: every rate from 1200 to 921600 is set, whether it has a name or not.
func TestRates(t *testing.T) {
	for _, baud := range append([]int{14400, 28800, 31250, 187500, 250000}, named...) {
		_, name := terminal(t)
		p, err := Open(name, settings(baud, "none", 1, 8))
		if err != nil {
			t.Fatalf("%d baud: %v", baud, err)
		}
		if got := termios(t, name); got.Ospeed != uint32(baud) || got.Ispeed != uint32(baud) {
			t.Errorf("%d baud: the terminal runs at %d, %d", baud, got.Ispeed, got.Ospeed)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestRS485 on a terminal that has no such thing: on refuses it, try does not.
func TestRS485(t *testing.T) {
	for mode, refused := range map[string]bool{"off": false, "try": false, "on": true} {
		_, name := terminal(t)
		s := Default()
		s.RS485.Mode = mode
		p, err := Open(name, s)
		if refused != (err != nil) || err != nil && !strings.Contains(err.Error(), "rs485 mode: try or off") {
			t.Errorf("rs485 %s: %v, want it refused: %t", mode, err, refused)
		}
		if err == nil {
			p.Close()
		}
	}
	k := serialRS485{flags: rs485RTSAfterSend | 1<<5}
	RS485{Mode: "on", RTSOnSend: "high", DelayAfter: 2 * time.Millisecond, HearItself: true}.apply(&k)
	if want := uint32(rs485Enabled | rs485RTSOnSend | rs485ReceiveToo | 1<<5); k.flags != want || k.delayAfter != 2 || k.delayBefore != 0 {
		t.Errorf("got %+v, want flags %x", k, want)
	}
	if n := unsafe.Sizeof(k); n != 32 {
		t.Errorf("struct serial_rs485 has %d bytes, want 32", n)
	}
}

// TestAbsent: a port that is not there is told apart from one that is taken.
func TestAbsent(t *testing.T) {
	if _, err := Open(t.TempDir()+"/ttyUSB0", Default()); !errors.Is(err, drivers.ErrAbsent) {
		t.Errorf("got %v, want ErrAbsent", err)
	}
	_, name := terminal(t)
	p, err := Open(name, Default())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := Open(name, Default()); errors.Is(err, drivers.ErrAbsent) {
		t.Errorf("a port that is taken: got %v, want no ErrAbsent", err)
	}
}

// TestPort opens a terminal with every parity and number of stop bits, and
// carries bytes through it.
func TestPort(t *testing.T) {
	for _, parity := range []string{"none", "even", "odd", "mark", "space"} {
		for _, stop := range []int{1, 2} {
			master, name := terminal(t)
			p, err := Open(name, settings(19200, parity, stop, 8-stop%2))
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
