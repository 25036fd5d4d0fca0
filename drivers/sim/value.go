package sim

import (
	"fmt"
	"math"
	"strconv"

	"fieldferry/tag"
)

// limits of the integer types, inclusive.
var limits = map[string][2]float64{
	"int16": {math.MinInt16, math.MaxInt16}, "int32": {math.MinInt32, math.MaxInt32}, "int64": {math.MinInt64, math.MaxInt64 - 1023},
	"uint16": {0, math.MaxUint16}, "uint32": {0, math.MaxUint32}, "uint64": {0, math.MaxUint64 - 2047},
}

// typed makes a number a value of a type, limited to what the type can hold.
func typed(typ string, f float64) tag.Value {
	switch typ {
	case "bool":
		return tag.Bool(f >= 0.5)
	case "float32":
		return tag.Float32(float32(f))
	case "string":
		return tag.String(strconv.FormatFloat(f, 'g', 6, 64))
	}
	l, integer := limits[typ]
	if !integer {
		return tag.Float64(f)
	}
	f = min(max(math.Round(f), l[0]), l[1])
	if typ[0] == 'u' {
		return tag.Uint(uint64(f))
	}
	return tag.Int(int64(f))
}

// convert makes a written value one of the tag's type, or says why it cannot.
func convert(typ string, v tag.Value) (tag.Value, error) {
	if typ == "string" {
		if s, ok := v.Text(); ok {
			return tag.String(s), nil
		}
		return tag.Value{}, fmt.Errorf("%v is not a text", v)
	}
	f, ok := v.Number()
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		return tag.Value{}, fmt.Errorf("%q is not a number", v.String())
	}
	if l, integer := limits[typ]; integer && (f < l[0] || f > l[1] || f != math.Trunc(f)) {
		return tag.Value{}, fmt.Errorf("%v does not fit the type %s", f, typ)
	}
	return typed(typ, f), nil
}
