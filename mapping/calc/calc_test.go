package calc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"fieldferry/drivers"
	"fieldferry/drivers/acquire"
	"fieldferry/drivers/drivertest"
	"fieldferry/drivers/sim"
	"fieldferry/live"
	"fieldferry/mapping"
	"fieldferry/mapping/calc"
	"fieldferry/tag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// newLink makes a link with one device; add gives it tags.
func newLink(name, driver string) *tag.Link {
	l := &tag.Link{Name: name, Driver: driver}
	l.Devices = []*tag.Device{{Name: name, Link: l, DeadAfter: 3}}
	return l
}

func add(l *tag.Link, name string, options any) *tag.Tag {
	d := l.Devices[0]
	t := &tag.Tag{Name: name, Device: d, Index: len(d.Tags), Interval: 100 * time.Millisecond, Options: options}
	d.Tags = append(d.Tags, t)
	return t
}

func computed(text, require string) *calc.TagOptions {
	return &calc.TagOptions{Expr: text, Require: require}
}

// sink is what the gateway puts behind a link: the mapping, then the buffer.
type sink struct {
	table *mapping.Table
	mu    sync.Mutex // guards got
	got   []tag.Sample
}

func newSink(l *tag.Link, store *live.Store) *sink {
	return &sink{table: mapping.Compile(l, func(*tag.Tag) mapping.Config { return mapping.Config{} }, store, time.Now)}
}

func (s *sink) Accept(in []tag.Sample) { s.keep(s.table.Apply(in)) }

func (s *sink) Sweep(now time.Time) { s.keep(s.table.Sweep(now, nil)) }

func (s *sink) Pushed(tags []*tag.Tag) { s.table.Pushed(tags) }

func (s *sink) keep(out []tag.Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, out...)
}

// TestOneSumOverTwoLinks runs three links as the gateway does: two simulated
// ones whose counters go up with every read, and the computed tag over both.
func TestOneSumOverTwoLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := live.New()
		one, two, park := newLink("inv1", "sim"), newLink("inv2", "sim"), newLink("park", "calc")
		for _, l := range []*tag.Link{one, two} {
			p := add(l, "power", &sim.TagOptions{High: 1e9, Period: time.Minute})
			p.Address, p.Type = "counter", "int32"
		}
		total := add(park, "total", computed(`sum(tags("inv*/power"))`, "all"))
		links := []*tag.Link{one, two, park}
		if faults := calc.Bind(links); faults != nil {
			t.Fatalf("bind: %v", faults)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		sinks := map[*tag.Link]*sink{}
		for _, l := range links {
			d := drivers.Driver(sim.New())
			if l == park {
				d = calc.New(store)
			}
			if faults := d.Check(l); faults != nil {
				t.Fatalf("check %s: %v", l.Name, faults)
			}
			sinks[l] = newSink(l, store)
			r := acquire.New(l, d, sinks[l], quiet)
			wg.Go(func() {
				if err := r.Run(ctx); err != nil {
					t.Errorf("run %s: %v", l.Name, err)
				}
			})
		}
		time.Sleep(3 * time.Second) // virtual
		synctest.Wait()
		cancel()
		wg.Wait()
		checkSums(t, sinks[park].got, sinks[one].got, sinks[two].got, total)
	})
}

// checkSums wants every sum to be of two values that were really read, never
// going down, and the last sum to be that of the last values.
func checkSums(t *testing.T, sums, one, two []tag.Sample, total *tag.Tag) {
	t.Helper()
	if len(sums) < 20 {
		t.Fatalf("got %d sums in 3 s at an interval of 100 ms, want at least 20", len(sums))
	}
	possible := map[float64]bool{}
	for _, a := range one {
		for _, b := range two {
			x, _ := a.Value.Number()
			y, _ := b.Value.Number()
			possible[x+y] = true
		}
	}
	last := -1.0
	for _, s := range sums {
		f, ok := s.Value.Number()
		if !ok || s.Tag != total || s.Quality != tag.OK() || !possible[f] || f < last {
			t.Fatalf("sum %v %v after %v: want a good sum of two values that were read", s.Value, s.Quality, last)
		}
		last = f
	}
	x, _ := one[len(one)-1].Value.Number()
	y, _ := two[len(two)-1].Value.Number()
	if last < x+y-2 { // the last read of each may have been a moment before the end
		t.Errorf("last sum: got %v, want that of %v and %v", last, x, y)
	}
}

// plant is a set of source tags whose samples a test sets by hand, and one
// computed tag over them.
type plant struct {
	t     *testing.T
	store *live.Store
	links []*tag.Link
	at    time.Time
}

