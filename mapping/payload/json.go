package payload

import (
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"fieldferry/tag"
)

// maxExact is 2^53: integers up to it are exact in every JSON reader.
const maxExact = 1 << 53

// appendJSON appends one message of the format json.
func (e *Encoder) appendJSON(dst []byte, en *entry, it *Item) []byte {
	q := it.Sample.Quality
	v := it.Sample.Value
	start := len(dst)
	dst = append(dst, '{')
	if q.Level != tag.Good && q.Level != tag.Uncertain {
		dst = e.appendBad(dst, en, it)
	} else if with, reason := e.appendValue(dst, v); reason == "" {
		dst = with
		if q.Level == tag.Good {
			en.last[lane(it)] = lastGood{v, it.Seq}
		}
	} else {
		q = tag.BadFor(reason)
		dst = e.appendBad(dst, en, it)
	}
	dst = append(dst, en.unit...)
	dst = e.appendQuality(dst, q)
	dst = append(dst, `,"timestamp":`...)
	dst = e.time(dst, it.Sample.Time)
	dst = e.appendMarks(dst, it)
	if dst[start+1] == ',' { // no value: the comma of the first member is too much
		dst = append(dst[:start+1], dst[start+2:]...)
	}
	return append(dst, '}')
}

func lane(it *Item) int {
	if it.Historical {
		return 1
	}
	return 0
}

// appendBad appends the value of a bad sample as on_bad asks.
func (e *Encoder) appendBad(dst []byte, en *entry, it *Item) []byte {
	switch e.cfg.OnBad {
	case "omit":
		return dst
	case "last":
		last := en.last[lane(it)]
		if last.value.IsNull() || it.Seq != 0 && last.seq >= it.Seq {
			break
		}
		dst, _ = e.appendValue(dst, last.value) // it was sent before
		return dst
	}
	return append(dst, `"value":null`...)
}

func (e *Encoder) appendQuality(dst []byte, q tag.Quality) []byte {
	if e.cfg.QualityCode {
		dst = append(dst, `,"quality":`...)
		dst = strconv.AppendUint(dst, qualityCode(q.Level), 10)
	} else {
		dst = append(dst, `,"quality":"`...)
		dst = append(dst, qualityWord(q.Level)...)
		dst = append(dst, '"')
	}
	if q.Reason != "" {
		dst = append(dst, `,"reason":`...)
		dst = appendString(dst, q.Reason)
	}
	return dst
}

// qualityCode is the OPC DA code that SCADA systems and historians expect.
func qualityCode(l tag.Level) uint64 {
	switch l {
	case tag.Good:
		return 192
	case tag.Uncertain:
		return 64
	}
	return 0
}

// qualityWord counts a level that this version does not know, such as one in
// the buffer of a later one, as bad.
func qualityWord(l tag.Level) string {
	if l > tag.Bad {
		l = tag.Bad
	}
	return l.String()
}

func (e *Encoder) appendMarks(dst []byte, it *Item) []byte {
	if it.Historical {
		dst = append(dst, `,"historical":true`...)
	}
	if it.Unsynced {
		dst = append(dst, `,"clock":"unsynced"`...)
	}
	if e.cfg.Sequence {
		dst = append(dst, `,"seq":`...)
		dst = strconv.AppendUint(dst, it.Seq, 10)
	}
	return dst
}

// appendValue appends the members value and, where it is needed, exact. A
// reason means that JSON cannot hold the value; then what was appended is not
// to be used.
func (e *Encoder) appendValue(dst []byte, v tag.Value) (_ []byte, reason string) {
	dst = append(dst, `"value":`...)
	kind, bits, text := v.Parts()
	switch kind {
	case tag.KindBool:
		return e.appendBool(dst, bits != 0), ""
	case tag.KindInt:
		i := int64(bits)
		dst = strconv.AppendInt(dst, i, 10)
		if i > maxExact || i < -maxExact {
			dst = append(dst, `,"exact":"`...)
			dst = append(strconv.AppendInt(dst, i, 10), '"')
		}
		return dst, ""
	case tag.KindUint:
		dst = strconv.AppendUint(dst, bits, 10)
		if bits > maxExact {
			dst = append(dst, `,"exact":"`...)
			dst = append(strconv.AppendUint(dst, bits, 10), '"')
		}
		return dst, ""
	case tag.KindFloat32:
		return appendFloat(dst, float64(math.Float32frombits(uint32(bits))), 32)
	case tag.KindFloat64:
		return appendFloat(dst, math.Float64frombits(bits), 64)
	case tag.KindString:
		return appendString(dst, text), ""
	case tag.KindBytes:
		return append(v.Append(append(dst, '"')), '"'), "" // hexadecimal
	case tag.KindJSON:
		return appendRaw(dst, text)
	}
	return append(dst, "null"...), ""
}

func (e *Encoder) appendBool(dst []byte, b bool) []byte {
	switch {
	case !e.cfg.BoolAsNumber:
		return strconv.AppendBool(dst, b)
	case b:
		return append(dst, '1')
	}
	return append(dst, '0')
}

// appendRaw embeds JSON text after looking at it once more: one bad array
// must not make a message unreadable.
func appendRaw(dst []byte, text string) ([]byte, string) {
	from := len(dst)
	dst = append(dst, text...)
	if !utf8.Valid(dst[from:]) || !json.Valid(dst[from:]) {
		return dst, tag.ReasonBadValue
	}
	return dst, ""
}

// appendFloat writes the shortest form that reads back as the same number of
// the same precision, with an exponent only where it would be long.
func appendFloat(dst []byte, f float64, bitSize int) ([]byte, string) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, tag.ReasonNotFinite
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, bitSize), ""
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, control characters are escaped, all else stays as it is.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		dst = append(dst, s[from:i]...)
		dst = appendEscape(dst, c)
		i += size
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// appendEscape writes a byte that cannot stand in a JSON string by itself.
func appendEscape(dst []byte, c byte) []byte {
	switch {
	case c >= utf8.RuneSelf:
		return append(dst, "\uFFFD"...)
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c == '\n':
		return append(dst, '\\', 'n')
	case c == '\r':
		return append(dst, '\\', 'r')
	case c == '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
