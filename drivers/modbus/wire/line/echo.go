package line

import (
	"bytes"

	"fieldferry/drivers/modbus/frame"
)

// Echo says what is known of a line that gives back what is sent on it, as
// two-wire RS-485 adapters without receiver control do. On such a line the
// echo of a write looks like its confirmation, whether or not a device is
// there; so it must be known, and must not be concluded from a write.
type Echo uint8

// What is known of the echo.
const (
	EchoAuto Echo = iota // nothing: reads will tell
	EchoOff              // there is none
	EchoOn               // every request comes back ahead of its answer
)

// echoDoubts is how many reads in a row without an echo mean that there is
// none any more.
const echoDoubts = 3

// echoes is what a line knows of its echo. It belongs to the holder of the line.
type echoes struct {
	auto   bool
	known  Echo
	doubts int
}

func newEchoes(set Echo) echoes { return echoes{auto: set == EchoAuto, known: set} }

// learn draws its conclusion from a read that was answered, or whose echo came.
func (e *echoes) learn(heard bool) {
	switch {
	case !e.auto:
	case heard:
		e.known, e.doubts = EchoOn, 0
	case e.known == EchoOn && e.doubts < echoDoubts-1:
		e.doubts++
	default:
		e.known, e.doubts = EchoOff, 0
	}
}

// mirrors says that the answer to a request may look like the request.
func (x *exchange) mirrors() bool { return x.answer == len(x.adu) }

// tells says that the request can be told from its answer, and changes
// nothing at the device: the line may be judged by it.
func (x *exchange) tells() bool { return x.req.Reads() && !x.mirrors() }

// strip removes the echo of the request from what was received. It says
// whether the rest may be looked at: not while an echo is still coming in.
// The caller holds the lock.
func (x *exchange) strip() bool {
	l := x.l
	if x.echoed || l.echo.known == EchoOff && !(l.echo.auto && x.tells()) {
		return true
	}
	at := bytes.Index(l.rx, x.adu)
	if at < 0 {
		return !bytes.HasPrefix(x.adu, l.rx)
	}
	x.echoed = true
	if x.tells() {
		l.echo.learn(true)
	}
	if x.mirrors() && l.echo.known == EchoAuto {
		x.doubtful = true
	}
	l.Counters.Noise.Add(uint64(at))
	x.echoAt = append(x.echoAt[:0], l.rx[at:at+len(x.adu)]...)
	l.rx = append(l.rx[:0], l.rx[at+len(x.adu):]...)
	return true
}

// probe finds out about the echo before something is sent whose answer looks
// like it: by reading what is to be written. Its outcome does not matter.
func (x *exchange) probe() (frame.PDU, bool) {
	if x.unit == 0 || x.l.echo.known != EchoAuto || !x.mirrors() || x.req.Reads() || x.req.Echo() == nil {
		return frame.PDU{}, false
	}
	function := byte(3)
	if x.req.Bits() || x.req.Function == 5 {
		function = 1
	}
	return frame.Read(function, x.req.Address(), 1), true
}
