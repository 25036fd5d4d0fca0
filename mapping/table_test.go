package mapping_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"fieldferry/live"
	"fieldferry/mapping"
	"fieldferry/tag"
)

var epoch = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// bench is one tag in a table with a clock that is set by hand.
type bench struct {
	t     testing.TB
	now   time.Time
	tag   *tag.Tag
	store *live.Store
	table *mapping.Table
}

func newBench(t testing.TB, c mapping.Config, edit ...func(*tag.Tag)) *bench {
	t.Helper()
	b := &bench{t: t, now: epoch, store: live.New()}
	b.tag = newTag("int16")
	for _, f := range edit {
		f(b.tag)
	}
	if fs := mapping.Check(b.tag, c); fs != nil {
		t.Fatalf("check of %+v: %v", c, fs)
	}
	b.table = mapping.Compile(b.tag.Device.Link, func(*tag.Tag) mapping.Config { return c }, b.store, func() time.Time { return b.now })
	return b
}

func newTag(typ string) *tag.Tag {
	link := &tag.Link{Name: "line1"}
	dev := &tag.Device{Name: "pump", Link: link}
	link.Devices = []*tag.Device{dev}
	dev.Tags = []*tag.Tag{{Name: "speed", Device: dev, Type: typ, Interval: time.Second}}
	return dev.Tags[0]
}

// at sets the clock to so many seconds after the start.
func (b *bench) at(seconds float64) { b.now = epoch.Add(time.Duration(seconds * float64(time.Second))) }

// read applies one sample and returns what is published of it.
func (b *bench) read(v tag.Value, q tag.Quality) string {
	out := b.table.Apply([]tag.Sample{{Tag: b.tag, Value: v, Quality: q, Time: b.now}})
	return show(out)
}

func (b *bench) sweep() string { return show(b.table.Sweep(b.now, nil)) }

func (b *bench) live() string {
	s, ok := b.store.Find("pump", "speed").Get()
	if !ok {
		return "-"
	}
	return show([]tag.Sample{s})
}

func show(ss []tag.Sample) string {
	if len(ss) == 0 {
		return "-"
	}
	var w []string
	for _, s := range ss {
		w = append(w, fmt.Sprintf("%s %s", s.Value, s.Quality))
	}
	return strings.Join(w, "; ")
}

func p(f float64) *float64 { return &f }

func kind(typ string) func(*tag.Tag) { return func(t *tag.Tag) { t.Type = typ } }

var ok = tag.OK()

