package payload

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// timeFormat appends a time as a JSON value: null where it is not known or
// cannot be written in that form.
type timeFormat func(dst []byte, t time.Time) []byte

var timeFormats = map[string]timeFormat{
	"rfc3339-ms": rfc3339(3),
	"rfc3339-us": rfc3339(6),
	"rfc3339-ns": rfc3339(9),
	"s":          number(time.Time.Unix),
	"ms":         number(time.Time.UnixMilli),
	"us":         number(time.Time.UnixMicro),
	"ns":         number(time.Time.UnixNano),
}

func timeFormatNames() []string { return slices.Sorted(maps.Keys(timeFormats)) }

// number writes an integer since 1970. UnixNano is only defined for the years
// 1678 to 2262; a device's clock may tell anything, so all forms keep to them.
func number(since func(time.Time) int64) timeFormat {
	return func(dst []byte, t time.Time) []byte {
		if y := t.Year(); y < 1679 || y > 2261 {
			return append(dst, "null"...)
		}
		return strconv.AppendInt(dst, since(t), 10)
	}
}

// rfc3339 writes UTC with a fixed number of digits below the second; the
// standard has years of four digits only.
func rfc3339(digits int) timeFormat {
	return func(dst []byte, t time.Time) []byte {
		t = t.UTC()
		year, month, day := t.Date()
		if t.IsZero() || year < 0 || year > 9999 {
			return append(dst, "null"...)
		}
		hour, minute, second := t.Clock()
		dst = appendDigits(append(dst, '"'), year, 4)
		dst = appendDigits(append(dst, '-'), int(month), 2)
		dst = appendDigits(append(dst, '-'), day, 2)
		dst = appendDigits(append(dst, 'T'), hour, 2)
		dst = appendDigits(append(dst, ':'), minute, 2)
		dst = appendDigits(append(dst, ':'), second, 2)
		dst = appendDigits(append(dst, '.'), t.Nanosecond(), 9)
		return append(dst[:len(dst)-9+digits], 'Z', '"')
	}
}

// appendDigits appends n with leading zeros to a width of at most nine.
func appendDigits(dst []byte, n, width int) []byte {
	var b [9]byte
	for i := width - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, b[:width]...)
}
