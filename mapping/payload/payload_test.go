package payload_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"fieldferry/mapping/payload"
	"fieldferry/tag"
)

func compile(t testing.TB, edit func(*payload.Config)) *payload.Encoder {
	t.Helper()
	c := payload.Default()
	if edit != nil {
		edit(&c)
	}
	e, err := payload.Compile(c, vars)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func value(t *testing.T, e *payload.Encoder, it payload.Item) string {
	t.Helper()
	m, err := e.Encode(nil, &it)
	if err != nil {
		t.Fatal(err)
	}
	var out struct{ Value json.RawMessage }
	if err := json.Unmarshal(m.Payload, &out); err != nil {
		t.Fatalf("%s: %v", m.Payload, err)
	}
	return string(out.Value)
}

func TestZeroConfigIsTheDefaultButForRetain(t *testing.T) {
	a, err := payload.Compile(payload.Config{}, vars)
	if err != nil {
		t.Fatal(err)
	}
	b := compile(t, func(c *payload.Config) { c.Retain = false })
	it := payload.Item{Sample: tag.Sample{Tag: newTag("d", "t"), Value: tag.Int(1), Time: instant}}
	x, _ := a.Encode(nil, &it)
	y, _ := b.Encode(nil, &it)
	if x.Topic != y.Topic || string(x.Payload) != string(y.Payload) || x.Retain != y.Retain {
		t.Errorf("got %s %s %t, want %s %s %t", x.Topic, x.Payload, x.Retain, y.Topic, y.Payload, y.Retain)
	}
}

func TestConfigKeys(t *testing.T) {
	var got []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[payload.Config]()) {
		got = append(got, f.Tag.Get("yaml"))
	}
	want := "format root topic retain history on_bad timestamp_format quality_code bool_as_number seq"
	if strings.Join(got, " ") != want {
		t.Errorf("keys: got %v, want %s", got, want)
	}
}

func TestOnBadLast(t *testing.T) {
	e := compile(t, func(c *payload.Config) { c.OnBad = "last" })
	one, other := newTag("d", "one"), newTag("d", "other")
	again := newTag("d", "one") // the same tag after a reload
	again.Unit = "V"
	good := func(tg *tag.Tag, seq uint64, v int64) payload.Item {
		return payload.Item{Sample: tag.Sample{Tag: tg, Value: tag.Int(v)}, Seq: seq}
	}
	bad := func(tg *tag.Tag, seq uint64) payload.Item {
		return payload.Item{Sample: tag.Sample{Tag: tg, Quality: tag.BadFor(tag.ReasonTimeout)}, Seq: seq}
	}
	old := func(it payload.Item) payload.Item { it.Historical = true; return it }
	uncertain := good(one, 4, 99)
	uncertain.Sample.Quality = tag.UncertainFor(tag.ReasonOutOfRange)
	for i, c := range []struct {
		it   payload.Item
		want string
	}{
		{bad(one, 1), "null"},
		{good(one, 2, 5), "5"},
		{bad(one, 3), "5"},
		{bad(other, 3), "null"},
		{uncertain, "99"},
		{bad(one, 5), "5"}, // the last good one, not the doubtful one
		{bad(again, 6), "5"},
		{good(again, 7, 8), "8"},
		{bad(one, 3), "null"}, // sent again: 8 came after it
		{good(one, 2, 5), "5"},
		{bad(one, 3), "5"},
		{old(bad(one, 3)), "null"}, // history has its own last value
		{old(good(one, 2, 4)), "4"},
		{old(bad(one, 3)), "4"},
		{bad(one, 9), "5"},
		{bad(one, 0), "5"}, // no numbers
	} {
		if got := value(t, e, c.it); got != c.want {
			t.Errorf("%d: got %s, want %s", i, got, c.want)
		}
	}
}

func TestPoison(t *testing.T) {
	e := compile(t, nil)
	for _, c := range []struct {
		tag  *tag.Tag
		want string
	}{
		{nil, "a sample without a tag has no topic"},
		{newTag("", "t"), "tag /t has no topic: {device} is empty"},
		{&tag.Tag{Name: "t"}, "tag t has no topic: {device} is empty"},
		{newTag("d", "a+b"), `tag d/a+b has no topic: "gw/d/a+b" cannot be one: it holds '+', which is a wildcard`},
		{newTag("_", "status"), `tag _/status has no topic: "_/status" lies below gw/_/, which is for the gateway's own topics`},
	} {
		for range 2 { // from the cache too
			_, err := e.Encode(nil, &payload.Item{Sample: tag.Sample{Tag: c.tag}})
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		}
	}
}

// TestNamesWithSlashesStayApart: a/b of c is not a of b/c.
func TestNamesWithSlashesStayApart(t *testing.T) {
	e := compile(t, func(c *payload.Config) { c.Topic, c.OnBad = "x/{device}", "last" })
	value(t, e, payload.Item{Sample: tag.Sample{Tag: newTag("a/b", "c"), Value: tag.Int(1)}})
	if got := value(t, e, payload.Item{Sample: tag.Sample{Tag: newTag("a", "b/c"), Quality: tag.BadFor("x")}}); got != "null" {
		t.Errorf("last value of another tag: got %s, want null", got)
	}
}

func TestMemoryDoesNotGrowWithCopiesOfTags(t *testing.T) {
	e := compile(t, nil)
	var first string
	for i := range 100_000 {
		topic, err := e.Topic(newTag("d", "t"))
		if err != nil || i > 0 && topic != first {
			t.Fatalf("copy %d: got %q, %v, want %q", i, topic, err, first)
		}
		first = topic
	}
	if n := e.Known(); n > 2000 {
		t.Errorf("tags kept: got %d of 100000 copies of one, want at most 2000", n)
	}
}

