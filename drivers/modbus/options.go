package modbus

import (
	"fmt"
	"time"

	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/option"
	"fieldferry/drivers/modbus/probe"
	"fieldferry/drivers/modbus/recorder"
	"fieldferry/drivers/modbus/tty"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/drivers/modbus/wire/line"
	"fieldferry/drivers/modbus/wire/tcp"
	"fieldferry/tag"
)

// LinkOptions are the keys of a link that all three drivers have.
type LinkOptions struct {
	Timeout              time.Duration `yaml:"timeout"`                // how long a device may take to answer, up to 60s; default 1s
	PauseAfterConnect    time.Duration `yaml:"pause_after_connect"`    // before the first request, up to 10s; default none
	PauseBetweenRequests time.Duration `yaml:"pause_between_requests"` // between an answer and the next request, up to 10s; default none
	RecordFrames         int           `yaml:"record_frames"`          // how many frames the flight recorder keeps, 0 (none) to 10000; default 200
	Backup               string        `yaml:"backup"`                 // a second endpoint, used while the first does not answer; default none
	FailBack             time.Duration `yaml:"fail_back"`              // how often the first is tried meanwhile, 1s to 24h; default 30s
	Allow                []string      `yaml:"allow"`                  // with listen://, the addresses or networks (10.1.0.0/24) that may dial in; default nobody
}

// TCPOptions are the keys of a modbus-tcp link.
type TCPOptions struct {
	LinkOptions   `yaml:",inline"`
	AcceptAnyUnit bool `yaml:"accept_any_unit"` // accept answers that name another unit id, as some gateways send; default no
	Pipeline      int  `yaml:"pipeline"`        // most requests under way at once, 1-16; default 1, since many devices cope with no more
}

// RTUOptions are the keys of a modbus-rtu or modbus-ascii link.
type RTUOptions struct {
	LinkOptions `yaml:",inline"`
	Serial      tty.Settings  `yaml:"serial"`      // of a serial port; default 9600 8N1, in ASCII 9600 7E1
	LateWindow  time.Duration `yaml:"late_window"` // how long an answer may still come after its timeout; default (0) three timeouts, at least 1s
	FrameGap    time.Duration `yaml:"frame_gap"`   // the silence between two frames, up to 1s; default (0) 3.5 characters, and 1.75ms above 19200 baud
	Echo        string        `yaml:"echo"`        // whether the line gives back what is sent: off, on or auto; default auto
}

// DeviceOptions are the keys of a device.
type DeviceOptions = option.Device

// TagOptions are the keys of a tag.
type TagOptions = option.Tag

func defaultLink() LinkOptions {
	return LinkOptions{Timeout: time.Second, FailBack: 30 * time.Second, RecordFrames: recorder.DefaultSize}
}

func defaultTCP() TCPOptions { return TCPOptions{LinkOptions: defaultLink(), Pipeline: 1} }

func defaultRTU() RTUOptions {
	return RTUOptions{LinkOptions: defaultLink(), Serial: tty.Default(), Echo: "auto"}
}

// defaultASCII is 7E1, as the standard has it.
func defaultASCII() RTUOptions {
	o := defaultRTU()
	o.Serial.DataBits, o.Serial.Parity = 7, "even"
	return o
}

// of returns the options that hang at a place, or the defaults where nothing
// does.
func of[T any](options any, fallback func() T) T {
	if o, ok := options.(*T); ok && o != nil {
		return *o
	}
	return fallback()
}

func deviceOptions(d *tag.Device) DeviceOptions { return option.OfDevice(d) }

// layoutOf tells where a tag lies, or everything that is wrong with it.
func layoutOf(t *tag.Tag) (layout.Layout, tag.Faults) { return option.Layout(t) }

// wire turns the options of a link into what the link layer takes.
func (o LinkOptions) wire(l *tag.Link, t *probe.Tap) wire.Options {
	w := wire.Options{Timeout: o.Timeout, Pause: o.PauseBetweenRequests, Tap: t}
	for _, d := range l.Devices {
		if o := deviceOptions(d); !o.Broadcast { // nobody answers a broadcast
			w.Units = append(w.Units, byte(o.UnitID))
		}
	}
	return w
}

// span is a duration with its limits.
type span struct {
	path        string
	value       time.Duration
	least, most time.Duration
}

func spanFaults(spans ...span) (faults tag.Faults) {
	for _, x := range spans {
		if x.value < x.least || x.value > x.most {
			faults = append(faults, tag.Fault{Path: x.path, Text: fmt.Sprintf("%v is outside %v to %v", x.value, x.least, x.most), Hint: "write a duration such as 500ms"})
		}
	}
	return faults
}

func (o LinkOptions) faults() tag.Faults {
	faults := spanFaults(
		span{"timeout", o.Timeout, time.Millisecond, time.Minute},
		span{"pause_after_connect", o.PauseAfterConnect, 0, 10 * time.Second},
		span{"pause_between_requests", o.PauseBetweenRequests, 0, 10 * time.Second},
		span{"fail_back", o.FailBack, time.Second, 24 * time.Hour},
	)
	if o.RecordFrames < 0 || o.RecordFrames > recorder.MaxSize {
		faults = append(faults, tag.Fault{Path: "record_frames", Text: fmt.Sprintf("%d is outside 0-%d", o.RecordFrames, recorder.MaxSize), Hint: "leave it out for 200"})
	}
	return faults
}

func (o TCPOptions) faults() tag.Faults {
	faults := o.LinkOptions.faults()
	if o.Pipeline < 1 || o.Pipeline > tcp.MaxDepth {
		faults = append(faults, tag.Fault{Path: "pipeline", Text: fmt.Sprintf("%d requests at once is outside 1-%d", o.Pipeline, tcp.MaxDepth), Hint: "leave it at 1 unless the device's manual allows more"})
	}
	return faults
}

// echoes are the values of the key echo.
var echoes = map[string]line.Echo{"auto": line.EchoAuto, "off": line.EchoOff, "on": line.EchoOn}

func (o RTUOptions) faults() tag.Faults {
	faults := append(o.LinkOptions.faults(), spanFaults(
		span{"late_window", o.LateWindow, 0, time.Hour},
		span{"frame_gap", o.FrameGap, 0, time.Second},
	)...)
	if _, ok := echoes[o.Echo]; !ok {
		faults = append(faults, tag.Fault{Path: "echo", Text: fmt.Sprintf("unknown echo %q", o.Echo), Hint: "use auto, off or on"})
	}
	for _, f := range o.Serial.Faults() {
		f.Path = "serial." + f.Path
		faults = append(faults, f)
	}
	return faults
}
