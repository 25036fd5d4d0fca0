// Package option is what the tag map says of the devices and tags of Modbus:
// their keys, where a tag lies by them, and everything that is wrong with
// what was written.
//
// It does no I/O and keeps no state. Its functions take tags and devices as the
// loader made them, and may be called by any goroutine.
package option

import (
	"fmt"

	"fieldferry/drivers/modbus/write"
	"fieldferry/tag"
)

// Device holds the keys of a device.
type Device struct {
	UnitID        int        `yaml:"unit_id"`        // 1-255; default 1
	MaxRegisters  int        `yaml:"max_registers"`  // most registers that one read may ask the device for, 1-125; default 125
	MaxBits       int        `yaml:"max_bits"`       // most coils or discrete inputs that one read may ask it for, 1-2000; default 2000
	Coalesce      Coalesce   `yaml:"coalesce"`       // how tags are joined to block reads: auto (as is cheapest on this link), off (a request for each tag) or gap:N (over at most N registers, or 16 N bits, that nobody asked for); default auto
	Forbidden     []string   `yaml:"forbidden"`      // addresses that no request may touch: [hr:100-119, ir:7]; default none
	WriteMultiple bool       `yaml:"write_multiple"` // write even a single coil or register with function 15 or 16; default no
	WriteBits     write.Bits `yaml:"write_bits"`     // how a bit or a half of a register is written: auto, mask, read-modify-write or refuse; default auto
	Sleeps        bool       `yaml:"sleeps"`         // the device sleeps between requests, and one that it does not answer is made once more: the first has woken it; default no
	Broadcast     bool       `yaml:"broadcast"`      // unit_id 0: writes go to every device of the line, and none answers; default no
}

// Tag holds the keys of a tag.
type Tag struct {
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
func (o *Tag) ValueType() string {
	if o.ScaleFrom != "" {
		return "float64"
	}
	return ""
}

// DefaultDevice is what a device has that says nothing.
func DefaultDevice() Device { return Device{UnitID: 1, MaxRegisters: 125, MaxBits: 2000} }

// OfDevice returns the options of a device, or the defaults where it has none.
func OfDevice(d *tag.Device) Device {
	if d != nil {
		if o, ok := d.Options.(*Device); ok && o != nil {
			return *o
		}
	}
	return DefaultDevice()
}

// OfTag returns the options of a tag, or the defaults where it has none.
func OfTag(t *tag.Tag) Tag {
	if o, ok := t.Options.(*Tag); ok && o != nil {
		return *o
	}
	return Tag{}
}

// Faults tells everything that is wrong with the options of a device.
func (o Device) Faults() tag.Faults {
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
	for i, text := range o.Forbidden {
		if _, err := parseRange(text); err != nil {
			fault(fmt.Sprintf("forbidden[%d]", i), "write the first and the last address, such as hr:100-119, or one alone", "%v", err)
		}
	}
	if o.MaxBits < 1 || o.MaxBits > 2000 {
		fault("max_bits", "Modbus allows 2000", "%d bits in one read is outside 1-2000", o.MaxBits)
	}
	return faults
}
