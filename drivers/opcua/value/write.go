package value

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/gopcua/opcua/ua"

	"fieldferry/tag"
)

// intRange is what an integer type holds.
type intRange struct {
	name string
	min  int64
	max  uint64
	make func(i int64, u uint64) any // from the signed or the unsigned form
}

var intRanges = map[ua.TypeID]intRange{
	ua.TypeIDSByte:  {"SByte", math.MinInt8, math.MaxInt8, func(i int64, _ uint64) any { return int8(i) }},
	ua.TypeIDByte:   {"Byte", 0, math.MaxUint8, func(_ int64, u uint64) any { return uint8(u) }},
	ua.TypeIDInt16:  {"Int16", math.MinInt16, math.MaxInt16, func(i int64, _ uint64) any { return int16(i) }},
	ua.TypeIDUint16: {"UInt16", 0, math.MaxUint16, func(_ int64, u uint64) any { return uint16(u) }},
	ua.TypeIDInt32:  {"Int32", math.MinInt32, math.MaxInt32, func(i int64, _ uint64) any { return int32(i) }},
	ua.TypeIDUint32: {"UInt32", 0, math.MaxUint32, func(_ int64, u uint64) any { return uint32(u) }},
	ua.TypeIDInt64:  {"Int64", math.MinInt64, math.MaxInt64, func(i int64, _ uint64) any { return i }},
	ua.TypeIDUint64: {"UInt64", 0, math.MaxUint64, func(_ int64, u uint64) any { return u }},
}

// Builtin is the built-in type in which values of a data type of the standard
// are sent (Part 6, 5.1.2), and whether it is known without asking the server.
func Builtin(dataType *ua.NodeID) (ua.TypeID, bool) {
	if dataType == nil || dataType.Namespace() != 0 || dataType.StringID() != "" {
		return 0, false
	}
	switch i := dataType.IntID(); i {
	case 29: // Enumeration
		return ua.TypeIDInt32, true
	case 290: // Duration
		return ua.TypeIDDouble, true
	case 294: // UtcTime
		return ua.TypeIDDateTime, true
	case 295: // LocaleId
		return ua.TypeIDString, true
	default:
		return ua.TypeID(i), i >= 1 && i <= 21
	}
}

// Write makes what a node of a built-in type takes of a value. It refuses
// what does not fit: a number out of range or with a fraction, a text for a
// number.
func Write(v tag.Value, t ua.TypeID) (*ua.Variant, error) {
	x, err := native(v, t)
	if err != nil {
		return nil, err
	}
	return ua.NewVariant(x)
}

func native(v tag.Value, t ua.TypeID) (any, error) {
	if v.IsNull() {
		return nil, errors.New("there is no value to write")
	}
	if r, isInt := intRanges[t]; isInt {
		return r.convert(v)
	}
	switch t {
	case ua.TypeIDBoolean:
		return boolean(v)
	case ua.TypeIDFloat, ua.TypeIDDouble:
		return float(v, t)
	case ua.TypeIDByteString:
		if b, ok := v.Text(); ok && v.Kind() == tag.KindBytes {
			return []byte(b), nil
		}
		return nil, fmt.Errorf("%q is not a byte string", v)
	}
	return textual(v, t)
}

// convert makes an integer of r. A value is taken only if it is exactly an
// integer within the range.
func (r intRange) convert(v tag.Value) (any, error) {
	kind, bits, _ := v.Parts()
	if kind == tag.KindUint {
		if bits > r.max {
			return nil, fmt.Errorf("%s is out of the range of %s", v, r.name)
		}
		return r.make(int64(bits), bits), nil
	}
	i, ok := v.Integer()
	if !ok {
		return nil, fmt.Errorf("%q is not an integer that a node of type %s takes", v, r.name)
	}
	if i < r.min || i > 0 && uint64(i) > r.max {
		return nil, fmt.Errorf("%s is out of the range of %s", v, r.name)
	}
	return r.make(i, uint64(i)), nil
}

func boolean(v tag.Value) (any, error) {
	if i, ok := v.Integer(); ok && (i == 0 || i == 1) {
		return i == 1, nil
	}
	return nil, fmt.Errorf("%q is not a boolean: use true, false, 1 or 0", v)
}

func float(v tag.Value, t ua.TypeID) (any, error) {
	f, ok := v.Number()
	switch {
	case !ok:
		return nil, fmt.Errorf("%q is not a number", v)
	case math.IsNaN(f) || math.IsInf(f, 0):
		return nil, fmt.Errorf("%s cannot be written", v)
	case !exact(v, f):
		return nil, fmt.Errorf("%s cannot be told exactly by a floating-point node", v)
	case t == ua.TypeIDDouble:
		return f, nil
	case math.IsInf(float64(float32(f)), 0):
		return nil, fmt.Errorf("%s is out of the range of Float", v)
	case v.Kind() < tag.KindFloat32 && float64(float32(f)) != f:
		return nil, fmt.Errorf("%s cannot be told exactly by a Float node", v)
	}
	return float32(f), nil
}

// exact says that f is the integer in v; a float is itself.
func exact(v tag.Value, f float64) bool {
	switch kind, bits, _ := v.Parts(); kind {
	case tag.KindInt:
		return f < 1<<63 && int64(f) == int64(bits)
	case tag.KindUint:
		return f < 1<<64 && uint64(f) == bits
	}
	return true
}

var guidForm = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// textual makes the types that are written as text.
func textual(v tag.Value, t ua.TypeID) (any, error) {
	s, ok := v.Text()
	if !ok || v.Kind() != tag.KindString {
		return nil, fmt.Errorf("%q is not a text, and the node takes one", v)
	}
	switch t {
	case ua.TypeIDString:
		return s, nil
	case ua.TypeIDXMLElement:
		return ua.XMLElement(s), nil
	case ua.TypeIDLocalizedText:
		return ua.NewLocalizedText(s), nil
	case ua.TypeIDGUID:
		if !guidForm.MatchString(s) {
			return nil, fmt.Errorf("%q is not a GUID", s)
		}
		return ua.NewGUID(s), nil
	case ua.TypeIDDateTime:
		d, err := time.Parse(time.RFC3339Nano, s)
		if err != nil || !believable(d) {
			return nil, fmt.Errorf("%q is not a time such as 2026-11-20T08:27:00Z between 1970 and 2184", s)
		}
		return d.UTC(), nil
	}
	return nil, fmt.Errorf("nodes of built-in type %d cannot be written", t)
}
