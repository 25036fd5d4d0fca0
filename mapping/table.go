package mapping

import (
	"fmt"
	"time"

	"fieldferry/live"
	"fieldferry/tag"
)

// Rule is one tag with its processing.
type Rule struct {
	Tag    *tag.Tag
	Config Config
}

// Table processes the samples of one link. One goroutine uses it at a time.
type Table struct {
	clock func() time.Time
	rows  []row // by tag.Index; a row without a tag is a gap
}

// Compile makes the table of a link; rule is asked once for every tag and
// gives what Check has found no fault with. Cells of store are made for all
// tags. clock is the gateway's.
func Compile(link *tag.Link, rule func(*tag.Tag) Config, store *live.Store, clock func() time.Time) *Table {
	t := &Table{clock: clock}
	now := clock()
	for _, d := range link.Devices {
		for _, tg := range d.Tags {
			for tg.Index >= len(t.rows) {
				t.rows = append(t.rows, row{})
			}
			t.rows[tg.Index] = newRow(tg, rule(tg), store.Cell(tg), now)
		}
	}
	return t
}

// row returns the row of tg, nil for a tag that the table was not compiled for.
func (t *Table) row(tg *tag.Tag) *row {
	if tg == nil || tg.Index < 0 || tg.Index >= len(t.rows) || t.rows[tg.Index].rule.Tag != tg {
		return nil
	}
	return &t.rows[tg.Index]
}

// Rule returns what a tag was compiled with, and whether it is in the table.
func (t *Table) Rule(tg *tag.Tag) (Rule, bool) {
	r := t.row(tg)
	if r == nil {
		return Rule{}, false
	}
	return r.rule, true
}

// Apply processes samples in place and returns those to publish, in order, at
// the beginning of the same slice. The latest of every tag is in live
// afterwards. A sample of a tag that is not the table's is a fault of the
// driver: it is published as bad. Numbers do not allocate.
func (t *Table) Apply(in []tag.Sample) []tag.Sample {
	now := t.clock()
	out := in[:0]
	for i := range in {
		s := &in[i]
		r := t.row(s.Tag)
		if r == nil {
			s.Value, s.Quality = tag.Value{}, tag.BadFor(tag.ReasonDriver)
		} else if !r.read(s, now) {
			continue
		}
		out = append(out, *s)
	}
	return out
}

// Sweep appends what is to be published at now without a read: tags that
// became stale or were never read, values that min_interval held back, and
// tags that max_interval repeats. Call it about once a second.
func (t *Table) Sweep(now time.Time, dst []tag.Sample) []tag.Sample {
	for i := range t.rows {
		if r := &t.rows[i]; r.rule.Tag != nil && r.sweep(now) {
			dst = append(dst, r.state.current)
		}
	}
	return dst
}

// Pushed says that the device pushes these tags when they change. Silence
// does not make them stale then, unless stale_after is written in the tag
// map: the driver watches over the subscription. Call it after Compile.
func (t *Table) Pushed(tags []*tag.Tag) {
	for _, tg := range tags {
		if r := t.row(tg); r != nil {
			r.stale = r.params.staleAfter
		}
	}
}

// Carry takes over what old knows of the tags that have the same device, name,
// type and rule, so that a reload neither repeats nor forgets a value. Call it
// before the first Apply, when old is no longer in use; nil is allowed.
func (t *Table) Carry(old *Table) {
	if old == nil {
		return
	}
	type name struct{ device, tag string }
	nameOf := func(tg *tag.Tag) name { return name{tg.Device.Name, tg.Name} }
	byName := make(map[name]*row, len(old.rows))
	for i := range old.rows {
		if r := &old.rows[i]; r.rule.Tag != nil {
			byName[nameOf(r.rule.Tag)] = r
		}
	}
	for i := range t.rows {
		r := &t.rows[i]
		if r.rule.Tag == nil {
			continue
		}
		if o := byName[nameOf(r.rule.Tag)]; o != nil && o.params == r.params && o.rule.Tag.Type == r.rule.Tag.Type {
			r.state = o.state
			r.state.current.Tag = r.rule.Tag
		}
	}
}

// Raw converts a value from engineering units to what is written to the
// device. Integer types are rounded to the nearest step of their scale, or
// take whole numbers alone where there is no scale; whether the device's type
// can hold the result is for the driver to check.
func (t *Table) Raw(tg *tag.Tag, eng tag.Value) (tag.Value, error) {
	r := t.row(tg)
	if r == nil {
		return tag.Value{}, fmt.Errorf("tag %s is not of this link", tg.Path())
	}
	return r.scale.raw(eng, typeOf(tg))
}

// Engineering converts a value that was read back after a write. A tag that
// is not the table's has none: null.
func (t *Table) Engineering(tg *tag.Tag, raw tag.Value) tag.Value {
	r := t.row(tg)
	if r == nil {
		return tag.Value{}
	}
	return r.scale.engineering(raw)
}
