package value

import (
	"time"
	"unicode/utf8"

	"github.com/gopcua/opcua/ua"

	"fieldferry/tag"
)

// Reasons of this package, beside the names of status codes.
const (
	reasonOverflow   = "queue overflow"          // good, but the server dropped values before it
	reasonNull       = "null"                    // the server says good and sends no value
	reasonDate       = "date out of range"       // the library cannot decode it
	reasonText       = "invalid text replaced"   // not UTF-8
	reasonSize       = "value too large"         // more than MaxSize
	reasonDepth      = "value nested too deep"   // more than maxDepth
	reasonStructure  = "structure not decoded"   // the body is passed on as base64
	reasonUnlearned  = "structure not known yet" // Learn, then read again
	reasonSourceTime = "source timestamp invalid"
	reasonType       = "type changed" // not the type that the tag map declares
)

// MaxSize is the largest text, byte string or JSON text taken for a value, in
// bytes.
const MaxSize = 256 << 10

// Reading is what one value of a server means.
type Reading struct {
	Value     tag.Value
	Quality   tag.Quality
	Time      time.Time  // the source's, else the server's, else when it was received; UTC
	BySource  bool       // Time is the server's or its source's
	Overflow  bool       // the server's queue lost values before this one
	Unlearned *ua.NodeID // set when the value is a structure of an encoding that Learn does not know yet
}

// Reader tells Read what to expect.
type Reader struct {
	Type       Type     // what the tag map declares; the zero Type takes any
	Namespaces []string // of the session, to name the types of structures
	Learned    []string // ids of encodings that were learned before the value was asked for: one without a body is empty
}

// Read reads one value that was received at a time. dv may be nil: a server
// that sent nothing.
func (r Reader) Read(dv *ua.DataValue, received time.Time) Reading {
	if dv == nil {
		return Reading{Quality: tag.BadFor("no answer"), Time: received.UTC()}
	}
	out := Reading{Quality: quality(dv.Status), Overflow: Overflowed(dv.Status)}
	t, odd := pickTime(dv)
	if out.Time, out.BySource = t, !t.IsZero(); !out.BySource {
		out.Time = received.UTC()
	}
	if odd && out.Quality.Reason == "" {
		out.Quality.Reason = reasonSourceTime
	}
	if out.Quality.Level == tag.Bad {
		return out
	}
	v := dv.Value
	if v == nil || v.Value() == nil {
		out.worsen(tag.Good, reasonNull)
		return out
	}
	if !r.Type.accepts(v) {
		out.worsen(tag.Bad, reasonType)
		return out
	}
	c := converter{namespaces: r.Namespaces, learned: r.Learned}
	out.Value = c.convert(v)
	out.Unlearned = c.unlearned
	out.worsen(c.level, c.reason)
	return out
}

// worsen lowers the quality; what is worse gives the reason, and a value of
// bad quality is not kept.
func (r *Reading) worsen(l tag.Level, reason string) {
	if reason != "" && (l > r.Quality.Level || r.Quality.Reason == "") {
		r.Quality.Reason = reason
	}
	r.Quality.Level = max(r.Quality.Level, l)
	if r.Quality.Level == tag.Bad {
		r.Value = tag.Value{}
	}
}

// The library computes a date as 64-bit nanoseconds and wraps silently
// outside of 1678-2262: 9999-12-31 comes out as 1816, 1605 as 2189. Dates
// before 1970 and from 2185 on are therefore not believed; the real dates
// whose image falls between are later than the year 2500.
var (
	earliest = time.Unix(0, 0)
	latest   = time.Date(2185, 1, 1, 0, 0, 0, 0, time.UTC)
)

func believable(t time.Time) bool { return !t.Before(earliest) && t.Before(latest) }

// pickTime returns the time that the server tells of a value, zero if it tells
// none, and says whether a source timestamp was there and not to be believed.
func pickTime(dv *ua.DataValue) (_ time.Time, odd bool) {
	if dv.Has(ua.DataValueSourceTimestamp) && !dv.SourceTimestamp.IsZero() {
		if believable(dv.SourceTimestamp) {
			return addPicoseconds(dv.SourceTimestamp, dv.SourcePicoseconds), false
		}
		odd = true
	}
	if dv.Has(ua.DataValueServerTimestamp) && believable(dv.ServerTimestamp) {
		return addPicoseconds(dv.ServerTimestamp, dv.ServerPicoseconds), odd
	}
	return time.Time{}, odd
}

// addPicoseconds adds the fraction below 100 ns, which is sent in units of 10
// ps and must be less than 10,000 (Part 4, 7.11).
func addPicoseconds(t time.Time, p uint16) time.Time {
	if p >= 10000 {
		return t
	}
	return t.Add(time.Duration(p / 100))
}

// text makes a string value and notes what had to be replaced.
func (c *converter) text(s string) tag.Value {
	if len(s) > MaxSize {
		return c.fail(reasonSize)
	}
	if !utf8.ValidString(s) {
		c.note(tag.Uncertain, reasonText)
	}
	return tag.String(s)
}
