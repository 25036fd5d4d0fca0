package layout

import (
	"fmt"

	"fieldferry/tag"
)

// Spec is what a tag map says about where a tag lies. Empty fields mean the
// defaults.
type Spec struct {
	Address   string
	Type      string   // bool where the address names a bit; number[n] is an array
	Order     string   // byte order; default ABCD
	Length    int      // registers of a string or a raw tag
	Encoding  string   // of a string: utf-8 (default) or latin-1
	Padding   string   // behind a string that is written: null (default) or space
	Invalid   []uint64 // raw numbers that mean that there is no value
	ScaleFrom string   // the register that the value is scaled by
	ScaleAs   string   // what that register holds: exponent (default), factor or divisor
}

// reporter gathers faults.
type reporter struct{ faults tag.Faults }

func (r *reporter) fault(path, hint, format string, args ...any) {
	r.faults = append(r.faults, tag.Fault{Path: path, Text: fmt.Sprintf(format, args...), Hint: hint})
}

// Parse makes a layout and tells everything that is wrong with the spec; the
// layout is of use only when nothing is. The paths of the faults are the keys
// of a tag: address, type, byte_order, length, ...
func (s Spec) Parse() (Layout, tag.Faults) {
	var r reporter
	a, err := ParseAddress(s.Address)
	addressed := err == nil
	if !addressed {
		r.fault("address", notation, "%v", err)
	}
	l := Layout{Address: a}
	typed := s.parseType(&l, &r, addressed)
	if l.Order, err = ParseOrder(s.Order); err != nil {
		r.fault("byte_order", OrderHint(), "%v", err)
	}
	s.parseText(&l, &r, typed)
	if !typed {
		return l, r.faults
	}
	if l.Length, err = s.length(&l); err != nil {
		r.fault("length", fmt.Sprintf("length is the number of registers of a string or raw tag, 1-%d", MaxRegisters), "%v", err)
		l.Length = 1
	}
	if l.Order&shortName != 0 && types[l.Type].registers > 1 {
		r.fault("byte_order", "use ABCD, BADC, CDAB or DCBA", "byte order %q is for one register, type %s has %d", s.Order, l.Type, types[l.Type].registers)
	}
	if addressed {
		l.fit(&r)
		s.parseScale(&l, &r)
		s.parseInvalid(&l, &r)
	}
	return l, r.faults
}

func (s Spec) parseType(l *Layout, r *reporter, addressed bool) bool {
	if s.Type == "" && addressed && (l.Table.Bits() || l.Part == PartBit) {
		return true // bool
	}
	if s.Type == "" {
		if addressed {
			r.fault("type", "use "+typeList(), "a tag in a %s needs a type", l.Table)
		}
		return false
	}
	var err error
	if l.Type, l.Count, err = parseType(s.Type); err != nil {
		r.fault("type", "use "+typeList(), "%v", err)
		return false
	}
	return true
}

func (s Spec) parseText(l *Layout, r *reporter, typed bool) {
	for _, x := range []struct {
		path, value, dflt, other string
		set                      *bool
	}{
		{"encoding", s.Encoding, "utf-8", "latin-1", &l.latin1},
		{"padding", s.Padding, "null", "space", &l.spaces},
	} {
		switch {
		case x.value == "" || x.value == x.dflt:
		case x.value != x.other:
			r.fault(x.path, fmt.Sprintf("use %s or %s", x.dflt, x.other), "unknown %s %q", x.path, x.value)
		case typed && l.Type != String:
			r.fault(x.path, "leave it out", "%s belongs to a string, not to type %s", x.path, l.Type)
		default:
			*x.set = true
		}
	}
}

// length is how many registers, or bits of a table of bits, the tag takes.
func (s Spec) length(l *Layout) (int, error) {
	n := types[l.Type].registers
	switch {
	case n == 0 && s.Length == 0:
		return 0, fmt.Errorf("type %s needs a length", l.Type)
	case n == 0 && (s.Length < 1 || s.Length > MaxRegisters):
		return 0, fmt.Errorf("length %d is outside 1-%d", s.Length, MaxRegisters)
	case n == 0:
		return s.Length, nil
	}
	n *= max(l.Count, 1)
	if s.Length != 0 && s.Length != n {
		return 0, fmt.Errorf("type %s is %d registers long, not %d", s.Type, n, s.Length)
	}
	return n, nil
}

// fit tells where type and address do not go together.
func (l *Layout) fit(r *reporter) {
	one := l.Address
	switch {
	case l.Table.Bits() && l.Type != Bool:
		r.fault("type", "use bool, or a register (hr:, ir:)", "a %s is a single bit, not %s", l.Table, l.Type)
	case l.Part == PartBit && l.Type != Bool:
		r.fault("type", "use bool, or leave the bit out of the address", "address %q names one bit, not %s", l.Address, l.Type)
	case l.Part != Whole && l.Count > 0:
		r.fault("type", "name a whole register", "address %q names a part of a register, not the start of an array", l.Address)
	case !l.Table.Bits() && l.Part != PartBit && l.Type == Bool:
		one.Part = PartBit
		r.fault("type", fmt.Sprintf("name the bit, as in %s", one), "address %q is a whole register, not a bool", l.Address)
	case (l.Part == PartHigh || l.Part == PartLow) && l.Type != Int8 && l.Type != Uint8:
		r.fault("type", "use int8 or uint8", "address %q names half a register, not %s", l.Address, l.Type)
	}
	most, what := MaxRegisters, "registers"
	if l.Table.Bits() {
		most, what = MaxBits, "bits"
	}
	if l.Count > 0 && l.Length > most {
		r.fault("type", fmt.Sprintf("one request reads %d %s at most: use several tags", most, what), "%d %s are more than one request can read", l.Length, what)
	}
	if l.Number+l.Length > 65536 {
		r.fault("address", "the last register or bit of a device is 65535", "%s of length %d ends beyond 65535", l.Address, l.Length)
	}
}

func (s Spec) parseInvalid(l *Layout, r *reporter) {
	bits := types[l.Type].bits
	if !l.Table.Bits() && bits < 16 {
		bits = 16 // of a part the whole register counts
	}
	if len(s.Invalid) > 0 && (l.Table.Bits() || l.Type == String || l.Type == Raw) {
		r.fault("invalid", "leave it out", "invalid is for numbers in registers, not for a %s at %s", l.Type, l.Address)
		return
	}
	for i, v := range s.Invalid {
		if bits < 64 && v>>bits != 0 {
			r.fault(fmt.Sprintf("invalid[%d]", i), fmt.Sprintf("write what the registers hold, such as 0x%X", uint64(1)<<(bits-1)), "%d does not fit into the %d bits of the tag", v, bits)
		}
	}
	l.invalid = s.Invalid
}
