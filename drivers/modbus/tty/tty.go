package tty

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"fieldferry/drivers"
)

// side is a second descriptor of an open terminal. Locks, the exclusive mark
// and the state of the queues belong to the terminal, not to a descriptor.
type side struct {
	mu     sync.Mutex // guards the fields below: a closed descriptor may be another file's by now
	fd     int        // negative when closed
	marked bool       // the exclusive mark is ours to take off
}

// openSide opens a terminal and locks it against other programs that lock, as
// this one does. The exclusive mark alone would not hold root back.
func openSide(name string) (*side, error) {
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open serial port %s: %w", name, explain(err))
	}
	s := &side{fd: fd}
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		s.close()
		return nil, fmt.Errorf("open serial port %s: it is not a terminal: %w", name, err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		s.close()
		return nil, fmt.Errorf("open serial port %s: %w", name, explain(err))
	}
	return s, nil
}

// explain says in words what the usual errors mean here.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EWOULDBLOCK):
		return fmt.Errorf("another program has it open: %w", err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("no permission, is the user in the group dialout?: %w", err)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return fmt.Errorf("there is no such port, is the adapter plugged in?: %w: %w", drivers.ErrAbsent, err)
	}
	return err
}

// finish sets what the library that opened the port cannot, and makes it ours.
func (s *side) finish(o Settings) error {
	if err := s.format(o); err != nil {
		return fmt.Errorf("set %d baud, parity %s: %w", o.Baud, o.Parity, err)
	}
	if err := s.rs485(o.RS485); err != nil {
		return err
	}
	return s.exclusive()
}

// format sets a rate that has no name, and parities that are a constant bit.
func (s *side) format(o Settings) error {
	odd, constant := !slices.Contains(named, o.Baud), o.Parity == "mark" || o.Parity == "space"
	if !odd && !constant {
		return nil
	}
	t, err := unix.IoctlGetTermios(s.fd, unix.TCGETS2)
	if err != nil {
		return err
	}
	if constant {
		t.Cflag |= unix.CMSPAR
	}
	if odd {
		t.Cflag = t.Cflag&^unix.CBAUD | unix.BOTHER
		t.Ispeed, t.Ospeed = uint32(o.Baud), uint32(o.Baud)
	}
	return unix.IoctlSetTermios(s.fd, unix.TCSETS2, t)
}

// exclusive makes the kernel refuse further opens of the terminal.
func (s *side) exclusive() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := unix.IoctlSetInt(s.fd, unix.TIOCEXCL, 0)
	s.marked = err == nil
	return err
}

// awaitRoom waits for the kernel to take bytes to be sent, and not for long.
func (s *side) awaitRoom() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return errors.New("the port is closed")
	}
	fds := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, int((50 * time.Millisecond).Milliseconds()))
	switch {
	case errors.Is(err, unix.EINTR):
		return nil // the write itself decides
	case err != nil:
		return err
	case n == 0:
		return errors.New("the port takes no bytes: its line is held, or the adapter hangs")
	}
	return nil
}

// close takes the mark off again, for whoever opens the terminal next: a
// pseudo terminal may outlive us.
func (s *side) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return
	}
	if s.marked {
		_ = unix.IoctlSetInt(s.fd, unix.TIOCNXCL, 0) // fails on a port that is gone, which has no mark
	}
	_ = unix.Close(s.fd)
	s.fd = -1
}
