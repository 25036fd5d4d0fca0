package gateway

import (
	"context"
	"maps"
	"slices"
	"time"

	"fieldferry/configs"
	"fieldferry/internal/gateway/budget"
	"fieldferry/tag"
	"fieldferry/web/plant/learnt"
)

// BusTimes tells for each link of a configuration what was asked of it and
// what it can do, a line each. A link that cannot keep up says "warning:".
func BusTimes(cfg *configs.Gateway) []string { return budget.Lines(cfg.Links) }

// weighLinks works out the bus time of the running links.
func (g *Gateway) weighLinks(now time.Time) {
	g.mu.Lock()
	links := slices.Collect(maps.Values(g.links))
	g.mu.Unlock()
	for _, p := range links {
		p.budget.Weigh(p.link, p.runner.Stats().Busy, now)
	}
}

// Facts lists what was learnt about the devices of all links.
func (g *Gateway) Facts(context.Context) []learnt.Fact { return budget.Facts(g.linksNow()) }

// Forget drops a fact by its id, or all facts of a device.
func (g *Gateway) Forget(_ context.Context, id, author string) (int, error) {
	n, err := budget.Forget(g.linksNow(), id)
	if n > 0 {
		g.log.Info("learnt facts forgotten", "fact", id, "author", author)
	}
	return n, err
}

func (g *Gateway) linksNow() []*tag.Link {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.config.Links
}