func TestValues(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name string
		c    mapping.Config
		in   tag.Value
		q    tag.Quality
		want string
	}{
		{name: "integer as it is", in: tag.Int(-7), want: "-7 good"},
		{name: "uint64 keeps every digit", in: tag.Uint(math.MaxUint64), want: "18446744073709551615 good"},
		{name: "scale 1 keeps every digit", c: mapping.Config{Scale: p(1), Offset: p(0)}, in: tag.Int(math.MinInt64), want: "-9223372036854775808 good"},
		{name: "1480 × 0.1", c: mapping.Config{Scale: p(0.1)}, in: tag.Uint(1480), want: "148 good"},
		{name: "123 × 0.1", c: mapping.Config{Scale: p(0.1)}, in: tag.Int(123), want: "12.3 good"},
		{name: "3 × 0.1", c: mapping.Config{Scale: p(0.1)}, in: tag.Int(3), want: "0.3 good"},
		{name: "scale and offset", c: mapping.Config{Scale: p(1.8), Offset: p(32)}, in: tag.Int(-17), want: "1.4 good"},
		{name: "different places", c: mapping.Config{Scale: p(0.01), Offset: p(-273.15)}, in: tag.Uint(29815), want: "25 good"},
		{name: "negative scale", c: mapping.Config{Scale: p(-0.001)}, in: tag.Int(4217), want: "-4.217 good"},
		{name: "offset alone", c: mapping.Config{Offset: p(-40)}, in: tag.Uint(39), want: "-1 good"},
		{name: "large factor", c: mapping.Config{Scale: p(1e6)}, in: tag.Int(12), want: "1.2e+07 good"},
		{name: "a factor of 17 digits", c: mapping.Config{Scale: p(0.017453292519943295)}, in: tag.Int(180), want: "3.141592653589793 good"},
		{name: "tiny factor", c: mapping.Config{Scale: p(1e-30)}, in: tag.Int(4), want: "4e-30 good"},
		{name: "int beyond 2^53", c: mapping.Config{Scale: p(0.1)}, in: tag.Int(1 << 60), want: "1.152921504606847e+17 good"},
		{name: "float32 stays short", c: mapping.Config{Scale: p(0.1)}, in: tag.Float32(22.1), want: "2.21 good"},
		{name: "float64", c: mapping.Config{Scale: p(0.1)}, in: tag.Float64(0.3), want: "0.03 good"},
		{name: "float64 whole", c: mapping.Config{Scale: p(0.1)}, in: tag.Float64(123), want: "12.3 good"},
		{name: "NaN", in: tag.Float32(float32(nan)), want: "null bad (not finite)"},
		{name: "Inf", in: tag.Float64(math.Inf(-1)), want: "null bad (not finite)"},
		{name: "NaN of an uncertain source", in: tag.Float64(nan), q: tag.UncertainFor("x"), want: "null bad (not finite)"},
		{name: "overflow by scaling", c: mapping.Config{Scale: p(1e30)}, in: tag.Float32(1e30), want: "null bad (not finite)"},
		{name: "above max", c: mapping.Config{Scale: p(0.1), Max: p(100)}, in: tag.Int(1001), want: "100.1 uncertain (out of range)"},
		{name: "at max", c: mapping.Config{Scale: p(0.1), Max: p(100)}, in: tag.Int(1000), want: "100 good"},
		{name: "below min", c: mapping.Config{Min: p(0)}, in: tag.Int(-1), want: "-1 uncertain (out of range)"},
		{name: "the source's own reason stands", c: mapping.Config{Min: p(0)}, in: tag.Int(-1), q: tag.UncertainFor("sensor"), want: "-1 uncertain (sensor)"},
		{name: "bad has no value", in: tag.Int(99), q: tag.BadFor(tag.ReasonTimeout), want: "null bad (timeout)"},
		{name: "good without a value", want: "null bad (bad value)"},
		{name: "unknown level", in: tag.Int(1), q: tag.Quality{Level: 9, Reason: "?"}, want: "null bad (?)"},
		{name: "text passes", c: mapping.Config{Scale: p(2)}, in: tag.String("auto"), want: "auto good"},
		{name: "bool passes", c: mapping.Config{Scale: p(2), Max: p(0)}, in: tag.Bool(true), want: "true good"},
		{name: "JSON passes", c: mapping.Config{Scale: p(2)}, in: tag.JSON("[1,2]"), want: "[1,2] good"},
		{name: "bytes pass", c: mapping.Config{Scale: p(2)}, in: tag.Bytes([]byte{1, 255}), want: "01ff good"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.c, kind(""))
			if got := b.read(c.in, c.q); got != c.want {
				t.Errorf("%v %v: got %q, want %q", c.in, c.q, got, c.want)
			}
			if got := b.live(); got != c.want {
				t.Errorf("live: got %q, want %q", got, c.want)
			}
		})
	}
}

// TestDecimalScales holds every step of common scales against the decimal
// text of the true result.
func TestDecimalScales(t *testing.T) {
	for _, c := range []struct {
		scale  float64
		places int
	}{{0.1, 1}, {0.01, 2}, {0.001, 3}, {0.0001, 4}} {
		b := newBench(t, mapping.Config{Scale: p(c.scale)}, kind("int32"))
		for raw := int64(-40000); raw <= 40000; raw++ {
			got := b.table.Engineering(b.tag, tag.Int(raw)).String()
			text := fmt.Sprintf("%0*d", c.places+1, max(raw, -raw))
			want := text[:len(text)-c.places] + "." + text[len(text)-c.places:]
			want = strings.TrimRight(strings.TrimRight(want, "0"), ".")
			if raw < 0 {
				want = "-" + want
			}
			if got = plain(got); got != want {
				t.Fatalf("%d × %v: got %s, want %s", raw, c.scale, got, want)
			}
			if back, err := b.table.Raw(b.tag, b.table.Engineering(b.tag, tag.Int(raw))); err != nil || back != tag.Int(raw) {
				t.Fatalf("%d × %v and back: got %v, %v", raw, c.scale, back, err)
			}
		}
	}
}

// plain writes 1e-05 as 0.00001.
func plain(s string) string {
	if mantissa, exp, found := strings.Cut(s, "e-0"); found {
		sign := ""
		if mantissa[0] == '-' {
			sign, mantissa = "-", mantissa[1:]
		}
		digits := strings.Replace(mantissa, ".", "", 1)
		return sign + "0." + strings.Repeat("0", int(exp[0]-'0')-1) + digits
	}
	return s
}