func newPlant(t *testing.T, sources ...string) *plant {
	p := &plant{t: t, store: live.New(), at: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}
	for _, path := range sources {
		dev, name, _ := strings.Cut(path, "/")
		l := newLink(dev, "sim")
		add(l, name, nil)
		p.links = append(p.links, l)
		p.store.Cell(l.Devices[0].Tags[0])
	}
	return p
}

// set stores a sample a second after the one before.
func (p *plant) set(path string, v tag.Value, q tag.Quality) {
	p.at = p.at.Add(time.Second)
	dev, name, _ := strings.Cut(path, "/")
	p.store.Find(dev, name).Set(&tag.Sample{Value: v, Quality: q, Time: p.at}, time.Now())
}

// group opens the calc link l after binding it.
func (p *plant) group(l *tag.Link) (drivers.Group, drivers.Conn) {
	p.t.Helper()
	d := calc.New(p.store)
	for _, f := range append(d.Check(l), calc.Bind(append(p.links, l))...) {
		p.t.Fatalf("fault: %v", f)
	}
	c, err := d.Open(p.t.Context(), l, quiet)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	g, err := c.Prepare(p.t.Context(), l.Devices[0], l.Devices[0].Tags)
	if err != nil {
		p.t.Fatal(err)
	}
	return g, c
}

// eval computes one expression over the plant.
func (p *plant) eval(text, require, typ string) tag.Sample {
	p.t.Helper()
	l := newLink("park", "calc")
	add(l, "result", computed(text, require)).Type = typ
	g, _ := p.group(l)
	got, err := g.Read(p.t.Context(), nil)
	if err != nil || len(got) != 1 {
		p.t.Fatalf("%s: got %v, %v", text, got, err)
	}
	return got[0]
}

func TestExpressions(t *testing.T) {
	p := newPlant(t, "a/x", "b/x", "c/x", "f/single", "s/mode", "s2/run", "big/n")
	for path, v := range map[string]tag.Value{
		"a/x": tag.Int(5), "b/x": tag.Float64(0.1), "c/x": tag.Float64(0.2), "f/single": tag.Float32(22.1),
		"s/mode": tag.String("auto"), "s2/run": tag.Bool(true), "big/n": tag.Uint(1<<53 + 2),
	} {
		p.set(path, v, tag.OK())
	}
	for _, c := range []struct{ text, typ, want string }{
		{`tag("a/x")`, "", "5 good"},
		{`tag("b/x") + tag("c/x")`, "", "0.3 good"},
		{`sum(tags("?/x"))`, "", "5.3 good"},
		{`sum(tags("?/x")) + sum(tags("?/x"))`, "", "10.6 good"},
		{`sum(tag("a/x"), 2, [3, 4])`, "", "14 good"},
		{`mean(tags("[ab]/x"))`, "", "2.55 good"},
		{`min(tags("*/x"))`, "", "0.1 good"},
		{`max(tags("*/x"), 7)`, "", "7 good"},
		{`count(tags("*/x"))`, "", "3 good"},
		{`tags("*/x") | sum()`, "", "5.3 good"},
		{`tag("f/single")`, "", "22.1 good"},
		{`tag("a/x") / 2`, "", "2.5 good"},
		{`tag("a/x") ** 2 - -1`, "", "26 good"},
		{`round(tag("f/single") / 3, 2)`, "", "7.37 good"},
		{`round(tag("a/x") * 111, -2)`, "", "600 good"},
		{`mod(tag("a/x"), 3) + abs(-1) + floor(1.9) + ceil(0.1) + sqrt(16)`, "", "9 good"},
		{`tag("s2/run") ? tag("a/x") : 0`, "", "5 good"},
		{`tag("s/mode") == "auto" and tag("a/x") > 4`, "", "true good"},
		{`tag("s/mode") in ["auto", "remote"]`, "bool", "true good"},
		{`tag("s/mode") + "!"`, "string", "auto! good"},
		{`sum(tag("s2/run"), tag("s2/run"))`, "int64", "2 good"},
		{`9223372036854775807.0 + 1 + 0 * tag("a/x")`, "", "9.223372036854775807e+18 good"},
		{`tag("a/x") / 0`, "", "+Inf good"}, // the mapping makes it bad
		{`tag("big/n") * 1`, "", "9.007199254740994e+15 uncertain (integer beyond 2^53)"},
		{`tag("s/mode") * 2`, "", "null bad (cannot be computed)"},
		{`sum(tag("s/mode"))`, "", "null bad (cannot be computed)"},
		{`tags("*/x")`, "", "null bad (cannot be computed)"},
		{`tag("b/x")`, "int64", "null bad (cannot be computed)"},
		{`round(tag("a/x"), 99)`, "", "null bad (cannot be computed)"},
		{`nil ?? (tag("a/x") > 0 ? nil : 1)`, "", "null bad (cannot be computed)"},
	} {
		s := p.eval(c.text, "all", c.typ)
		want := c.want
		if strings.Contains(want, "775807e") {
			want = tag.Float64(9223372036854775807).String() + " good"
		}
		if got := fmt.Sprintf("%v %v", s.Value, s.Quality); got != want {
			t.Errorf("%s: got %q, want %q", c.text, got, want)
		}
		if s.Time.IsZero() || s.Time.After(p.at) {
			t.Errorf("%s: time %v is not that of a source", c.text, s.Time)
		}
	}
}

