package tty

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"fieldferry/tag"
)

// RS485 says how the kernel is to switch an RS-485 transceiver between sending
// and receiving, by the RTS line of the port: the `rs485` key. Most adapters do
// it themselves and some are upset by the question, so nothing is asked of a
// port unless Mode says so.
type RS485 struct {
	Mode        string        `yaml:"mode"`         // off: leave it to the adapter; try: switch where the port can; on: refuse a port that cannot; default off
	RTSOnSend   string        `yaml:"rts_on_send"`  // high or low; default high
	DelayBefore time.Duration `yaml:"delay_before"` // from RTS to the first bit, whole milliseconds up to 100ms; default 0s
	DelayAfter  time.Duration `yaml:"delay_after"`  // from the last bit to RTS, whole milliseconds up to 100ms; default 0s
	HearItself  bool          `yaml:"hear_itself"`  // keep the receiver on while sending, which gives an echo; default no
}

func defaultRS485() RS485 { return RS485{Mode: "off", RTSOnSend: "high"} }

func (r RS485) faults() (faults tag.Faults) {
	fault := func(path, hint, format string, args ...any) {
		faults = append(faults, tag.Fault{Path: "rs485." + path, Text: fmt.Sprintf(format, args...), Hint: hint})
	}
	if r.Mode != "off" && r.Mode != "try" && r.Mode != "on" {
		fault("mode", "use off, try or on", "unknown mode %q", r.Mode)
	}
	if r.RTSOnSend != "high" && r.RTSOnSend != "low" {
		fault("rts_on_send", "use high or low", "unknown level %q", r.RTSOnSend)
	}
	for i, d := range []time.Duration{r.DelayBefore, r.DelayAfter} {
		path := []string{"delay_before", "delay_after"}[i]
		if d < 0 || d > 100*time.Millisecond || d%time.Millisecond != 0 {
			fault(path, "write whole milliseconds such as 2ms", "%v is outside 0s to 100ms, or finer than a millisecond", d)
		}
	}
	return faults
}

// serialRS485 is struct serial_rs485 of linux/serial.h, which x/sys does not have.
type serialRS485 struct {
	flags, delayBefore, delayAfter uint32 // delays in milliseconds
	_                              [5]uint32
}

// The flags of serialRS485.
const (
	rs485Enabled      = 1 << 0
	rs485RTSOnSend    = 1 << 1
	rs485RTSAfterSend = 1 << 2
	rs485ReceiveToo   = 1 << 4
)

// apply changes what the kernel has; it may know more flags than we do.
func (r RS485) apply(k *serialRS485) {
	k.flags &^= rs485RTSOnSend | rs485RTSAfterSend | rs485ReceiveToo
	k.flags |= rs485Enabled
	if r.RTSOnSend == "high" {
		k.flags |= rs485RTSOnSend
	} else {
		k.flags |= rs485RTSAfterSend
	}
	if r.HearItself {
		k.flags |= rs485ReceiveToo
	}
	k.delayBefore, k.delayAfter = uint32(r.DelayBefore.Milliseconds()), uint32(r.DelayAfter.Milliseconds())
}

// rs485 has the kernel switch the transceiver, where that is wanted.
func (s *side) rs485(r RS485) error {
	if r.Mode == "off" {
		return nil
	}
	var k serialRS485
	err := s.ioctl(unix.TIOCGRS485, &k)
	if err == nil {
		r.apply(&k)
		err = s.ioctl(unix.TIOCSRS485, &k)
	}
	switch {
	case err == nil, r.Mode == "try" && (errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL)):
		return nil
	}
	return fmt.Errorf("switch the port to RS-485, which its driver may not be able to (rs485 mode: try or off): %w", err)
}

func (s *side) ioctl(request uintptr, k *serialRS485) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s.fd), request, uintptr(unsafe.Pointer(k)))
	if errno != 0 {
		return errno
	}
	return nil
}