// FuzzJSON: every payload is JSON, and has the value exactly.
func FuzzJSON(f *testing.F) {
	for k := range 9 {
		f.Add(uint8(k), uint64(0x3fb999999999999a), "text", uint8(k), int64(1795163220123456789), "why", uint8(k))
	}
	f.Add(uint8(tag.KindUint), uint64(math.MaxUint64), "", uint8(0), int64(0), "", uint8(0))
	f.Add(uint8(tag.KindFloat64), math.Float64bits(math.Inf(-1)), "", uint8(0), int64(-1), "", uint8(255))
	f.Add(uint8(tag.KindFloat64), math.Float64bits(5e-324), "", uint8(1), int64(math.MinInt64), "\xff\"", uint8(3))
	f.Add(uint8(tag.KindString), uint64(0), "\x00\xff\u2028\\\"", uint8(1), int64(math.MaxInt64), "\n", uint8(7))
	f.Add(uint8(tag.KindJSON), uint64(0), `{"a":[1,2.50,"\u0000"]}`, uint8(0), int64(1), "", uint8(1))
	f.Add(uint8(tag.KindJSON), uint64(0), "1 2", uint8(0), int64(1), "", uint8(1))
	formats := []string{"rfc3339-ms", "rfc3339-us", "rfc3339-ns", "s", "ms", "us", "ns"}
	f.Fuzz(func(t *testing.T, kind uint8, bits uint64, text string, level uint8, nanos int64, reason string, options uint8) {
		e := compile(t, func(c *payload.Config) {
			c.TimestampFormat = formats[int(options)%len(formats)]
			c.OnBad = []string{"empty", "last", "omit"}[int(options)%3]
			c.QualityCode, c.BoolAsNumber, c.Sequence = options&8 != 0, options&16 != 0, options&32 != 0
		})
		v := tag.FromParts(tag.Kind(kind%9), bits, "")
		switch v.Kind() {
		case tag.KindBool:
			v = tag.Bool(bits&1 != 0)
		case tag.KindFloat32:
			v = tag.Float32(math.Float32frombits(uint32(bits)))
		case tag.KindString, tag.KindBytes, tag.KindJSON:
			v = tag.FromParts(v.Kind(), 0, text)
		}
		tg := newTag("d", "t")
		tg.Unit = reason
		it := payload.Item{Sample: tag.Sample{Tag: tg, Value: v, Quality: tag.Quality{Level: tag.Level(level), Reason: reason}, Time: time.Unix(0, nanos)},
			Seq: bits, Historical: options&64 != 0, Unsynced: options&128 != 0}
		m, err := e.Encode(nil, &it)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(m.Payload) {
			t.Fatalf("%v: not JSON: %q", v, m.Payload)
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal(m.Payload, &got); err != nil {
			t.Fatalf("%q: %v", m.Payload, err)
		}
		if fault := differs(v, tag.Level(level), got); fault != "" {
			t.Errorf("%v: %s in %s", v, fault, m.Payload)
		}
	})
}

// differs says how a payload tells something else than v.
func differs(v tag.Value, level tag.Level, got map[string]json.RawMessage) string {
	text := string(got["value"])
	f, isNumber := v.Number()
	lost := level >= tag.Bad || isNumber && (math.IsNaN(f) || math.IsInf(f, 0)) ||
		v.Kind() == tag.KindJSON && !(json.Valid([]byte(v.String())) && utf8.ValidString(v.String()))
	if lost || v.IsNull() {
		if text != "null" && text != "" {
			return "a value where there is none"
		}
		return ""
	}
	var exact, back string
	switch v.Kind() {
	case tag.KindInt, tag.KindUint:
		if n, ok := new(big.Int).SetString(text, 10); !ok || n.String() != v.String() {
			return "another integer"
		}
		if got["exact"] == nil {
			if math.Abs(f) > 1<<53 {
				return "exact is missing"
			}
			return ""
		}
		if json.Unmarshal(got["exact"], &exact) != nil || exact != v.String() {
			return "exact differs"
		}
	case tag.KindFloat32:
		var x float32
		if json.Unmarshal([]byte(text), &x) != nil || tag.Float32(x) != v {
			return "another float32"
		}
	case tag.KindFloat64:
		var x float64
		if json.Unmarshal([]byte(text), &x) != nil || tag.Float64(x) != v {
			return "another float64"
		}
	case tag.KindBool:
		if b, _ := v.Truth(); text != v.String() && text != map[bool]string{true: "1", false: "0"}[b] {
			return "another boolean"
		}
	case tag.KindString:
		raw, _ := v.Text()
		if json.Unmarshal([]byte(text), &back) != nil || tag.String(back) != tag.String(string([]rune(raw))) {
			return "another text"
		}
	case tag.KindBytes:
		if text != `"`+v.String()+`"` {
			return "other bytes"
		}
	case tag.KindJSON:
		raw, _ := v.Text()
		if strings.TrimSpace(raw) != text {
			return "other JSON"
		}
	}
	return ""
}

func BenchmarkEncode(b *testing.B) {
	for _, v := range []tag.Value{tag.Int(1480), tag.Float32(22.5), tag.Float64(12.3), tag.String("running")} {
		b.Run(fmt.Sprint(v), func(b *testing.B) {
			e := compile(b, nil)
			tg := newTag("pump", "speed")
			tg.Unit = "rpm"
			it := payload.Item{Sample: tag.Sample{Tag: tg, Value: v, Time: instant}}
			buf := make([]byte, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Encode(buf, &it); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
