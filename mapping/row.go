package mapping

import (
	"math"
	"time"

	"fieldferry/live"
	"fieldferry/tag"
)

// row is one tag of a table: its rule made ready, and its state.
type row struct {
	rule   Rule
	params params
	scale  scaling
	cell   *live.Cell
	stale  time.Duration // 0: never
	state  state
}

// params are a rule's numbers without pointers, so that two can be compared.
type params struct {
	scale, offset, deadband float64
	min, max                float64 // infinite where there is no limit
	minInterval             time.Duration
	maxInterval             time.Duration
	staleAfter              time.Duration
}

// state is what a row knows of the past. Times are the gateway's.
type state struct {
	started time.Time  // when the table was compiled
	seen    bool       // current holds a sample
	current tag.Sample // the last read as processed, or what Sweep made of it
	readAt  time.Time  // when it was read
	told    bool       // the three below are valid
	value   tag.Value  // last published
	quality tag.Quality
	toldAt  time.Time
	held    bool // current waits for min_interval
}

func newRow(t *tag.Tag, c Config, cell *live.Cell, now time.Time) row {
	p := params{
		scale: or(c.Scale, 1), offset: or(c.Offset, 0), deadband: or(c.Deadband, 0),
		min: or(c.Min, math.Inf(-1)), max: or(c.Max, math.Inf(1)),
		minInterval: c.MinInterval, maxInterval: c.MaxInterval, staleAfter: c.StaleAfter,
	}
	return row{
		rule: Rule{Tag: t, Config: c}, params: p, scale: newScaling(c), cell: cell,
		stale: c.staleAfter(t), state: state{started: now},
	}
}

func or(p *float64, dflt float64) float64 {
	if p == nil {
		return dflt
	}
	return *p
}

// process turns what a driver read into what the tag map promises.
func (r *row) process(s *tag.Sample) {
	if s.Quality.Level < tag.Bad {
		s.Value = r.scale.engineering(s.Value)
		s.Quality = r.judge(s.Value, s.Quality)
	}
	if s.Quality.Level >= tag.Bad {
		s.Quality.Level = tag.Bad // a level that nobody knows is no better
		s.Value = tag.Value{}
	}
	if s.Tag.Device != nil && s.Tag.Device.Maintenance {
		s.Quality.Level = max(s.Quality.Level, tag.Uncertain)
		s.Quality.Reason = tag.ReasonMaintenance
	}
}

// judge lowers the quality of a value that is none or beyond its limits.
func (r *row) judge(v tag.Value, q tag.Quality) tag.Quality {
	if v.IsNull() {
		return tag.BadFor(tag.ReasonBadValue)
	}
	if !number(v) {
		return q
	}
	f, _ := v.Number()
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return tag.BadFor(tag.ReasonNotFinite)
	case (f < r.params.min || f > r.params.max) && q.Level == tag.Good:
		return tag.UncertainFor(tag.ReasonOutOfRange)
	}
	return q
}

type verdict uint8

const (
	suppress verdict = iota
	hold             // worth it, but too early
	publish
)

// worth decides about a processed sample.
func (r *row) worth(s *tag.Sample, now time.Time) verdict {
	st := &r.state
	if !st.told || s.Quality != st.quality {
		return publish
	}
	since := now.Sub(st.toldAt)
	switch {
	case r.params.maxInterval > 0 && since+r.early() >= r.params.maxInterval:
		return publish
	case s.Quality.Level == tag.Bad || !r.changed(s.Value):
		return suppress
	case since < r.params.minInterval:
		return hold
	}
	return publish
}

// early is how much before max_interval a read counts as due: were it left
// to the next read, that would be further off.
func (r *row) early() time.Duration {
	return min(r.rule.Tag.Interval, r.params.maxInterval) / 2
}