// step is one thing that happens at a time, and what must be published.
type step struct {
	at   float64 // seconds
	v    any     // value read; nil: a sweep; a tag.Quality: a read of that quality
	want string
}

func TestPublishing(t *testing.T) {
	timeout := tag.BadFor(tag.ReasonTimeout)
	for _, c := range []struct {
		name  string
		c     mapping.Config
		steps []step
	}{
		{"every read without a deadband", mapping.Config{}, []step{{0, 5, "5 good"}, {1, 5, "5 good"}, {2, 6, "6 good"}}},
		{"deadband against the published value", mapping.Config{Deadband: p(2)}, []step{
			{0, 10, "10 good"}, {1, 11, "-"}, {2, 9, "-"}, {3, 11, "-"}, {4, 12, "12 good"}, {5, 11, "-"}, {6, 10, "10 good"}}},
		{"a creeping value is not lost", mapping.Config{Deadband: p(3)}, []step{
			{0, 0, "0 good"}, {1, 1, "-"}, {2, 2, "-"}, {3, 3, "3 good"}, {4, 4, "-"}, {5, 5, "-"}, {6, 6, "6 good"}}},
		{"a deadband of one decimal step", mapping.Config{Scale: p(0.1), Deadband: p(0.1)}, []step{
			{0, 123, "12.3 good"}, {1, 124, "12.4 good"}, {2, 124, "-"}, {3, 123, "12.3 good"}}},
		{"the edge to bad, and back", mapping.Config{Deadband: p(5)}, []step{
			{0, 10, "10 good"}, {1, timeout, "null bad (timeout)"}, {2, timeout, "-"}, {3, tag.BadFor(tag.ReasonLinkDown), "null bad (link down)"},
			{4, 10, "10 good"}, {5, 11, "-"}}},
		{"bad once without a deadband too", mapping.Config{}, []step{
			{0, timeout, "null bad (timeout)"}, {1, timeout, "-"}, {2, 1, "1 good"}}},
		{"bad again at max_interval", mapping.Config{MaxInterval: 3 * time.Second}, []step{
			{0, timeout, "null bad (timeout)"}, {1, timeout, "-"}, {2, timeout, "-"}, {3, timeout, "null bad (timeout)"}, {4, timeout, "-"}}},
		{"max_interval publishes within the deadband", mapping.Config{Deadband: p(100), MaxInterval: 3 * time.Second}, []step{
			{0, 10, "10 good"}, {1, 11, "-"}, {2, 12, "-"}, {3, 13, "13 good"}, {4, 13, "-"}, {6, 14, "14 good"}}},
		{"max_interval with a jittering schedule", mapping.Config{Deadband: p(100), MaxInterval: 3 * time.Second}, []step{
			{0, 10, "10 good"}, {0.999, 11, "-"}, {1.999, 12, "-"}, {2.999, 13, "13 good"}}},
		{"max_interval without any read", mapping.Config{MaxInterval: 10 * time.Second, StaleAfter: time.Hour}, []step{
			{0, 10, "10 good"}, {10.5, nil, "-"}, {11, nil, "10 good"}, {12, nil, "-"}, {22, nil, "10 good"}}},
		{"min_interval holds back, the last one comes", mapping.Config{MinInterval: 10 * time.Second, StaleAfter: time.Hour}, []step{
			{0, 1, "1 good"}, {1, 2, "-"}, {2, 3, "-"}, {9, nil, "-"}, {10, nil, "3 good"}, {11, nil, "-"}, {19, 4, "-"}, {20, 5, "5 good"}}},
		{"min_interval lets quality pass", mapping.Config{MinInterval: 10 * time.Second}, []step{
			{0, 1, "1 good"}, {1, timeout, "null bad (timeout)"}, {2, 2, "2 good"}}},
		{"what came back within the deadband is not published late", mapping.Config{MinInterval: 10 * time.Second, Deadband: p(5), StaleAfter: time.Hour}, []step{
			{0, 10, "10 good"}, {1, 20, "-"}, {2, 11, "-"}, {15, nil, "-"}}},
		{"stale once", mapping.Config{}, []step{
			{0, 7, "7 good"}, {5, nil, "-"}, {5.1, nil, "7 uncertain (stale)"}, {60, nil, "-"}, {61, 7, "7 good"}}},
		{"stale again at max_interval", mapping.Config{MaxInterval: 30 * time.Second}, []step{
			{0, 7, "7 good"}, {6, nil, "7 uncertain (stale)"}, {7, nil, "-"}, {37, nil, "7 uncertain (stale)"}, {38, nil, "-"}}},
		{"a suppressed read is a fresh one", mapping.Config{Deadband: p(5)}, []step{
			{0, 7, "7 good"}, {4, 8, "-"}, {8, nil, "-"}, {9.1, nil, "8 uncertain (stale)"}}},
		{"stale after its own limit", mapping.Config{StaleAfter: 2 * time.Second}, []step{
			{0, 7, "7 good"}, {2, nil, "-"}, {2.1, nil, "7 uncertain (stale)"}}},
		{"bad does not become stale", mapping.Config{}, []step{
			{0, timeout, "null bad (timeout)"}, {60, nil, "-"}}},
		{"never read", mapping.Config{}, []step{
			{4.9, nil, "-"}, {5, nil, "null bad (not read yet)"}, {6, nil, "-"}, {7, 1, "1 good"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.c)
			for i, s := range c.steps {
				b.at(s.at)
				var got string
				switch v := s.v.(type) {
				case nil:
					got = b.sweep()
				case int:
					got = b.read(tag.Int(int64(v)), ok)
				case tag.Quality:
					got = b.read(tag.Value{}, v)
				}
				if got != s.want {
					t.Fatalf("step %d (%v s, %v): got %q, want %q", i, s.at, s.v, got, s.want)
				}
			}
		})
	}
}

