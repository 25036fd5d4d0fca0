package value

import (
	"fmt"
	"strings"

	"github.com/gopcua/opcua/ua"

	"fieldferry/tag"
)

// Bits of a status code (Part 4, 7.39): the upper half is the code, the lower
// half tells more about a value.
const (
	severityMask      = 0xC0000000
	severityUncertain = 0x40000000
	codeMask          = 0xFFFF0000
	infoOverflow      = 0x00000480 // info type DataValue, overflow
	infoOverflowMask  = 0x00000C80
)

// names spells every known status code as the standard does.
var names = spell()

func spell() map[ua.StatusCode]string {
	words := strings.NewReplacer("ID", "Id", "URI", "Uri", "URL", "Url", "TCP", "Tcp")
	m := make(map[ua.StatusCode]string, len(ua.StatusCodes))
	for code, d := range ua.StatusCodes {
		m[code] = words.Replace(strings.TrimPrefix(d.Name, "Status"))
	}
	m[ua.StatusGood], m[ua.StatusUncertain], m[ua.StatusBad] = "Good", "Uncertain", "Bad"
	return m
}

// StatusName is the standard's name of a status code, without the bits that
// describe the value: BadNodeIdUnknown. An unknown code is written as a
// number.
func StatusName(s ua.StatusCode) string {
	if n, known := names[s&codeMask]; known {
		return n
	}
	return fmt.Sprintf("status 0x%08X", uint32(s&codeMask))
}

// IsBad says that a status forbids the use of the value.
func IsBad(s ua.StatusCode) bool { return s&severityMask > severityUncertain }

// Overflowed says that the server's queue lost values before this one.
func Overflowed(s ua.StatusCode) bool { return s&infoOverflowMask == infoOverflow }

// quality is the quality that a status gives. A good status with a meaning of
// its own (GoodLocalOverride) keeps it as the reason.
func quality(s ua.StatusCode) tag.Quality {
	q := tag.Quality{}
	switch s & severityMask {
	case 0:
	case severityUncertain:
		q.Level = tag.Uncertain
	default:
		q.Level = tag.Bad
	}
	switch {
	case s&codeMask != 0:
		q.Reason = StatusName(s)
	case Overflowed(s):
		q.Reason = reasonOverflow
	}
	return q
}