// changed says that v has left the deadband around the last published value.
// What is not a number has changed when it differs.
func (r *row) changed(v tag.Value) bool {
	if r.params.deadband == 0 {
		return true
	}
	last := r.state.value
	if !number(v) || !number(last) {
		return v != last
	}
	if d, ok := integerDistance(v, last); ok {
		return float64(d) >= r.params.deadband
	}
	// From 12.3 to 12.4 is a little less than 0.1 in floating point: the
	// rounding of both values is allowed for.
	ulp := 0x1p-51
	if v.Kind() == tag.KindFloat32 {
		ulp = 0x1p-22
	}
	a, _ := v.Number()
	b, _ := last.Number()
	return math.Abs(a-b)+ulp*max(math.Abs(a), math.Abs(b)) >= r.params.deadband
}

// integerDistance is exact beyond 2^53 too, where a float64 would not see a
// counter move.
func integerDistance(v, w tag.Value) (uint64, bool) {
	kind, a, _ := v.Parts()
	other, b, _ := w.Parts()
	if kind != other || kind != tag.KindInt && kind != tag.KindUint {
		return 0, false
	}
	if kind == tag.KindInt && int64(a) < int64(b) || kind == tag.KindUint && a < b {
		a, b = b, a
	}
	return a - b, true
}

// tell notes that s is published now.
func (r *row) tell(s *tag.Sample, now time.Time) {
	r.state.told, r.state.held = true, false
	r.state.value, r.state.quality, r.state.toldAt = s.Value, s.Quality, now
}

// read takes a sample of the driver and says whether to publish it.
func (r *row) read(s *tag.Sample, now time.Time) bool {
	r.process(s)
	st := &r.state
	v := r.worth(s, now)
	if v == suppress && !st.held && st.seen {
		r.cell.Refresh(now)
	} else {
		r.cell.Set(s, now)
	}
	st.seen, st.current, st.readAt = true, *s, now
	st.held = v == hold
	if v == publish {
		r.tell(s, now)
	}
	return v == publish
}

// sweep looks at a tag without a read and says whether to publish its
// current sample.
func (r *row) sweep(now time.Time) bool {
	st := &r.state
	if !st.seen {
		return r.sweepUnread(now)
	}
	switch {
	case st.held && now.Sub(st.toldAt) >= r.params.minInterval:
		// it is in live already
	case r.isStale(now):
		st.current.Quality = tag.UncertainFor(tag.ReasonStale)
		r.cell.Set(&st.current, st.readAt) // its age counts on
	case r.params.maxInterval > 0 && now.Sub(st.toldAt) >= r.params.maxInterval+r.late():
		r.cell.Set(&st.current, st.readAt)
	default:
		return false
	}
	r.tell(&st.current, now)
	return true
}

// sweepUnread tells once that a tag has not been read since the start.
func (r *row) sweepUnread(now time.Time) bool {
	if !r.rule.Tag.Access.Readable() || now.Sub(r.state.started) < r.rule.Config.staleAfter(r.rule.Tag) {
		return false
	}
	s := tag.Sample{Tag: r.rule.Tag, Quality: tag.BadFor(tag.ReasonStarting), Time: now.UTC()}
	r.process(&s)
	r.state.seen, r.state.current, r.state.readAt = true, s, now
	r.cell.Set(&s, now)
	r.tell(&s, now)
	return true
}

// isStale says that the last read stands no longer. A bad sample claims
// nothing that could be stale, and in maintenance nobody waits for a read.
func (r *row) isStale(now time.Time) bool {
	q := r.state.current.Quality
	return r.stale > 0 && now.Sub(r.state.readAt) > r.stale && q.Level != tag.Bad &&
		q.Reason != tag.ReasonStale && q.Reason != tag.ReasonMaintenance
}

// late is how long a tag that is read often enough is left to its next read
// when max_interval is over, so that a fresh value is published, not an old one.
func (r *row) late() time.Duration {
	if r.rule.Tag.Interval >= r.params.maxInterval {
		return 0
	}
	return r.rule.Tag.Interval
}
