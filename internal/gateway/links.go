package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"

	"fieldferry/command"
	"fieldferry/drivers"
	"fieldferry/drivers/acquire"
	"fieldferry/drivers/modbus/recorder"
	"fieldferry/internal/gateway/budget"
	"fieldferry/internal/gateway/finding"
	"fieldferry/internal/gateway/lane"
	"fieldferry/internal/gateway/sink"
	"fieldferry/mapping"
	"fieldferry/tag"
)

// linkPart is a running link.
type linkPart struct {
	link        *tag.Link
	fingerprint string
	runner      *acquire.Runner
	recorder    *recorder.Recorder // of the link's frames; empty where its driver records none
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
	p.runner = acquire.New(l, d, &sink.Sink{Table: p.table, Out: g.buffer, Log: log}, g.log)
	p.recorder = recorder.New(recorder.DefaultSize)
	ctx, cancel := context.WithCancel(recorder.NewContext(context.Background(), p.recorder))
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

// foundLink is a running link for whoever finds out what is on it.
func (g *Gateway) foundLink(name string) (finding.Link, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.links[name]
	if p == nil {
		return finding.Link{}, false
	}
	return finding.Link{Runner: p.runner, Recorder: p.recorder}, true
}
