package tty

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/tarm/serial"

	"fieldferry/tag"
)

// This file alone knows the package that opens serial ports. What it cannot
// do (exclusive use, waiting for room) is done beside it, in tty.go, through a
// second descriptor of the same terminal.

// Settings say how a serial port is set: the `serial` key of a link.
type Settings struct {
	Baud     int    `yaml:"baud"`      // 1200-921600; default 9600
	Parity   string `yaml:"parity"`    // none, even, odd, mark or space; default none, in ASCII even
	StopBits int    `yaml:"stop_bits"` // 1 or 2; default 1
	DataBits int    `yaml:"data_bits"` // 8, which RTU needs, or 7; default 8, in ASCII 7
	RS485    RS485  `yaml:"rs485"`     // who switches an RS-485 transceiver; default the adapter itself
}

// Default is 9600 8N1, without a say in RS-485.
func Default() Settings {
	return Settings{Baud: 9600, Parity: "none", StopBits: 1, DataBits: 8, RS485: defaultRS485()}
}

// lowest and highest rate that Modbus is spoken at.
const minBaud, maxBaud = 1200, 921600

// named are the rates that the library knows; others are set beside it.
var named = []int{1200, 1800, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 500000, 576000, 921600}

// parities are the library's, as far as it has them.
var parities = map[string]serial.Parity{
	"none": serial.ParityNone, "even": serial.ParityEven, "odd": serial.ParityOdd,
	"mark": serial.ParityOdd, "space": serial.ParityEven, // made so beside it
}

// Faults tells everything that is wrong with the settings.
func (s Settings) Faults() tag.Faults {
	var faults tag.Faults
	fault := func(path, hint, format string, args ...any) {
		faults = append(faults, tag.Fault{Path: path, Text: fmt.Sprintf(format, args...), Hint: hint})
	}
	if s.Baud < minBaud || s.Baud > maxBaud {
		fault("baud", "use the rate set at the devices, most often 9600 or 19200", "%d baud is outside %d-%d", s.Baud, minBaud, maxBaud)
	}
	if _, ok := parities[s.Parity]; !ok {
		fault("parity", "use none, even, odd, mark or space", "unknown parity %q", s.Parity)
	}
	if s.StopBits != 1 && s.StopBits != 2 {
		fault("stop_bits", "use 1 or 2", "%d stop bits", s.StopBits)
	}
	if s.DataBits != 7 && s.DataBits != 8 {
		fault("data_bits", "use 8, or 7 for ASCII", "%d data bits", s.DataBits)
	}
	return append(faults, s.RS485.faults()...)
}

// Timing is how long one character takes and how long the line must be silent
// between two frames (Modbus over Serial Line V1.02 §2.5.1.1): 3.5 characters,
// and 1.75 ms above 19200 baud.
func (s Settings) Timing() (char, gap time.Duration) {
	bits := 1 + s.DataBits + s.StopBits
	if s.Parity != "none" {
		bits++
	}
	char = time.Duration(bits) * time.Second / time.Duration(max(s.Baud, 1))
	if s.Baud > 19200 {
		return char, 1750 * time.Microsecond
	}
	return char, 7 * char / 2
}

// tick is how often a read of a silent port returns, and half of it what
// returned too soon to be a tick.
const tick = 100 * time.Millisecond

// earlyTicks is how many reads in a row that return nothing, and at once,
// mean that the port is gone: a terminal that hung up does just that.
const earlyTicks = 5

var errHangup = errors.New("the port hung up: unplugged?")

// Port is an open serial port. Read and Write may run side by side, each in
// one goroutine; Close may be called by any, once.
type Port struct {
	port  *serial.Port
	side  *side
	early int // belongs to the reader
}

// Open opens a serial port for us alone. It does not block.
func Open(name string, s Settings) (*Port, error) {
	if faults := s.Faults(); len(faults) > 0 {
		return nil, fmt.Errorf("open serial port %s: %w", name, faults)
	}
	// The side descriptor comes first: it tells a port that is taken, and
	// keeps others out, before any setting is touched.
	sd, err := openSide(name)
	if err != nil {
		return nil, err
	}
	baud := s.Baud
	if !slices.Contains(named, baud) {
		baud = Default().Baud // for the moment
	}
	p, err := serial.OpenPort(&serial.Config{
		Name: name, Baud: baud, ReadTimeout: tick, Size: byte(s.DataBits),
		Parity: parities[s.Parity], StopBits: serial.StopBits(s.StopBits),
	})
	if err == nil {
		err = sd.finish(s)
		if err != nil {
			_ = p.Close() // the first error is the one to tell
		}
	}
	if err != nil {
		sd.close()
		return nil, fmt.Errorf("open serial port %s: %w", name, err)
	}
	return &Port{port: p, side: sd}, nil
}

// Read returns what has come in, nothing at a tick, and an error when the
// port is gone.
func (p *Port) Read(b []byte) (int, error) {
	start := time.Now()
	n, err := p.port.Read(b)
	switch {
	case n > 0:
		p.early = 0
		return n, nil
	case err != nil && !errors.Is(err, io.EOF):
		return 0, err
	case time.Since(start) >= tick/2:
		p.early = 0
	default:
		p.early++
	}
	if p.early >= earlyTicks {
		return 0, errHangup
	}
	return 0, nil
}

// Write hands bytes to the kernel, and refuses when it does not take any.
func (p *Port) Write(b []byte) (int, error) {
	if err := p.side.awaitRoom(); err != nil {
		return 0, err
	}
	return p.port.Write(b)
}

// Close gives the port back. It waits for a Read under way, a tick at most.
func (p *Port) Close() error {
	p.side.close()
	return p.port.Close()
}
