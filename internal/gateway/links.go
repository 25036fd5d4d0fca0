package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"fieldferry/buffer"
	"fieldferry/command"
	"fieldferry/drivers"
	"fieldferry/drivers/acquire"
	"fieldferry/mapping"
	"fieldferry/tag"
)

// appender is what a link needs of the buffer.
type appender interface {
	Append(samples []tag.Sample) error
}

var _ appender = (*buffer.Buffer)(nil)

// sink is the way of a link's samples: mapped, then appended. acquire calls it
// from one goroutine at a time.
type sink struct {
	table *mapping.Table
	out   appender
	log   *slog.Logger

	swept  []tag.Sample
	failed bool // the last Append failed: only the edge is logged
}

func (s *sink) Accept(in []tag.Sample) { s.append(s.table.Apply(in)) }

func (s *sink) Sweep(now time.Time) {
	s.swept = s.table.Sweep(now, s.swept[:0])
	s.append(s.swept)
}

func (s *sink) Pushed(tags []*tag.Tag) { s.table.Pushed(tags) }

// append hands samples to the buffer, which counts what it cannot keep.
func (s *sink) append(out []tag.Sample) {
	if len(out) == 0 {
		return
	}
	err := s.out.Append(out)
	if (err != nil) == s.failed {
		return
	}
	s.failed = err != nil
	if s.failed {
		s.log.Error("samples not kept", "err", err)
	} else {
		s.log.Info("samples are kept again")
	}
}

// linkPart is a running link.
type linkPart struct {
	link        *tag.Link
	fingerprint string
	runner      *acquire.Runner
	table       *mapping.Table
	cancel      context.CancelFunc
	done        sync.WaitGroup
}

// startLink makes a link run until stop. A table of the link's former life
// hands its deadband state on.
func (g *Gateway) startLink(l *tag.Link, fingerprint string, rule func(*tag.Tag) mapping.Config, old *mapping.Table) (*linkPart, error) {
	d, ok := g.driver(l.Driver)
	if !ok {
		return nil, fmt.Errorf("link %s: no driver %q", l.Name, l.Driver)
	}
	log := g.log.With("link", l.Name)
	p := &linkPart{link: l, fingerprint: fingerprint, table: mapping.Compile(l, rule, g.store, time.Now)}
	if old != nil {
		p.table.Carry(old)
	}
	p.runner = acquire.New(l, d, &sink{table: p.table, out: g.buffer, log: log}, g.log)
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.done.Go(func() {
		if err := p.runner.Run(ctx); err != nil {
			log.Error("link ended", "err", err)
		}
	})
	return p, nil
}

// stop ends the link and returns when nothing of it runs any more.
func (p *linkPart) stop() {
	p.cancel()
	p.done.Wait()
}

// driver finds a driver by name. The computed tags' driver belongs to this
// gateway, because it looks at its values.
func (g *Gateway) driver(name string) (drivers.Driver, bool) {
	if name == "calc" {
		return g.calc, true
	}
	return drivers.Lookup(name)
}

// lane is the write lane of one link in engineering units.
type lane struct{ part *linkPart }

var _ command.Lane = lane{}

func (l lane) Write(ctx context.Context, t *tag.Tag, v tag.Value) (tag.Value, error) {
	raw, err := l.part.table.Raw(t, v)
	if err != nil {
		return tag.Value{}, err
	}
	got, err := l.part.runner.Write(ctx, t, raw)
	if errors.Is(err, drivers.ErrOutcomeUnknown) {
		err = fmt.Errorf("%w: %w", command.ErrUnknown, err)
	}
	if err != nil {
		return tag.Value{}, err
	}
	back := l.part.table.Engineering(t, got.Value)
	switch {
	case got.Quality.Level == tag.Bad:
		return tag.Value{}, fmt.Errorf("%w: %s", command.ErrNotTaken, got.Quality)
	case !got.Value.IsNull() && !taken(raw, got.Value) && !l.near(t, v, back):
		return back, fmt.Errorf("%w: %v", command.ErrNotTaken, back)
	}
	return back, nil
}

// near says that what was read back is within the tag's tolerance of what was
// asked for, both in engineering units.
func (l lane) near(t *tag.Tag, asked, back tag.Value) bool {
	r, _ := l.part.table.Rule(t)
	a, ok1 := asked.Number()
	b, ok2 := back.Number()
	return r.Config.WriteTolerance != nil && ok1 && ok2 && math.Abs(a-b) <= *r.Config.WriteTolerance
}

// taken compares what was written with what was read back, both in the
// device's own units, as far as its type can tell them apart.
func taken(wrote, got tag.Value) bool {
	if wrote == got {
		return true
	}
	a, number := wrote.Number()
	b, alike := got.Number()
	if number != alike {
		return false
	}
	if number {
		return a == b || got.Kind() == tag.KindFloat32 && float32(a) == float32(b)
	}
	x, _ := wrote.Text()
	y, _ := got.Text()
	if got.Kind() == tag.KindJSON {
		return takenArray(x, y)
	}
	return strings.TrimRight(x, "\x00 ") == strings.TrimRight(y, "\x00 ")
}

// takenArray compares arrays as JSON texts, whose elements may be of single
// precision.
func takenArray(wrote, got string) bool {
	var a, b []any
	if json.Unmarshal([]byte(wrote), &a) != nil || json.Unmarshal([]byte(got), &b) != nil || len(a) != len(b) {
		return false
	}
	for i := range a {
		x, ok1 := a[i].(float64)
		y, ok2 := b[i].(float64)
		if a[i] != b[i] && !(ok1 && ok2 && float32(x) == float32(y)) {
			return false
		}
	}
	return true
}

// limitsOf are the limits that the running link has for a tag: after a reload
// a link that did not change still runs with the tags that it was made with.
func (g *Gateway) limitsOf(t *tag.Tag) command.Limits {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.links[t.Device.Link.Name]
	if p == nil {
		return command.Limits{}
	}
	r, _ := p.table.Rule(t)
	c := r.Config
	return command.Limits{Min: c.Min, Max: c.Max, Step: c.Step, MaxStep: c.MaxStep, MinInterval: c.MinWriteInterval}
}

// laneOf finds the lane of a tag of the running configuration.
func (g *Gateway) laneOf(t *tag.Tag) (command.Lane, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.links[t.Device.Link.Name]
	if p == nil || p.link != t.Device.Link {
		return nil, false
	}
	return lane{p}, true
}
