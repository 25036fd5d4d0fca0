package modbus

import (
	"fmt"

	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/sunspec"
	"fieldferry/drivers/modbus/write"
	"fieldferry/tag"
)

// layoutOf tells where a tag lies, or everything that is wrong with it.
func layoutOf(t *tag.Tag) (layout.Layout, tag.Faults) {
	if sunspec.Is(t.Address) {
		return sunspecLayout(t)
	}
	o := tagOptions(t)
	l, faults := layout.Spec{
		Address: t.Address, Type: t.Type, Order: o.ByteOrder, Length: o.Length, Encoding: o.Encoding, Padding: o.Padding,
		Invalid: o.Invalid, ScaleFrom: o.ScaleFrom, ScaleAs: o.ScaleAs,
	}.Parse()
	if len(faults) > 0 {
		return l, faults
	}
	faults = append(faults, tooLong(t, &l)...)
	if f := notWritable(t, &l); f != nil {
		faults = append(faults, *f)
	}
	return l, faults
}

// tooLong tells where a tag takes more than one request reads.
func tooLong(t *tag.Tag, l *layout.Layout) tag.Faults {
	o := deviceOptions(t.Device)
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
	o := deviceOptions(t.Device)
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
