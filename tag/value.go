package tag

import (
	"math"
	"strconv"
	"strings"
)

// Kind is what a Value holds.
type Kind uint8

// The kinds. Their numbers are written to disk by the buffer: they never
// change, new ones are added at the end.
const (
	KindNull    Kind = iota // no value: bad quality, or nothing read yet
	KindBool                //
	KindInt                 // signed, up to 64 bits
	KindUint                // unsigned, up to 64 bits
	KindFloat32             // kept apart so that 0.1 is printed as 0.1
	KindFloat64             //
	KindString              // UTF-8
	KindBytes               // raw bytes
	KindJSON                // valid JSON text: arrays and structures
)

// Value is one datum of any kind, small and comparable: a kind, 64 bits and a
// string. The zero Value is null.
type Value struct {
	kind Kind
	bits uint64
	str  string
}

// Bool returns a boolean value.
func Bool(b bool) Value {
	if b {
		return Value{kind: KindBool, bits: 1}
	}
	return Value{kind: KindBool}
}

// Int returns a signed integer value.
func Int(i int64) Value { return Value{kind: KindInt, bits: uint64(i)} }

// Uint returns an unsigned integer value.
func Uint(u uint64) Value { return Value{kind: KindUint, bits: u} }

// Float32 returns a single-precision value. NaN and infinities are kept; the
// mapping turns them into bad quality.
func Float32(f float32) Value { return Value{kind: KindFloat32, bits: uint64(math.Float32bits(f))} }

// Float64 returns a double-precision value.
func Float64(f float64) Value { return Value{kind: KindFloat64, bits: math.Float64bits(f)} }

// String returns a text value. Invalid UTF-8 is replaced, so that every
// payload made of it is valid.
func String(s string) Value {
	return Value{kind: KindString, str: strings.ToValidUTF8(s, "\uFFFD")}
}

// Bytes returns a raw value; b is copied.
func Bytes(b []byte) Value { return Value{kind: KindBytes, str: string(b)} }

// JSON returns an array or a structure as JSON text. The caller vouches that
// text is valid JSON.
func JSON(text string) Value { return Value{kind: KindJSON, str: text} }

// FromParts builds a value from what Parts returned, for the buffer and for
// the pipe to a child process. Unknown kinds become null.
func FromParts(k Kind, bits uint64, str string) Value {
	switch {
	case k > KindJSON:
		return Value{}
	case k == KindBool:
		return Bool(bits != 0) // one form of true, so that values compare
	}
	return Value{kind: k, bits: bits, str: str}
}

// Parts takes a value apart: its kind, its 64 bits (for numbers and booleans)
// and its text (for strings, bytes and JSON).
func (v Value) Parts() (Kind, uint64, string) { return v.kind, v.bits, v.str }

// Kind tells what v holds.
func (v Value) Kind() Kind { return v.kind }

// IsNull says that there is no value.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Numeric says that Number succeeds.
func (v Value) Numeric() bool { return v.kind >= KindBool && v.kind <= KindFloat64 }

// Number returns a number or a boolean (0 or 1) as float64, and whether v is
// one. Integers beyond 2^53 are rounded.
func (v Value) Number() (float64, bool) {
	switch v.kind {
	case KindBool, KindUint:
		return float64(v.bits), true
	case KindInt:
		return float64(int64(v.bits)), true
	case KindFloat32:
		return float64(math.Float32frombits(uint32(v.bits))), true
	case KindFloat64:
		return math.Float64frombits(v.bits), true
	}
	return 0, false
}

// Integer returns v as a signed integer and whether it is one exactly.
// Floats without a fraction count.
func (v Value) Integer() (int64, bool) {
	switch v.kind {
	case KindBool, KindInt:
		return int64(v.bits), true
	case KindUint:
		return int64(v.bits), v.bits <= math.MaxInt64
	case KindFloat32, KindFloat64:
		f, _ := v.Number()
		if f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 {
			return int64(f), true
		}
	}
	return 0, false
}

// Truth returns a boolean, or a number as "not zero", and whether v is either.
func (v Value) Truth() (bool, bool) {
	f, ok := v.Number()
	return f != 0, ok
}

// Text returns the text of a string, bytes or JSON value, and whether v is one.
func (v Value) Text() (string, bool) {
	return v.str, v.kind == KindString || v.kind == KindBytes || v.kind == KindJSON
}

// Equal compares kind and content. Two NaNs of the same bits are equal, so
// that a deadband sees no change between them.
func (v Value) Equal(w Value) bool { return v == w }

// Append appends v as a person reads it: numbers in their shortest exact
// form, text as it is, bytes in hexadecimal, null as "null".
func (v Value) Append(dst []byte) []byte {
	switch v.kind {
	case KindBool:
		return strconv.AppendBool(dst, v.bits != 0)
	case KindInt:
		return strconv.AppendInt(dst, int64(v.bits), 10)
	case KindUint:
		return strconv.AppendUint(dst, v.bits, 10)
	case KindFloat32:
		return strconv.AppendFloat(dst, float64(math.Float32frombits(uint32(v.bits))), 'g', -1, 32)
	case KindFloat64:
		return strconv.AppendFloat(dst, math.Float64frombits(v.bits), 'g', -1, 64)
	case KindString, KindJSON:
		return append(dst, v.str...)
	case KindBytes:
		return appendHex(dst, v.str)
	}
	return append(dst, "null"...)
}

func (v Value) String() string { return string(v.Append(nil)) }

func appendHex(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	for i := 0; i < len(s); i++ {
		dst = append(dst, digits[s[i]>>4], digits[s[i]&15])
	}
	return dst
}
