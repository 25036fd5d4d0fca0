package option

import (
	"fmt"

	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/sunspec"
	"fieldferry/drivers/modbus/write"
	"fieldferry/tag"
)

// Layout tells where a tag lies, or everything that is wrong with it.
func Layout(t *tag.Tag) (layout.Layout, tag.Faults) {
	if sunspec.Is(t.Address) {
		return sunspecLayout(t)
	}
	o := OfTag(t)
	l, faults := layout.Spec{
		Address: t.Address, Type: t.Type, Order: o.ByteOrder, Length: o.Length, Encoding: o.Encoding, Padding: o.Padding,
		Invalid: o.Invalid, ScaleFrom: o.ScaleFrom, ScaleAs: o.ScaleAs,
	}.Parse()
	if len(faults) > 0 {
		return l, faults
	}
	faults = append(faults, tooLong(t, &l)...)
	if f := OfDevice(t.Device).forbids(&l); f != nil {
		faults = append(faults, *f)
	}
	if f := notWritable(t, &l); f != nil {
		faults = append(faults, *f)
	}
	return l, faults
}

// tooLong tells where a tag takes more than one request reads.
func tooLong(t *tag.Tag, l *layout.Layout) tag.Faults {
	o := OfDevice(t.Device)
	most, key, what := o.MaxRegisters, "max_registers", "registers"
	if l.Table.Bits() {
		most, key, what = o.MaxBits, "max_bits", "bits"
	}
	if _, n := l.Span(); n > most && most > 0 && t.Access.Readable() {
		return tag.Faults{{Path: "address", Text: fmt.Sprintf("%s takes %d %s, more than the %d that %s allows in one read", l.Address, n, what, most, key),
			Hint: fmt.Sprintf("a value read in two halves may be torn: raise %s, or use a shorter type", key)}}
	}
	return nil
}

// notWritable tells why a tag that may be written cannot be.
func notWritable(t *tag.Tag, l *layout.Layout) *tag.Fault {
	o := OfDevice(t.Device)
	fault := func(hint, format string, args ...any) *tag.Fault {
		return &tag.Fault{Path: "access", Text: fmt.Sprintf(format, args...), Hint: hint}
	}
	if o.Broadcast && t.Access != tag.AccessWrite {
		return fault("use access: write", "nobody answers a broadcast, so %s cannot be read", l.Address)
	}
	if !t.Access.Writable() {
		return nil
	}
	most, unit := write.MaxRegisters, "registers"
	if l.Table.Bits() {
		most, unit = write.MaxBits, "coils"
	}
	_, scaled := l.Scaled()
	partial := l.Partial() && !l.Table.Bits()
	switch {
	case !l.Table.Writable():
		return fault("use access: read; coils and holding registers can be written", "%ss cannot be written", l.Table)
	case partial && o.WriteBits == write.BitsRefuse:
		return fault("use access: read, write the whole register as uint16, or change write_bits", "%s is a part of a register, and write_bits: refuse forbids to write one", l.Address)
	case partial && o.Broadcast && o.WriteBits != write.BitsMask:
		return fault("use write_bits: mask if all devices know function 22", "%s is a part of a register, whose neighbours cannot be read by a broadcast", l.Address)
	case scaled && o.Broadcast:
		return fault("leave scale_from out", "%s is scaled by a register that a broadcast cannot read", l.Address)
	case l.Length > most:
		return fault(fmt.Sprintf("Modbus writes %d at most", most), "%d %s cannot be written at once", l.Length, unit)
	}
	return nil
}

// sunspecLayout stands for the layout of a tag that is found by the device's
// own description, until it is.
func sunspecLayout(t *tag.Tag) (layout.Layout, tag.Faults) {
	var faults tag.Faults
	fault := func(path, hint, text string) { faults = append(faults, tag.Fault{Path: path, Text: text, Hint: hint}) }
	if _, err := sunspec.ParseRef(t.Address); err != nil {
		fault("address", sunspec.Hint, err.Error())
	}
	o := OfTag(t)
	for _, x := range []struct {
		path string
		used bool
	}{{"type", t.Type != ""}, {"length", o.Length != 0}, {"scale_from", o.ScaleFrom != ""}, {"invalid", len(o.Invalid) > 0}, {"read_together", len(o.ReadTogether) > 0}} {
		if x.used {
			fault(x.path, "leave it out", fmt.Sprintf("the device's own description says it for %s", t.Address))
		}
	}
	if t.Access != tag.AccessRead {
		fault("access", "use access: read, or name the register", "a tag that is found by the device's description is read only")
	}
	return layout.Layout{Address: layout.Address{Table: layout.HoldingRegisters}, Type: layout.Uint16, Length: 1}, faults
}
