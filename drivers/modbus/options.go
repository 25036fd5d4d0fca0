package modbus

import (
	"fmt"
	"time"

	"fieldferry/drivers/modbus/plan"
	"fieldferry/drivers/modbus/tty"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/drivers/modbus/wire/line"
	"fieldferry/drivers/modbus/wire/tcp"
	"fieldferry/drivers/modbus/write"
	"fieldferry/tag"
)

// LinkOptions are the keys of a link that all three drivers have.
type LinkOptions struct {
	Timeout              time.Duration `yaml:"timeout"`                // how long a device may take to answer, up to 60s; default 1s
	PauseAfterConnect    time.Duration `yaml:"pause_after_connect"`    // before the first request, up to 10s; default none
	PauseBetweenRequests time.Duration `yaml:"pause_between_requests"` // between an answer and the next request, up to 10s; default none
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
type DeviceOptions struct {
	UnitID        int        `yaml:"unit_id"`        // 1-255; default 1
	MaxRegisters  int        `yaml:"max_registers"`  // most registers that one read may ask the device for, 1-125; default 125
	MaxBits       int        `yaml:"max_bits"`       // most coils or discrete inputs that one read may ask it for, 1-2000; default 2000
	WriteMultiple bool       `yaml:"write_multiple"` // write even a single coil or register with function 15 or 16; default no
	WriteBits     write.Bits `yaml:"write_bits"`     // how a bit or a half of a register is written: auto, mask, read-modify-write or refuse; default auto
	Broadcast     bool       `yaml:"broadcast"`      // unit_id 0: writes go to every device of the line, and none answers; default no
}

// TagOptions are the keys of a tag.
type TagOptions struct {
	ByteOrder    string   `yaml:"byte_order"`    // ABCD, BADC, CDAB, DCBA or their 64-bit kin; AB or BA for one register; default ABCD
	Length       int      `yaml:"length"`        // registers of a string or raw tag, 1-125
	Encoding     string   `yaml:"encoding"`      // of a string: utf-8 or latin-1; default utf-8
	Padding      string   `yaml:"padding"`       // behind a string that is written: null or space; default null
	Invalid      []uint64 `yaml:"invalid"`       // what the registers hold, as one number, when there is no value: [0x8000]; default none
	ScaleFrom    string   `yaml:"scale_from"`    // the register, of the same table, that the value is scaled by; default none
	ScaleAs      string   `yaml:"scale_as"`      // what that register holds: exponent (times 10^n, signed), factor or divisor; default exponent
	ReadTogether []string `yaml:"read_together"` // tags of this device that are read in the same request, or are bad with it; default none
}

// ValueType is the type of the values that go in and out where it is not that
// of the registers: what the device scales is a float.
func (o *TagOptions) ValueType() string {
	if o.ScaleFrom != "" {
		return "float64"
	}
	return ""
}

func defaultLink() LinkOptions { return LinkOptions{Timeout: time.Second, FailBack: 30 * time.Second} }

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

func defaultDevice() DeviceOptions {
	return DeviceOptions{UnitID: 1, MaxRegisters: 125, MaxBits: 2000}
}

// of returns the options that hang at a place, or the defaults where nothing
// does.
func of[T any](options any, fallback func() T) T {
	if o, ok := options.(*T); ok && o != nil {
		return *o
	}
	return fallback()
}

func deviceOptions(d *tag.Device) DeviceOptions {
	if d == nil {
		return defaultDevice()
	}
	return of(d.Options, defaultDevice)
}

func tagOptions(t *tag.Tag) TagOptions {
	return of(t.Options, func() TagOptions { return TagOptions{} })
}

func (o DeviceOptions) limits() plan.Limits {
	return plan.Limits{Max: [4]int{o.MaxBits, o.MaxBits, o.MaxRegisters, o.MaxRegisters}}
}

// wire turns the options of a link into what the link layer takes.
func (o LinkOptions) wire(l *tag.Link) wire.Options {
	w := wire.Options{Timeout: o.Timeout, Pause: o.PauseBetweenRequests}
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
	return spanFaults(
		span{"timeout", o.Timeout, time.Millisecond, time.Minute},
		span{"pause_after_connect", o.PauseAfterConnect, 0, 10 * time.Second},
		span{"pause_between_requests", o.PauseBetweenRequests, 0, 10 * time.Second},
		span{"fail_back", o.FailBack, time.Second, 24 * time.Hour},
	)
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

func (o DeviceOptions) faults() tag.Faults {
	var faults tag.Faults
	fault := func(path, hint, format string, args ...any) {
		faults = append(faults, tag.Fault{Path: path, Text: fmt.Sprintf(format, args...), Hint: hint})
	}
	switch {
	case o.Broadcast && o.UnitID != 0:
		fault("broadcast", "write unit_id: 0 with it, or leave it out", "unit id %d is one device: a broadcast has the unit id 0", o.UnitID)
	case o.Broadcast:
	case o.UnitID == 0:
		fault("unit_id", "use the address set at the device, 1-247; to write to all of them at once add broadcast: true", "unit id 0 is the broadcast, which nobody answers")
	case o.UnitID < 1 || o.UnitID > 255:
		fault("unit_id", "use the address set at the device, 1-247", "unit id %d is outside 1-255", o.UnitID)
	}
	if o.MaxRegisters < 1 || o.MaxRegisters > 125 {
		fault("max_registers", "Modbus allows 125", "%d registers in one read is outside 1-125", o.MaxRegisters)
	}
	if o.MaxBits < 1 || o.MaxBits > 2000 {
		fault("max_bits", "Modbus allows 2000", "%d bits in one read is outside 1-2000", o.MaxBits)
	}
	return faults
}
