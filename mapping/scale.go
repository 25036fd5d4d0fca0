package mapping

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"fieldferry/tag"
)

// maxExact is 2^53: float64 holds every integer up to it.
const maxExact = 1 << 53

// scaling is raw × scale + offset, and back.
//
// A scale of 0.1 is not a float64: the nearest one is a little more, and 3
// times that prints as 0.30000000000000004. But whoever writes 0.1 means the
// decimal number. So scale and offset are kept as whole numbers over one
// power of ten, (raw × mul + add) / div: for whole raw values the numerator
// is exact, and the one division rounds to the float64 nearest to the true
// result, which prints with the digits that anybody expects. Only what does
// not fit (a factor of 17 digits, a raw value beyond 2^53) is computed with
// scale and offset themselves.
type scaling struct {
	identity      bool
	scale, offset float64

	decimal       bool // the three below are valid
	mul, add, div float64
	limit         float64 // raw values up to it keep the numerator below 2^53
}

func newScaling(c Config) scaling {
	s := scaling{scale: 1}
	if c.Scale != nil {
		s.scale = *c.Scale
	}
	if c.Offset != nil {
		s.offset = *c.Offset
	}
	s.identity = s.scale == 1 && s.offset == 0
	m, me, ok1 := decimal(s.scale)
	o, oe, ok2 := decimal(s.offset)
	places := max(me, oe)
	if !ok1 || !ok2 || places > 22 { // 10^22 is the last exact power of ten
		return s
	}
	s.mul = m * math.Pow10(places-me)
	s.add = o * math.Pow10(places-oe)
	s.div = math.Pow10(places)
	s.limit = math.Floor((maxExact - math.Abs(s.add)) / math.Abs(s.mul))
	s.decimal = math.Abs(s.mul) <= maxExact && math.Abs(s.add) <= maxExact
	return s
}

// decimal returns f as m / 10^places with a whole m, if m is below 2^53. It
// goes by the digits that f prints with, which are those that were written.
func decimal(f float64) (m float64, places int, ok bool) {
	mantissa, exp, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	n, err := strconv.ParseInt(whole+fraction, 10, 64)
	e, err2 := strconv.Atoi(exp)
	if err != nil || err2 != nil {
		return 0, 0, false // NaN and infinities, which Validate refuses
	}
	m, places = float64(n), len(fraction)-e
	if places < 0 {
		if places < -15 {
			return 0, 0, false
		}
		m, places = m*math.Pow10(-places), 0
	}
	return m, places, math.Abs(m) <= maxExact
}

// apply returns raw × scale + offset.
func (s *scaling) apply(raw float64) float64 {
	if s.decimal && (math.Abs(raw) <= s.limit || raw != math.Trunc(raw)) {
		return math.FMA(raw, s.mul, s.add) / s.div
	}
	return math.FMA(raw, s.scale, s.offset)
}

// invert returns (eng - offset) / scale.
func (s *scaling) invert(eng float64) float64 {
	if s.decimal {
		if num := math.FMA(eng, s.div, -s.add); math.Abs(num) <= maxExact {
			return num / s.mul
		}
	}
	return (eng - s.offset) / s.scale
}

// number says that v is a number to compute with; booleans are not.
func number(v tag.Value) bool { return v.Kind() >= tag.KindInt && v.Kind() <= tag.KindFloat64 }

// engineering converts a value that was read. Single precision stays single
// precision, so that its noise digits stay hidden; integers become float64.
// What is not a number passes as it is.
func (s *scaling) engineering(v tag.Value) tag.Value {
	if s.identity || !number(v) {
		return v
	}
	raw, _ := v.Number()
	eng := s.apply(raw)
	if v.Kind() == tag.KindFloat32 {
		return tag.Float32(float32(eng))
	}
	return tag.Float64(eng)
}

// raw converts a value that is to be written to a tag of type typ.
func (s *scaling) raw(v tag.Value, typ string) (tag.Value, error) {
	switch kind := kindOf(typ); kind {
	case wireInt:
		return s.rawInt(v, typ)
	case wireFloat32, wireFloat64:
		if !number(v) {
			return tag.Value{}, fmt.Errorf("%s is not a number, and the tag is %s", show(v), typ)
		}
		f, _ := v.Number()
		return s.rawFloat(v, f, kind, typ)
	case wireBool:
		if i, ok := v.Integer(); ok && (i == 0 || i == 1) {
			return tag.Bool(i == 1), nil
		}
		return tag.Value{}, fmt.Errorf("%s is neither true nor false, and the tag is %s", show(v), typ)
	case wireUnknown:
		if !s.identity && number(v) {
			f, _ := v.Number()
			return s.rawFloat(v, f, wireFloat64, "number")
		}
	}
	return v, nil
}

func (s *scaling) rawFloat(v tag.Value, f float64, kind wireKind, typ string) (tag.Value, error) {
	if !s.identity {
		f = s.invert(f)
	}
	if kind == wireFloat32 {
		f = float64(float32(f))
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return tag.Value{}, fmt.Errorf("%s is beyond what %s can hold", show(v), typ)
	}
	if kind == wireFloat32 {
		return tag.Float32(float32(f)), nil
	}
	return tag.Float64(f), nil
}

// rawInt rounds to the nearest step of a scaled tag, half away from zero. An
// unscaled one takes whole numbers alone: there a fraction is a mistake.
func (s *scaling) rawInt(v tag.Value, typ string) (tag.Value, error) {
	if s.identity && (v.Kind() == tag.KindInt || v.Kind() == tag.KindUint) {
		return v, nil
	}
	if !number(v) {
		return tag.Value{}, fmt.Errorf("%s is not a number, and the tag is %s", show(v), typ)
	}
	f, _ := v.Number()
	if !s.identity {
		f = math.Round(s.invert(f))
	}
	switch {
	case f != math.Trunc(f) && !math.IsNaN(f):
		return tag.Value{}, fmt.Errorf("%s is not a whole number, and the tag is %s", show(v), typ)
	case f >= -1<<63 && f < 1<<63:
		return tag.Int(int64(f)), nil
	case f >= 1<<63 && f < 1<<64:
		return tag.Uint(uint64(f)), nil
	}
	return tag.Value{}, fmt.Errorf("%s is beyond what %s can hold", show(v), typ)
}

// show quotes a value for an error; long ones are cut.
func show(v tag.Value) string {
	s := v.String()
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	if _, isText := v.Text(); isText {
		return strconv.Quote(s)
	}
	return s
}