func TestDeadbandOfTextAndLargeIntegers(t *testing.T) {
	b := newBench(t, mapping.Config{Deadband: p(1)}, kind("")) // the device tells the type
	const large = 1 << 60
	for i, c := range []struct {
		v    tag.Value
		want string
	}{
		{tag.String("a"), "a good"}, {tag.String("a"), "-"}, {tag.String("b"), "b good"},
		{tag.Int(large), "1152921504606846976 good"}, {tag.Int(large + 1), "1152921504606846977 good"}, {tag.Int(large + 1), "-"},
		{tag.Int(math.MinInt64), "-9223372036854775808 good"}, {tag.Int(math.MaxInt64), "9223372036854775807 good"},
		{tag.Bool(true), "true good"}, {tag.Bool(true), "-"}, {tag.Bool(false), "false good"},
		{tag.Float32(12.3), "12.3 good"}, {tag.Float32(13.3), "13.3 good"}, {tag.Float32(13.4), "-"},
	} {
		if got := b.read(c.v, ok); got != c.want {
			t.Errorf("%d %v: got %q, want %q", i, c.v, got, c.want)
		}
	}
}

func TestMaintenance(t *testing.T) {
	b := newBench(t, mapping.Config{}, func(t *tag.Tag) { t.Device.Maintenance = true })
	for i, c := range []struct {
		v    tag.Value
		q    tag.Quality
		want string
	}{
		{tag.Int(1), ok, "1 uncertain (maintenance)"},
		{tag.Int(2), tag.UncertainFor("sensor"), "2 uncertain (maintenance)"},
		{tag.Int(3), tag.BadFor(tag.ReasonTimeout), "null bad (maintenance)"},
		{tag.Int(4), ok, "4 uncertain (maintenance)"},
	} {
		if got := b.read(c.v, c.q); got != c.want {
			t.Errorf("%d: got %q, want %q", i, got, c.want)
		}
	}
	b.at(60)
	if got := b.sweep(); got != "-" {
		t.Errorf("sweep: got %q, want nothing: nobody waits for a read", got)
	}
}

func TestLiveAge(t *testing.T) {
	b := newBench(t, mapping.Config{Deadband: p(5)})
	cell := b.store.Find("pump", "speed")
	age := func() time.Duration { return b.now.Sub(cell.Fresh()).Round(time.Millisecond) }
	b.read(tag.Int(10), ok)
	b.at(3)
	b.read(tag.Int(11), ok)
	if cell.Version() != 1 || age() != 0 || b.live() != "10 good" {
		t.Errorf("suppressed read: version %d, age %v, %s; want 1, 0, 10 good", cell.Version(), age(), b.live())
	}
	b.at(20)
	b.sweep()
	if age() != 17*time.Second || b.live() != "11 uncertain (stale)" {
		t.Errorf("stale: age %v, %s; want 17s, 11 uncertain (stale)", age(), b.live())
	}
}

