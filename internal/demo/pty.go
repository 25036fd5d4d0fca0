//go:build demo

package demo

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// pty is the device's end of a pseudo terminal.
type pty struct {
	*os.File
	other *os.File // the gateway's end, held open: when nobody has it open the device's end would fail for ever
}

// Close closes both ends.
func (p *pty) Close() error { return errors.Join(p.File.Close(), p.other.Close()) }

// openPTY opens a pseudo terminal in raw mode: what one end writes the other
// reads, byte for byte. It returns the device's end and the path that the
// gateway may open and close as often as it likes.
func openPTY() (*pty, string, error) {
	master, path, err := openMaster()
	if err != nil {
		return nil, "", err
	}
	other, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("open a pseudo terminal: %w", err), master.Close())
	}
	return &pty{master, other}, path, nil
}

func openMaster() (*os.File, string, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, "", fmt.Errorf("open a pseudo terminal: %w", err)
	}
	raw, err := master.SyscallConn()
	if err != nil {
		master.Close()
		return nil, "", err
	}
	var number uint32
	var cerr error
	if err := raw.Control(func(fd uintptr) { number, cerr = preparePTY(int(fd)) }); err != nil {
		cerr = err
	}
	if cerr != nil {
		master.Close()
		return nil, "", fmt.Errorf("prepare a pseudo terminal: %w", cerr)
	}
	return master, fmt.Sprintf("/dev/pts/%d", number), nil
}

func preparePTY(fd int) (uint32, error) {
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return 0, err
	}
	n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	if err != nil {
		return 0, err
	}
	tio, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return 0, err
	}
	tio.Iflag, tio.Oflag, tio.Lflag = 0, 0, 0
	tio.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B19200
	tio.Cc[unix.VMIN], tio.Cc[unix.VTIME] = 1, 0
	return n, unix.IoctlSetTermios(fd, unix.TCSETS, tio)
}
