package modbus

import (
	"context"
	"fmt"
	"time"

	"fieldferry/drivers/modbus/plan"
	"fieldferry/drivers/modbus/recorder"
	"fieldferry/drivers/modbus/tty"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/tag"
)

// LinkOptions are the keys of a link that both drivers have.
type LinkOptions struct {
	Timeout              time.Duration `yaml:"timeout"`                // how long a device may take to answer, up to 60s; default 1s
	PauseAfterConnect    time.Duration `yaml:"pause_after_connect"`    // before the first request, up to 10s; default none
	PauseBetweenRequests time.Duration `yaml:"pause_between_requests"` // between an answer and the next request, up to 10s; default none
	RecordFrames         int           `yaml:"record_frames"`          // how many frames the flight recorder keeps, 0 (none) to 10000; default 200
}

// TCPOptions are the keys of a modbus-tcp link.
type TCPOptions struct {
	LinkOptions   `yaml:",inline"`
	AcceptAnyUnit bool `yaml:"accept_any_unit"` // accept answers that name another unit id, as some gateways send; default no
}

// RTUOptions are the keys of a modbus-rtu link.
type RTUOptions struct {
	LinkOptions `yaml:",inline"`
	Serial      tty.Settings  `yaml:"serial"`      // of a serial port; default 9600 8N1
	LateWindow  time.Duration `yaml:"late_window"` // how long an answer may still come after its timeout; default (0) three timeouts, at least 1s
}

// DeviceOptions are the keys of a device.
type DeviceOptions struct {
	UnitID        int  `yaml:"unit_id"`        // 1-255; default 1
	MaxRegisters  int  `yaml:"max_registers"`  // most registers that one read may ask the device for, 1-125; default 125
	MaxBits       int  `yaml:"max_bits"`       // most coils or discrete inputs that one read may ask it for, 1-2000; default 2000
	WriteMultiple bool `yaml:"write_multiple"` // write even a single coil or register with function 15 or 16; default no
}

// TagOptions are the keys of a tag.
type TagOptions struct {
	ByteOrder string `yaml:"byte_order"` // ABCD, BADC, CDAB, DCBA or their 64-bit kin; AB or BA for one register; default ABCD
	Length    int    `yaml:"length"`     // registers of a string or raw tag, 1-125
}

func defaultLink() LinkOptions {
	return LinkOptions{Timeout: time.Second, RecordFrames: recorder.DefaultSize}
}

func defaultTCP() TCPOptions { return TCPOptions{LinkOptions: defaultLink()} }

func defaultRTU() RTUOptions {
	return RTUOptions{LinkOptions: defaultLink(), Serial: tty.Default()}
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
	return plan.Limits{MaxRegisters: o.MaxRegisters, MaxBits: o.MaxBits}
}

// wire turns the options of a link into what the link layer takes.
func (o LinkOptions) wire(ctx context.Context, l *tag.Link) wire.Options {
	w := wire.Options{Timeout: o.Timeout, PauseAfterConnect: o.PauseAfterConnect, Pause: o.PauseBetweenRequests}
	for _, d := range l.Devices {
		w.Units = append(w.Units, byte(deviceOptions(d).UnitID))
	}
	if r := recorder.FromContext(ctx); r != nil {
		r.Resize(o.RecordFrames)
		w.Tap = r
	}
	return w
}

func (o LinkOptions) faults() tag.Faults {
	var faults tag.Faults
	for _, x := range []struct {
		path        string
		value       time.Duration
		least, most time.Duration
	}{
		{"timeout", o.Timeout, time.Millisecond, time.Minute},
		{"pause_after_connect", o.PauseAfterConnect, 0, 10 * time.Second},
		{"pause_between_requests", o.PauseBetweenRequests, 0, 10 * time.Second},
	} {
		if x.value < x.least || x.value > x.most {
			faults = append(faults, tag.Fault{Path: x.path, Text: fmt.Sprintf("%v is outside %v to %v", x.value, x.least, x.most), Hint: "write a duration such as 500ms"})
		}
	}
	if o.RecordFrames < 0 || o.RecordFrames > recorder.MaxSize {
		faults = append(faults, tag.Fault{Path: "record_frames", Text: fmt.Sprintf("%d is outside 0-%d", o.RecordFrames, recorder.MaxSize), Hint: "leave it out for 200"})
	}
	return faults
}

func (o RTUOptions) faults() tag.Faults {
	faults := o.LinkOptions.faults()
	if o.LateWindow < 0 || o.LateWindow > time.Hour {
		faults = append(faults, tag.Fault{Path: "late_window", Text: fmt.Sprintf("%v is outside 0s to 1h", o.LateWindow), Hint: "leave it out for three timeouts"})
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
	case o.UnitID == 0:
		fault("unit_id", "use the address set at the device, 1-247", "unit id 0 is the broadcast, which nobody answers")
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
