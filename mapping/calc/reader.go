package calc

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/expr-lang/expr/vm"

	"fieldferry/live"
	"fieldferry/tag"
)

// Reasons that only computed tags have.
const (
	reasonPartial  = "some sources are bad"
	reasonFormula  = "cannot be computed"
	reasonRounding = "integer beyond 2^53"
)

// reader computes one tag. It is used by one goroutine at a time.
type reader struct {
	tag     *tag.Tag
	any     bool // require: any
	bound   *binding
	cells   []*live.Cell // one per source
	values  []any        // of the sources; nil where there is none
	machine vm.VM
	env     env
	log     *slog.Logger
	failing bool   // the formula failed the last time: log the edge
	version uint64 // of the sources that were told last; 0: none. Owned by group.changes
}

// inputs is what the sources say together.
type inputs struct {
	missing  int    // bad, or without a value
	unread   int    // of those, never read since the start
	reason   string // why the result is uncertain, empty if it is not
	time     time.Time
	bySource bool // time is that of a source's own clock
}

func newReader(t *tag.Tag, o *TagOptions, c *conn) *reader {
	r := &reader{tag: t, any: o.Require == "any", bound: o.Bound.b, log: c.log}
	for _, src := range o.Bound.b.sources {
		cell := c.store.Find(src.Device.Name, src.Name)
		if cell == nil {
			cell = c.store.Cell(src) // its link starts later
		}
		r.cells = append(r.cells, cell)
	}
	r.values = make([]any, len(r.cells))
	r.machine.MemoryBudget = maxMemory
	r.env = env{Tag: r.one, Tags: r.many}
	return r
}

// one is tag("name").
func (r *reader) one(args ...any) (any, error) {
	return r.values[r.bound.single[args[0].(string)]], nil
}

// many is tags("pattern"): the values that there are.
func (r *reader) many(args ...any) (any, error) {
	positions := r.bound.lists[args[0].(string)]
	list := make([]any, 0, len(positions))
	for _, i := range positions {
		if v := r.values[i]; v != nil {
			list = append(list, v)
		}
	}
	return list, nil
}

// sourceVersion grows with each Set of any source, and is never zero.
func (r *reader) sourceVersion() uint64 {
	n := uint64(1)
	for _, c := range r.cells {
		n += c.Version()
	}
	return n
}

// gather reads the sources.
func (r *reader) gather() inputs {
	var in inputs
	for i, c := range r.cells {
		s, read := c.Get()
		r.values[i] = nil
		if s.Time.After(in.time) {
			in.time, in.bySource = s.Time, s.BySource
		}
		if !read || s.Quality.Level >= tag.Bad || s.Value.IsNull() {
			in.missing++
			if !read {
				in.unread++
			}
			continue
		}
		v, exact := operand(s.Value)
		r.values[i] = v
		if in.reason == "" && s.Quality.Level == tag.Uncertain {
			in.reason = s.Quality.Reason
		}
		if in.reason == "" && !exact {
			in.reason = reasonRounding
		}
	}
	if in.missing > 0 {
		in.reason = reasonPartial
	}
	return in
}

// compute makes the sample of the values that gather read.
func (r *reader) compute(in inputs) tag.Sample {
	s := tag.Sample{Tag: r.tag, Time: in.time, BySource: in.bySource}
	if s.Time.IsZero() {
		s.Time = time.Now().UTC() // no source was ever read, or tells a time
	}
	if len(r.cells) > 0 && in.missing == len(r.cells) || in.missing > 0 && !r.any {
		s.Quality = tag.BadFor(tag.ReasonSource)
		return s
	}
	v, err := r.run()
	r.logEdge(err, in.missing)
	switch {
	case err != nil && in.missing > 0:
		s.Quality = tag.BadFor(tag.ReasonSource)
	case err != nil:
		s.Quality = tag.BadFor(reasonFormula)
	case in.reason != "":
		s.Value, s.Quality = v, tag.UncertainFor(in.reason)
	default:
		s.Value = v
	}
	return s
}

func (r *reader) run() (tag.Value, error) {
	out, err := r.machine.Run(r.bound.formula.program, r.env)
	if err != nil {
		return tag.Value{}, errors.New(say(err))
	}
	return result(out, r.tag.Type)
}

// logEdge tells once when an expression begins to fail with all its sources
// there, and once when it no longer does.
func (r *reader) logEdge(err error, missing int) {
	failing := err != nil && missing == 0
	if failing == r.failing {
		return
	}
	r.failing = failing
	if failing {
		r.log.Warn("computed tag fails", "tag", r.tag.Path(), "err", err)
	} else {
		r.log.Info("computed tag works again", "tag", r.tag.Path())
	}
}

// operand is a source's value as an expression sees it, and whether it is
// exactly that.
func operand(v tag.Value) (any, bool) {
	switch v.Kind() {
	case tag.KindBool:
		b, _ := v.Truth()
		return b, true
	case tag.KindFloat32:
		// 22.1 in single precision is 22.100000381...; it means 22.1.
		f, err := strconv.ParseFloat(v.String(), 64)
		return f, err == nil
	case tag.KindInt, tag.KindUint, tag.KindFloat64:
		f, _ := v.Number()
		return f, v.Kind() == tag.KindFloat64 || math.Abs(f) <= 1<<53
	}
	return v.String(), true
}

// result is the value of what an expression gave, for a tag of type typ.
func result(out any, typ string) (tag.Value, error) {
	var v tag.Value
	var kind string
	switch out := out.(type) {
	case nil:
		return v, errNoValue
	case bool:
		v, kind = tag.Bool(out), "bool"
	case string:
		v, kind = tag.String(out), "string"
	case float64:
		v, kind = tag.Float64(tidy(out)), "float64"
		if i, whole := v.Integer(); typ == "int64" && whole {
			v, kind = tag.Int(i), "int64"
		}
	case []any:
		return v, errors.New("the result is a list: use sum, mean, min, max or count")
	default:
		return v, fmt.Errorf("the result is of an unexpected kind, %T", out)
	}
	if typ != "" && typ != kind {
		return tag.Value{}, fmt.Errorf("the result %.40s is not of type %s", v, typ)
	}
	return v, nil
}

// tidy rounds a fraction to the 15 digits that double precision carries
// through a decimal text unharmed.
func tidy(f float64) float64 {
	if f == math.Trunc(f) || math.IsNaN(f) || math.IsInf(f, 0) {
		return f
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', 15, 64), 64)
	if err != nil {
		return f
	}
	return short
}
