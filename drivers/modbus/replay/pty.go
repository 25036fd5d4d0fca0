package replay

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// line is the device's end of a pseudo terminal.
type line struct {
	*os.File
	other *os.File // the master's end, held open: when nobody has it open, reading fails for ever
}

// Close closes both ends.
func (l *line) Close() error { return errors.Join(l.File.Close(), l.other.Close()) }

// OpenPTY opens a pseudo terminal in raw mode and returns the device's end,
// and the path that stands for the serial port.
func OpenPTY() (io.ReadWriteCloser, string, error) {
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, "", fmt.Errorf("open a pseudo terminal: %w", err)
	}
	path, err := unlock(f)
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("open a pseudo terminal: %w", err), f.Close())
	}
	other, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("open a pseudo terminal: %w", err), f.Close())
	}
	return &line{f, other}, path, nil
}

// unlock makes the other end usable, raw, and tells its path.
func unlock(f *os.File) (path string, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return "", err
	}
	cerr := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err != nil {
			return
		}
		var n int
		if n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN); err != nil {
			return
		}
		path = fmt.Sprintf("/dev/pts/%d", n)
		var t *unix.Termios
		if t, err = unix.IoctlGetTermios(int(fd), unix.TCGETS); err != nil {
			return
		}
		t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
		t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL
		t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
		err = unix.IoctlSetTermios(int(fd), unix.TCSETS, t)
	})
	return path, errors.Join(err, cerr)
}
