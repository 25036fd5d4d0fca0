package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"fieldferry/buffer"
	"fieldferry/command"
	"fieldferry/drivers"
	"fieldferry/drivers/acquire"
	"fieldferry/internal/gateway/budget"
	"fieldferry/internal/gateway/lane"
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
	budget      budget.Meter
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
	return lane.Lane{Table: p.table, Runner: p.runner}, true
}
