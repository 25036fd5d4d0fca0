package gateway

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"fieldferry/configs"
	"fieldferry/drivers"
	"fieldferry/tag"
	"fieldferry/web/plant"
)

// setStateDirs tells drivers where to keep what they learn: beside the buffer,
// on the disk that is meant to be written to.
func setStateDirs(cfg *configs.Gateway) {
	for _, l := range cfg.Links {
		l.StateDir = filepath.Join(filepath.Dir(cfg.Buffer.Dir), "learnt")
	}
}

// BusTimes tells for each link of a configuration what was asked of it and
// what it can do, a line each, as far as its driver can say. A link that
// cannot keep up says "warning:".
func BusTimes(cfg *configs.Gateway) []string {
	var out []string
	for _, l := range cfg.Links {
		b := estimate(l)
		if b == nil || b.Asked == 0 {
			continue
		}
		line := fmt.Sprintf("link %s: %s", l.Name, b)
		if b.Use > 1 {
			line = fmt.Sprintf("warning: link %s cannot keep up: %s (read less often, fewer tags, or at a higher baud rate)", l.Name, b)
		}
		out = append(out, line)
	}
	return out
}

// estimate is the bus time of a link, or nil where its driver cannot say.
func estimate(l *tag.Link) *drivers.BusTime {
	d, ok := drivers.Lookup(l.Driver)
	e, can := d.(drivers.Estimator)
	if !ok || !can {
		return nil
	}
	b := e.Estimate(l)
	return &b
}

// weighEvery is how often the bus time of running links is worked out anew.
const weighEvery = 10 * time.Second

// used is how long a link had been in use at a time.
type used struct {
	at   time.Time
	busy time.Duration
}

// weighLinks works out the bus time of the running links from what was
// measured by now. It is called by one goroutine.
func (g *Gateway) weighLinks(now time.Time) {
	g.mu.Lock()
	links := make([]*linkPart, 0, len(g.links))
	for _, p := range g.links {
		links = append(links, p)
	}
	g.mu.Unlock()
	for _, p := range links {
		if now.Sub(p.used.at) < weighEvery {
			continue
		}
		p.asked.Store(estimate(p.link))
		busy := p.runner.Stats().Busy
		if !p.used.at.IsZero() {
			share := float64(busy-p.used.busy) / float64(now.Sub(p.used.at))
			p.share.Store(&share)
		}
		p.used = used{now, busy}
	}
}

// fillBusTime puts what is known of a link's bus time into its status.
func (p *linkPart) fillBusTime(out *plant.Link) {
	if b := p.asked.Load(); b != nil && b.Asked > 0 {
		out.Achievable, out.Planned, out.Budget = b.Achievable, b.Use, b.String()
	}
	if share := p.share.Load(); share != nil {
		out.Used = *share
	}
}

// Facts lists what was learnt about the devices of all links.
func (g *Gateway) Facts(context.Context) []plant.Fact {
	var out []plant.Fact
	for _, l := range g.linksNow() {
		d, _ := drivers.Lookup(l.Driver)
		learner, ok := d.(drivers.Learner)
		if !ok {
			continue
		}
		for _, f := range learner.Facts(l) {
			out = append(out, plant.Fact{Link: l.Name, ID: f.ID, Device: f.Device, Text: f.Text, Why: f.Why, Learned: f.Learned, Retry: f.Retry})
		}
	}
	return out
}

// Forget drops a fact by its id, or all facts of a device.
func (g *Gateway) Forget(_ context.Context, id, author string) (int, error) {
	device, _, _ := strings.Cut(id, "/")
	for _, l := range g.linksNow() {
		d, _ := drivers.Lookup(l.Driver)
		learner, ok := d.(drivers.Learner)
		if !ok {
			continue
		}
		n, err := learner.Forget(l, id)
		if n > 0 {
			g.log.Info("learnt facts forgotten", "link", l.Name, "device", device, "fact", id, "author", author)
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, fmt.Errorf("%w: nothing is known by %q", plant.ErrUnknown, id)
}

func (g *Gateway) linksNow() []*tag.Link {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.config.Links
}