func TestQualityAndTime(t *testing.T) {
	timeout, stale := tag.BadFor(tag.ReasonTimeout), tag.UncertainFor(tag.ReasonStale)
	for _, c := range []struct {
		name    string
		a, b    tag.Quality
		text    string
		require string
		want    string
	}{
		{"all good", tag.OK(), tag.OK(), `sum(tags("*/x"))`, "all", "30 good"},
		{"all: one bad", tag.OK(), timeout, `sum(tags("*/x"))`, "all", "null bad (source is bad)"},
		{"all: one uncertain", stale, tag.OK(), `sum(tags("*/x"))`, "all", "30 uncertain (stale)"},
		{"any: one bad", tag.OK(), timeout, `sum(tags("*/x"))`, "any", "10 uncertain (some sources are bad)"},
		{"any: mean of those there", timeout, tag.OK(), `mean(tags("*/x"))`, "any", "20 uncertain (some sources are bad)"},
		{"any: none good", timeout, timeout, `sum(tags("*/x"))`, "any", "null bad (source is bad)"},
		{"any: count", tag.OK(), timeout, `count(tags("*/x"))`, "any", "1 uncertain (some sources are bad)"},
		{"any: arithmetic with a bad one", tag.OK(), timeout, `tag("a/x") + tag("b/x")`, "any", "null bad (source is bad)"},
		{"any: another value instead", tag.OK(), timeout, `tag("a/x") + (tag("b/x") ?? 7)`, "any", "17 uncertain (some sources are bad)"},
		{"any: uncertain", stale, tag.OK(), `sum(tags("*/x"))`, "any", "30 uncertain (stale)"},
	} {
		p := newPlant(t, "a/x", "b/x")
		p.set("a/x", tag.Int(10), c.a)
		p.set("b/x", tag.Int(20), c.b)
		newest := p.at
		s := p.eval(c.text, c.require, "")
		if got := fmt.Sprintf("%v %v", s.Value, s.Quality); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if !s.Time.Equal(newest) {
			t.Errorf("%s: time %v, want that of the newest source, %v", c.name, s.Time, newest)
		}
	}
}

func TestNeverReadSourceIsMissing(t *testing.T) {
	p := newPlant(t, "a/x", "b/x")
	s := p.eval(`sum(tags("*/x"))`, "any", "")
	if s.Quality != tag.BadFor(tag.ReasonSource) || s.Time.IsZero() {
		t.Errorf("no source read: got %v at %v", s.Quality, s.Time)
	}
}

