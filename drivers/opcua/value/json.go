package value

import (
	"encoding/base64"
	"math"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/gopcua/opcua/ua"

	"fieldferry/tag"
)

// maxDepth is how deep arrays and structures may be nested.
const maxDepth = 16

// document turns an array, a matrix or a structure into JSON text.
func (c *converter) document(v any) tag.Value {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Slice && rv.IsNil() {
		c.note(tag.Good, reasonNull)
		return tag.Value{}
	}
	dst := c.json(nil, rv, 0)
	switch {
	case c.level == tag.Bad:
		return tag.Value{}
	case len(dst) > MaxSize:
		return c.fail(reasonSize)
	case string(dst) == "null":
		c.note(tag.Good, reasonNull)
		return tag.Value{}
	}
	return tag.JSON(string(dst))
}

// json appends v. It stops early once the text is too large or the value
// cannot be told; the caller looks at the length and the level.
func (c *converter) json(dst []byte, v reflect.Value, depth int) []byte {
	switch {
	case depth > maxDepth:
		c.note(tag.Bad, reasonDepth)
		return dst
	case len(dst) > MaxSize || c.level == tag.Bad:
		return dst
	case !v.IsValid():
		return append(dst, "null"...)
	}
	if v.CanInterface() {
		if out, done := c.jsonBuiltin(dst, v.Interface(), depth); done {
			return out
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return append(dst, "null"...)
		}
		return c.json(dst, v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		return c.jsonArray(dst, v, depth)
	case reflect.Struct:
		return c.jsonStruct(dst, v, depth)
	}
	return c.jsonScalar(dst, v)
}

// jsonBuiltin appends the built-in types that are more than their Go kind.
func (c *converter) jsonBuiltin(dst []byte, v any, depth int) ([]byte, bool) {
	if s, ok := c.scalarText(v); ok {
		return c.jsonText(dst, s), true
	}
	switch x := v.(type) {
	case time.Time:
		return c.jsonDate(dst, x), true
	case ua.ByteArray:
		return c.jsonBytes(dst, x), true
	case []byte:
		return c.jsonText(dst, base64.StdEncoding.EncodeToString(x)), true
	case *ua.Variant:
		if x == nil {
			return append(dst, "null"...), true
		}
		return c.json(dst, reflect.ValueOf(x.Value()), depth+1), true
	case *ua.DataValue:
		if x == nil || x.Value == nil || IsBad(x.Status) {
			return append(dst, "null"...), true
		}
		return c.json(dst, reflect.ValueOf(x.Value.Value()), depth+1), true
	case *ua.ExtensionObject:
		return c.jsonExtension(dst, x, depth), true
	}
	return dst, false
}

// jsonDate appends a date; one that cannot be told becomes null and the whole
// value is uncertain.
func (c *converter) jsonDate(dst []byte, t time.Time) []byte {
	switch {
	case t.IsZero():
		return append(dst, "null"...)
	case !believable(t):
		c.note(tag.Uncertain, reasonDate)
		return append(dst, "null"...)
	}
	return c.jsonText(dst, t.UTC().Format(time.RFC3339Nano))
}

func (c *converter) jsonArray(dst []byte, v reflect.Value, depth int) []byte {
	dst = append(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if len(dst) > MaxSize || c.level == tag.Bad {
			return dst
		}
		dst = c.json(dst, v.Index(i), depth+1)
	}
	return append(dst, ']')
}

func (c *converter) jsonBytes(dst, b []byte) []byte {
	dst = append(dst, '[')
	for i, x := range b {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(x), 10)
	}
	return append(dst, ']')
}

// jsonStruct appends a structure of the standard that the library decodes,
// such as Range or EUInformation.
func (c *converter) jsonStruct(dst []byte, v reflect.Value, depth int) []byte {
	dst = append(dst, '{')
	first := true
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(c.jsonText(dst, f.Name), ':')
		dst = c.json(dst, v.Field(i), depth+1)
	}
	return append(dst, '}')
}

// jsonScalar appends a number or a boolean. JSON has no NaN and no infinity:
// they become null and the whole value is uncertain.
func (c *converter) jsonScalar(dst []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int:
		return strconv.AppendInt(dst, v.Int(), 10)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return strconv.AppendUint(dst, v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		f := v.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			c.note(tag.Uncertain, tag.ReasonNotFinite)
			return append(dst, "null"...)
		}
		return strconv.AppendFloat(dst, f, 'g', -1, v.Type().Bits())
	case reflect.String:
		return c.jsonText(dst, v.String())
	}
	c.note(tag.Bad, tag.ReasonBadValue)
	return append(dst, "null"...)
}

// jsonText appends a JSON string.
func (c *converter) jsonText(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	if len(s) > MaxSize {
		c.note(tag.Bad, reasonSize)
		return dst
	}
	if !utf8.ValidString(s) {
		c.note(tag.Uncertain, reasonText)
	}
	dst = append(dst, '"')
	for _, r := range s { // an invalid byte ranges as U+FFFD
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
