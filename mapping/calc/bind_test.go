package calc_test

import (
	"strings"
	"testing"
	"time"

	"fieldferry/drivers"
	"fieldferry/live"
	"fieldferry/mapping/calc"
	"fieldferry/tag"
)

// texts are faults as a user sees them, with the tag that they are about.
func texts(faults []drivers.Fault) string {
	var lines []string
	for _, f := range faults {
		s := f.Fault.Error()
		if f.Tag != nil {
			s = f.Tag.Path() + ": " + s
		}
		lines = append(lines, s)
	}
	return strings.Join(lines, "\n")
}

func TestCheck(t *testing.T) {
	const functions = "tag, tags, abs, ceil, count, floor, max, mean, min, mod, round, sqrt, sum"
	for _, c := range []struct {
		name string
		edit func(*tag.Link, *tag.Tag, *calc.TagOptions)
		want string
	}{
		{"nothing wrong", func(_ *tag.Link, tg *tag.Tag, _ *calc.TagOptions) { tg.Type = "float64" }, ""},
		{"endpoint", func(l *tag.Link, _ *tag.Tag, _ *calc.TagOptions) { l.Endpoint = "tcp://x" },
			`endpoint: a calc link connects to nothing, but the endpoint is "tcp://x" (remove it)`},
		{"no options", func(_ *tag.Link, tg *tag.Tag, _ *calc.TagOptions) { tg.Options = nil },
			`expr: a computed tag needs an expression (such as sum(tags("inv*/power")))`},
		{"no expression", func(_ *tag.Link, _ *tag.Tag, o *calc.TagOptions) { o.Expr = " " },
			`expr: a computed tag needs an expression (such as sum(tags("inv*/power")))`},
		{"require", func(_ *tag.Link, _ *tag.Tag, o *calc.TagOptions) { o.Require = "most" }, `require: unknown require "most" (use all or any)`},
		{"access, address and type", func(_ *tag.Link, tg *tag.Tag, _ *calc.TagOptions) {
			tg.Access, tg.Address, tg.Type = tag.AccessReadWrite, "hr:1", "int16"
		}, `access: a computed tag cannot have the access read-write (it can only be read: remove it)
address: a computed tag has no address, but "hr:1" is written (remove it)
type: a computed tag cannot be of type "int16" (use bool, int64, float64 or string, or leave it out)`},
		{"broken", expression(`sum(tags("a/*")`), `expr: "sum(tags(\"a/*\")": unexpected token EOF at line 1, character 15`},
		{"unknown function", expression(`summ(tags("a/*"))`), `expr: unknown name "summ" (did you mean sum? a tag is written tag("device/name"), and functions are ` + functions + `)`},
		{"a function of the language", expression(`map(tags("a/*"), # * 2)`), `expr: "#" cannot be used here (expressions have operators, functions and condition ? a : b alone)
expr: "# * 2" cannot be used here (expressions have operators, functions and condition ? a : b alone)
expr: unknown function "map" (did you mean max? a tag is written tag("device/name"), and functions are ` + functions + `)`},
		{"a bare name", expression(`power * 2`), `expr: unknown name "power" (a tag is written tag("device/name"), and functions are ` + functions + `)`},
		{"a computed name", expression(`tag("a/" + "x")`), `expr: "tag(\"a/\" + \"x\")": tag takes one name in quotes (write tag("device/name"))`},
		{"no name", expression(`tags()`), `expr: "tags()": tags takes one name in quotes (write tags("device/name"))`},
		{"bad pattern", expression(`sum(tags("a[/x"))`), `expr: tags("a[/x"): the pattern has a bracket without its partner (such as tags("inv[1-4]/power"))`},
		{"operator", expression(`tag("a/x") % 2`), `expr: the operator "%" cannot be used here (use + - * / ** ^ == != < <= > >= and && or || not ! in ??)`},
		{"range", expression(`count(1..1000000000) + tag("a/x")`), `expr: the operator ".." cannot be used here (use + - * / ** ^ == != < <= > >= and && or || not ! in ??)`},
		{"variable", expression(`let a = tag("a/x"); a + a`), `expr: unknown name "a" (a tag is written tag("device/name"), and functions are ` + functions + `)
expr: "let a = tag(\"a/x\"); a + a" cannot be used here (expressions have operators, functions and condition ? a : b alone)`},
		{"no tag", expression(`1 + 1`), `expr: "1 + 1" uses no tag (a tag is written tag("device/name"))`},
		{"too long", expression(strings.Repeat("1+", 3000) + "1"), `expr: the expression has 6001 bytes, and 4096 are allowed (split it into several tags)`},
		{"too many nodes", expression(strings.Repeat("1+", 1000) + "1"), `expr: "` + strings.Repeat("1+", 30) + `…": compilation failed: expression exceeds maximum allowed nodes at line 1, character 1002`},
	} {
		l := newLink("park", "calc")
		o := computed(`tag("a/x")`, "all")
		c.edit(l, add(l, "p", o), o)
		got := strings.ReplaceAll(texts(calc.New(live.New()).Check(l)), "park/p: ", "")
		if got != c.want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func expression(text string) func(*tag.Link, *tag.Tag, *calc.TagOptions) {
	return func(_ *tag.Link, _ *tag.Tag, o *calc.TagOptions) { o.Expr = text }
}

func TestBind(t *testing.T) {
	for _, c := range []struct {
		name  string
		exprs []string // of park/p0, park/p1, ...
		want  string
	}{
		{"tags of two links", []string{`tag("inv1/power") + sum(tags("inv*/power"))`}, ""},
		{"computed of computed", []string{`tag("inv1/power")`, `2 * tag("park/p0")`, `tag("park/p1") + tag("park/p0")`}, ""},
		{"misspelt", []string{`tag("inv1/powr")`}, `park/p0: expr: tag("inv1/powr"): there is no such tag (did you mean inv1/power?)`},
		{"without its device", []string{`tag("power")`}, `park/p0: expr: tag("power"): there is no such tag (did you mean inv1/power? Tags are named with their device)`},
		{"far off", []string{`tag("x")`}, `park/p0: expr: tag("x"): there is no such tag (tags are named device/name, as in the tag map)`},
		{"write only", []string{`tag("inv2/reset")`}, `park/p0: expr: tag("inv2/reset"): there is no such tag (tags are named device/name, as in the tag map)`},
		{"pattern without a match", []string{`sum(tags("meter*/power"))`},
			`park/p0: expr: tags("meter*/power") matches no tag (patterns are for device/name, such as inv*/power; * does not stand for a slash)`},
		{"every fault at once", []string{`tag("inv1/powr") + tag("inv2/pwer")`, `tag("inv3/power")`},
			`park/p0: expr: tag("inv1/powr"): there is no such tag (did you mean inv1/power?)
park/p0: expr: tag("inv2/pwer"): there is no such tag (did you mean inv2/power?)
park/p1: expr: tag("inv3/power"): there is no such tag (did you mean inv1/power?)`},
		{"itself", []string{`tag("park/p0") + 1`}, `park/p0: expr: park/p0 uses itself (a pattern must not match the tag it computes)`},
		{"itself by a pattern", []string{`sum(tags("*/p*"))`}, `park/p0: expr: park/p0 uses itself (a pattern must not match the tag it computes)`},
		{"a ring", []string{`tag("park/p1")`, `tag("park/p2")`, `tag("park/p0") + tag("inv1/power")`},
			`park/p0: expr: tags use each other in a ring: park/p0 -> park/p1 -> park/p2 -> park/p0 (one of them must go by other tags)`},
		{"broken ones are Check's", []string{`sum(`}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			one, two, park := newLink("inv1", "sim"), newLink("inv2", "sim"), newLink("park", "calc")
			add(one, "power", nil)
			add(two, "power", nil)
			add(two, "reset", nil).Access = tag.AccessWrite
			for i, e := range c.exprs {
				add(park, "p"+string(rune('0'+i)), computed(e, "all"))
			}
			if got := texts(calc.Bind([]*tag.Link{one, two, park})); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestBindingTellsItsSources: a link is restarted by what this text says.
func TestBindingTellsItsSources(t *testing.T) {
	one, park := newLink("inv1", "sim"), newLink("park", "calc")
	add(one, "b", nil)
	add(one, "a", nil)
	o := computed(`tag("inv1/b") + sum(tags("inv1/*"))`, "all")
	add(park, "x", o)
	for _, want := range []string{"", "inv1/b\ninv1/a\n", "inv1/b\ninv1/a\ninv1/c\n"} {
		if got, err := o.Bound.MarshalText(); string(got) != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		if want != "" {
			add(one, "c", nil)
		}
		if faults := calc.Bind([]*tag.Link{one, park}); faults != nil {
			t.Fatal(faults)
		}
	}
}

func TestTooManyValues(t *testing.T) {
	one, park := newLink("inv1", "sim"), newLink("park", "calc")
	for i := range 1000 {
		add(one, "t"+string(rune('A'+i)), nil)
	}
	add(park, "x", computed(`sum(tags("inv1/*"))`+strings.Repeat(`+sum(tags("inv1/*"))`, 100), "all"))
	if got, want := texts(calc.Bind([]*tag.Link{one, park})),
		"park/x: expr: the expression uses 101000 values, and 100000 are allowed (compute sums of sums)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzExpression: no expression panics, hangs, or gives a value of no kind.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		`sum(tags("a/*"))`, `tag("a/x") ** 99 / 0`, `-tag("a/s") + 1`, `tag("a/s") in ["x", nil]`, `round(1e300, 15) + mod(1, 0)`,
		`let x = 1; x`, `map(1..9, #)`, `{"a": tag("a/x")}.a`, `tag("a/b") ? [1, [2]] : nil ?? count(nil)`, `"\u{10ffff}" + tag("a/s")`,
		`((((((((((((tag("a/x")))))))))))))`, `tag("a/x") | max(3, "")`, `if true { tag("a/x") } else { 0 }`, `tag("a/s") matches "(a+)+$"`,
	} {
		f.Add(s)
	}
	store := live.New()
	src := newLink("a", "sim")
	for name, v := range map[string]tag.Value{"x": tag.Float64(1e200), "s": tag.String("text"), "b": tag.Bool(true), "i": tag.Int(-5)} {
		store.Cell(add(src, name, nil)).Set(&tag.Sample{Value: v}, time.Now())
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, l := calc.New(store), newLink("park", "calc")
		add(l, "p", computed(text, "any"))
		if d.Check(l) != nil || calc.Bind([]*tag.Link{src, l}) != nil {
			return
		}
		c, err := d.Open(t.Context(), l, quiet)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		g, err := c.Prepare(t.Context(), l.Devices[0], l.Devices[0].Tags)
		if err != nil {
			t.Fatalf("%q: accepted, but %v", text, err)
		}
		got, err := g.Read(t.Context(), nil)
		if err != nil || len(got) != 1 {
			t.Fatalf("%q: got %v, %v", text, got, err)
		}
		if s := got[0]; s.Value.IsNull() != (s.Quality.Level == tag.Bad) {
			t.Errorf("%q: got %v with quality %v", text, s.Value, s.Quality)
		}
	})
}