func TestHeldValueLeavesLiveWhenItReturns(t *testing.T) {
	b := newBench(t, mapping.Config{Deadband: p(5), MinInterval: time.Minute})
	for i, c := range []struct {
		v    int64
		want string
	}{{10, "10 good"}, {20, "20 good"}, {11, "11 good"}, {12, "11 good"}} {
		b.at(float64(i))
		b.read(tag.Int(c.v), ok)
		if got := b.live(); got != c.want {
			t.Errorf("after %d: live has %q, want %q", c.v, got, c.want)
		}
	}
}

func TestPushed(t *testing.T) {
	b := newBench(t, mapping.Config{MaxInterval: time.Minute})
	b.table.Pushed([]*tag.Tag{b.tag, newTag("int16")})
	b.read(tag.Int(1), ok)
	b.at(59)
	if got := b.sweep(); got != "-" {
		t.Errorf("silence of a pushed tag: got %q, want nothing", got)
	}
	b.at(61)
	if got := b.sweep(); got != "1 good" {
		t.Errorf("max_interval: got %q, want 1 good", got)
	}
	b = newBench(t, mapping.Config{StaleAfter: 10 * time.Second})
	b.table.Pushed([]*tag.Tag{b.tag})
	b.read(tag.Int(1), ok)
	b.at(11)
	if got, want := b.sweep(), "1 uncertain (stale)"; got != want {
		t.Errorf("stale_after as written: got %q, want %q", got, want)
	}
}

func TestForeignTagIsADriverFault(t *testing.T) {
	b := newBench(t, mapping.Config{})
	far := newTag("int16")
	far.Index = 7
	if r, known := b.table.Rule(b.tag); !known || r.Tag != b.tag {
		t.Errorf("rule: got %+v, %t", r, known)
	}
	for _, tg := range []*tag.Tag{newTag("int16"), far, nil} {
		got := show(b.table.Apply([]tag.Sample{{Tag: tg, Value: tag.Int(1)}}))
		if want := "null bad (driver fault)"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if v := b.table.Engineering(far, tag.Int(1)); !v.IsNull() {
		t.Errorf("engineering: got %v, want null", v)
	}
	if _, err := b.table.Raw(far, tag.Int(1)); err == nil {
		t.Error("raw of a foreign tag: no error")
	}
	if _, known := b.table.Rule(far); known {
		t.Error("a foreign tag has a rule")
	}
}

func TestCarry(t *testing.T) {
	c := mapping.Config{Deadband: p(5)}
	compile := func(b *bench, typ string, c mapping.Config) (*mapping.Table, *tag.Tag) {
		tg := newTag(typ)
		return mapping.Compile(tg.Device.Link, func(*tag.Tag) mapping.Config { return c }, b.store, func() time.Time { return b.now }), tg
	}
	for _, x := range []struct {
		name string
		typ  string
		c    mapping.Config
		want string
	}{
		{"unchanged", "int16", mapping.Config{Deadband: p(5)}, "-"},
		{"another deadband", "int16", mapping.Config{Deadband: p(6)}, "11 good"},
		{"another type", "int32", c, "11 good"},
	} {
		b := newBench(t, c)
		b.read(tag.Int(10), ok)
		table, tg := compile(b, x.typ, x.c)
		table.Carry(nil)
		table.Carry(b.table)
		b.table, b.tag = table, tg
		if got := b.read(tag.Int(11), ok); got != x.want {
			t.Errorf("%s: got %q, want %q", x.name, got, x.want)
		}
	}
	b := newBench(t, c)
	b.read(tag.Int(10), ok)
	table, tg := compile(b, "int16", c)
	table.Carry(b.table)
	b.at(60)
	if out := table.Sweep(b.now, nil); len(out) != 1 || out[0].Tag != tg {
		t.Errorf("stale after a reload: got %v, want one sample of the new tag", out)
	}
}

func TestRaw(t *testing.T) {
	tenth := mapping.Config{Scale: p(0.1)}
	for _, c := range []struct {
		name string
		typ  string
		c    mapping.Config
		in   tag.Value
		want string // value or error
	}{
		{"as it is", "int16", mapping.Config{}, tag.Int(1500), "1500"},
		{"whole float", "int16", mapping.Config{}, tag.Float64(1500), "1500"},
		{"uint64", "uint64", mapping.Config{}, tag.Float64(1 << 63), "9223372036854775808"},
		{"fraction of a whole number", "int16", mapping.Config{}, tag.Float64(12.5), "12.5 is not a whole number, and the tag is int16"},
		{"scaled", "int16", tenth, tag.Float64(12.3), "123"},
		{"scaled and rounded", "int16", tenth, tag.Float64(12.34), "123"},
		{"scaled, half a step", "int16", tenth, tag.Float64(-12.35), "-124"},
		{"scaled integer", "uint16", tenth, tag.Int(148), "1480"},
		{"offset", "int16", mapping.Config{Scale: p(1.8), Offset: p(32)}, tag.Float64(1.4), "-17"},
		{"17 digits", "int16", mapping.Config{Scale: p(0.017453292519943295)}, tag.Float64(math.Pi), "180"},
		{"too large", "int64", tenth, tag.Float64(1e300), "1e+300 is beyond what int64 can hold"},
		{"NaN", "int16", tenth, tag.Float64(math.NaN()), "NaN is beyond what int16 can hold"},
		{"text", "int16", tenth, tag.String("12"), `"12" is not a number, and the tag is int16`},
		{"bool to a number", "uint16", mapping.Config{}, tag.Bool(true), "true is not a number, and the tag is uint16"},
		{"float32", "float32", tenth, tag.Float64(2.21), "22.1"},
		{"float32 from whole", "float32", mapping.Config{}, tag.Int(3), "3"},
		{"float32 overflow", "float32", mapping.Config{}, tag.Float64(1e39), "1e+39 is beyond what float32 can hold"},
		{"float64", "float64", tenth, tag.Float64(12.3), "123"},
		{"text to a float", "float64", tenth, tag.String("x"), `"x" is not a number, and the tag is float64`},
		{"bool", "bool", mapping.Config{}, tag.Bool(true), "true"},
		{"bool from 0", "bool", mapping.Config{}, tag.Int(0), "false"},
		{"bool from 2", "bool", mapping.Config{}, tag.Int(2), "2 is neither true nor false, and the tag is bool"},
		{"string", "string", mapping.Config{}, tag.String("auto"), "auto"},
		{"unknown type", "", mapping.Config{}, tag.Int(5), "5"},
		{"unknown type, scaled", "", tenth, tag.Int(5), "50"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.c, kind(c.typ))
			v, err := b.table.Raw(b.tag, c.in)
			got := v.String()
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("%v to %s: got %q, want %q", c.in, c.typ, got, c.want)
			}
		})
	}
}

