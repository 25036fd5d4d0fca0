package layout

import (
	"errors"
	"fmt"
	"math"

	"fieldferry/tag"
)

// scale is a register that says by what a value is multiplied.
type scale struct {
	number int // of the register, in the table of the tag
	as     scaleKind
}

type scaleKind uint8

const (
	exponent scaleKind = iota // int16 n: the value times 10^n, as SunSpec has it
	factor                    // uint16 n: the value times n
	divisor                   // uint16 n: the value divided by n
)

var scaleKinds = map[string]scaleKind{"": exponent, "exponent": exponent, "factor": factor, "divisor": divisor}

// maxExponent is the range of a SunSpec scale factor (SunSpec Device
// Information Model Specification, type sunssf), both ways.
const maxExponent = 10

// errScale means that the device has put no usable scale into the register
// that scales the tag; 0x8000 is SunSpec's word for no value.
var errScale = errors.New("the register that scales it holds no scale")

func (s Spec) parseScale(l *Layout, r *reporter) {
	as, known := scaleKinds[s.ScaleAs]
	if !known {
		r.fault("scale_as", "use exponent, factor or divisor", "unknown kind of scale %q", s.ScaleAs)
	}
	if s.ScaleFrom == "" {
		if s.ScaleAs != "" {
			r.fault("scale_as", "add scale_from, or leave it out", "scale_as needs a scale_from")
		}
		return
	}
	a, err := ParseAddress(s.ScaleFrom)
	switch {
	case err != nil:
		r.fault("scale_from", notation, "%v", err)
		return
	case a.Table.Bits() || a.Part != Whole:
		r.fault("scale_from", "name a whole register", "%s is no register", a)
	case l.Table.Bits() || l.Type == Bool || l.Type == String || l.Type == Raw || l.Count > 0:
		r.fault("scale_from", "leave it out", "a tag of type %s at %s cannot be scaled: it is no single number", s.Type, l.Address)
	case a.Table != l.Table:
		r.fault("scale_from", "both must lie in one table", "%s and %s cannot be read in one request", a, l.Address)
	}
	l.scale = &scale{number: a.Number, as: as}
	if _, n := l.Span(); n > MaxRegisters && a.Table == l.Table {
		r.fault("scale_from", fmt.Sprintf("one request reads %d registers at most", MaxRegisters), "%s and %s cannot be read in one request: they span %d registers", a, l.Address, n)
	}
}

// multiplier gives the scale that raw means: a value is times mul divided by
// div, one of which is 1, so that decimal fractions come out as they are
// written.
func (s *scale) multiplier(raw uint16) (mul, div float64, err error) {
	switch n := int16(raw); {
	case s.as == factor && raw != 0:
		return float64(raw), 1, nil
	case s.as == divisor && raw != 0:
		return 1, float64(raw), nil
	case s.as != exponent || n < -maxExponent || n > maxExponent:
		return 0, 0, errScale
	case n < 0:
		return 1, math.Pow10(-int(n)), nil
	default:
		return math.Pow10(int(n)), 1, nil
	}
}

// scaled multiplies a number that was read by what its scale register holds.
// The result is a float64 whatever the type, so that it stays one when the
// device changes its scale.
func (l *Layout) scaled(v tag.Value, raw uint16) (tag.Value, error) {
	mul, div, err := l.scale.multiplier(raw)
	if err != nil {
		return tag.Value{}, err
	}
	f, _ := v.Number()
	return tag.Float64(f * mul / div), nil
}

// Unscale turns a value into the number to be written, given what the scale
// register holds. A value between two of the device's steps is an error.
func (l *Layout) Unscale(v tag.Value, raw uint16) (tag.Value, error) {
	if l.scale == nil {
		return v, nil
	}
	mul, div, err := l.scale.multiplier(raw)
	if err != nil {
		return tag.Value{}, err
	}
	f, ok := v.Number()
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		return tag.Value{}, fmt.Errorf("%q is not a finite number", v)
	}
	n := f * div / mul
	if l.Type == Float32 || l.Type == Float64 {
		return tag.Float64(n), nil
	}
	whole := math.Round(n)
	if math.Abs(n-whole) > 1e-9*max(1, math.Abs(n)) {
		return tag.Value{}, fmt.Errorf("%v is between two steps of %v, the least that the device can tell apart", v, mul/div)
	}
	return tag.Float64(whole), nil
}