// TestSubscribe follows one subscription on a virtual clock.
func TestSubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, "a/x", "b/x", "other/x")
		l := newLink("park", "calc")
		add(l, "sum", computed(`sum(tags("[ab]/x"))`, "all"))
		add(l, "copy", computed(`tag("a/x")`, "all"))
		g, conn := p.group(l)
		sub := g.(drivers.Subscriber)
		if !sub.Subscribes() {
			t.Fatal("a computed group is not pushed")
		}
		var mu sync.Mutex // guards got
		var got []string
		take := func() string {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			s := strings.Join(got, " ")
			got = nil
			return s
		}
		done := make(chan error, 1)
		go func() {
			done <- sub.Subscribe(t.Context(), func(ss []tag.Sample) {
				mu.Lock()
				defer mu.Unlock()
				for _, s := range ss {
					got = append(got, fmt.Sprintf("%s=%v", s.Tag.Name, s.Value))
				}
			})
		}()
		step := func(what, want string, after time.Duration) {
			t.Helper()
			time.Sleep(after)
			if s := take(); s != want {
				t.Errorf("%s: got %q, want %q", what, s, want)
			}
		}
		step("nothing read", "", time.Second)
		p.set("a/x", tag.Int(1), tag.OK())
		step("one source of two", "copy=1", time.Second)
		p.set("b/x", tag.Int(2), tag.OK())
		step("both", "sum=3", time.Second)
		step("at rest", "", time.Minute)
		p.set("a/x", tag.Int(10), tag.OK())
		time.Sleep(10 * time.Millisecond)
		p.set("b/x", tag.Int(20), tag.OK())
		step("read together, computed once", "sum=30 copy=10", time.Second)
		for i := range 50 {
			p.set("a/x", tag.Int(int64(i)), tag.OK())
			time.Sleep(time.Millisecond)
		}
		if s := take(); strings.Count(s, "sum=") > 1 {
			t.Errorf("50 changes within the interval: got %q, want one sum at most", s)
		}
		step("the last of them counts", "sum=69 copy=49", time.Second)
		if _, err := g.Read(t.Context(), nil); err != nil {
			t.Error(err)
		}
		p.set("other/x", tag.Int(5), tag.OK())
		step("a tag that is no source", "", time.Second)
		p.set("a/x", tag.Int(50), tag.OK())
		if _, err := g.Read(t.Context(), nil); err != nil { // must not eat the change
			t.Error(err)
		}
		step("read in between", "sum=70 copy=50", time.Second)
		conn.Close()
		if err := <-done; err == nil || !strings.Contains(err.Error(), "link down") {
			t.Errorf("after Close: got %v, want link down", err)
		}
	})
}

func TestSubscribeTellsMissingSourcesAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, "a/x", "b/x")
		l := newLink("park", "calc")
		add(l, "sum", computed(`sum(tags("*/x"))`, "all"))
		g, _ := p.group(l)
		p.set("a/x", tag.Int(1), tag.OK())
		got := make(chan tag.Sample, 10)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		begin := time.Now()
		go func() {
			done <- g.(drivers.Subscriber).Subscribe(ctx, func(ss []tag.Sample) { got <- ss[0] })
		}()
		s := <-got
		if s.Quality != tag.BadFor(tag.ReasonSource) || time.Since(begin) != 5*time.Second {
			t.Errorf("got %v after %v, want source is bad after 5s", s.Quality, time.Since(begin))
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("after cancel: got %v", err)
		}
	})
}

func TestConformance(t *testing.T) {
	store := live.New()
	drivertest.Run(t, drivertest.Harness{
		Driver: calc.New(store),
		Link: func(t *testing.T) *tag.Link {
			src, l := newLink("src", "sim"), newLink("park", "calc")
			s := add(src, "x", nil)
			store.Cell(s).Set(&tag.Sample{Value: tag.Int(4), Time: time.Now().UTC()}, time.Now())
			add(l, "double", computed(`2 * tag("src/x")`, "all"))
			add(l, "half", computed(`tag("src/x") / 2`, "any"))
			if faults := calc.Bind([]*tag.Link{src, l}); faults != nil {
				t.Fatal(faults)
			}
			return l
		},
		Faulty: func(*testing.T) *tag.Link {
			l := newLink("park", "calc")
			add(l, "x", computed(`sum(`, "all"))
			return l
		},
	})
}

func TestUnboundTagIsRefused(t *testing.T) {
	l := newLink("park", "calc")
	add(l, "x", computed(`tag("a/x")`, "all"))
	c, err := calc.New(live.New()).Open(t.Context(), l, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Prepare(t.Context(), l.Devices[0], l.Devices[0].Tags); err == nil || !strings.Contains(err.Error(), "park/x are not bound") {
		t.Errorf("got %v", err)
	}
}

func TestSumDoesNotLoseSmallValues(t *testing.T) {
	p := newPlant(t, "a/x", "b/x")
	p.set("a/x", tag.Float64(1e16), tag.OK())
	p.set("b/x", tag.Float64(1), tag.OK())
	if s := p.eval(`sum(tag("a/x"), tag("b/x"), tag("b/x"))`, "all", ""); s.Value != tag.Float64(1e16+2) {
		t.Errorf("got %v, want %v", s.Value, 1e16+2)
	}
	p.set("a/x", tag.Float64(math.Inf(1)), tag.OK())
	if s := p.eval(`sum(tags("*/x"))`, "all", ""); s.Value != tag.Float64(math.Inf(1)) {
		t.Errorf("got %v, want +Inf", s.Value)
	}
}