func TestApplyKeepsOrderAndDoesNotAllocate(t *testing.T) {
	b := newBench(t, mapping.Config{Scale: p(0.1), Deadband: p(1), Max: p(1e6)}, func(t *tag.Tag) {
		for i := 1; i < 10; i++ {
			t.Device.Tags = append(t.Device.Tags, &tag.Tag{Name: fmt.Sprint(i), Device: t.Device, Index: i, Type: "int16", Interval: time.Second})
		}
	})
	in := make([]tag.Sample, 10)
	round := int64(0)
	fill := func() {
		round++
		for i, tg := range b.tag.Device.Tags {
			v := tag.Int(1000 * round) // every second one moves
			if i%2 == 1 {
				v = tag.Int(5)
			}
			in[i] = tag.Sample{Tag: tg, Value: v, Time: b.now, Read: uint64(round)}
		}
	}
	fill()
	b.table.Apply(in)
	fill()
	for i, s := range b.table.Apply(in) {
		if s.Tag != b.tag.Device.Tags[2*i] || s.Value != tag.Float64(200) {
			t.Errorf("%d: got %s %v, want the even tags in order with 200", i, s.Tag.Path(), s.Value)
		}
	}
	if n := testing.AllocsPerRun(100, func() { fill(); b.table.Apply(in) }); n != 0 {
		t.Errorf("allocations per Apply: got %v, want 0", n)
	}
}

func BenchmarkApply(b *testing.B) {
	for _, c := range []struct {
		name string
		c    mapping.Config
	}{{"plain", mapping.Config{}}, {"scale-limits-deadband", mapping.Config{Scale: p(0.1), Min: p(-1e9), Max: p(1e9), Deadband: p(1)}}} {
		b.Run(c.name, func(b *testing.B) {
			x := newBench(b, c.c, kind("int32"))
			in := make([]tag.Sample, 1)
			i := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				i++
				in[0] = tag.Sample{Tag: x.tag, Value: tag.Int(i), Time: epoch, Read: uint64(i)}
				x.table.Apply(in)
			}
		})
	}
}
