package gateway

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"fieldferry/buffer"
	"fieldferry/buffer/latency"
	"fieldferry/configs"
	"fieldferry/drivers/acquire"
	"fieldferry/internal/gateway/budget"
	"fieldferry/tag"
	"fieldferry/web/plant"
)

var _ plant.Plant = (*Gateway)(nil)

// Status returns a snapshot for the page. It reads memory only.
func (g *Gateway) Status() plant.Status {
	g.mu.Lock()
	links := make([]*linkPart, 0, len(g.links))
	for _, p := range g.links {
		links = append(links, p)
	}
	uplinks := make([]*uplinkPart, 0, len(g.uplinks))
	for _, p := range g.uplinks {
		uplinks = append(uplinks, p)
	}
	cfg, fault := g.config, g.fault
	g.mu.Unlock()
	now, bs := time.Now(), g.buffer.Stats()
	st := plant.Status{
		Gateway: cfg.Name, Version: g.opts.Version, Started: g.started, Now: now,
		Revision: cfg.Version, Fault: fault, Buffer: bufferStatus(cfg, &bs, now),
	}
	for _, p := range links {
		ls := p.runner.Stats()
		out := linkStatus(p.link, &ls)
		p.budget.Fill(&out)
		budget.Observe(p.link, &out)
		st.Links = append(st.Links, out)
		for i := range ls.Devices {
			st.Devices = append(st.Devices, deviceStatus(p.link.Devices[i], &ls, &ls.Devices[i]))
		}
	}
	for _, p := range uplinks {
		st.Uplinks = append(st.Uplinks, uplinkStatus(p, &bs, now))
	}
	slices.SortFunc(st.Links, func(a, b plant.Link) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(st.Devices, func(a, b plant.Device) int {
		return cmp.Or(cmp.Compare(a.Link, b.Link), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(st.Uplinks, func(a, b plant.Uplink) int { return cmp.Compare(a.Name, b.Name) })
	return st
}

func linkStatus(l *tag.Link, s *acquire.LinkStats) plant.Link {
	out := plant.Link{
		Name: s.Name, Driver: s.Driver, Endpoint: s.Endpoint, State: plant.Down, Since: s.Since, Error: s.LastError,
		Cycles: s.Reads, Overruns: s.Overruns, Connects: s.Reconnects,
	}
	switch {
	case s.Up:
		out.State, out.Error = plant.Up, ""
		out.Connects++
	case s.LastError == "":
		out.State = plant.Starting
	}
	for i, d := range l.Devices {
		shortest := time.Duration(0)
		for _, t := range d.Tags {
			if t.Access.Readable() && (shortest == 0 || t.Interval < shortest) {
				shortest = t.Interval
			}
		}
		if shortest > 0 && (out.Requested == 0 || shortest < out.Requested) {
			out.Requested = shortest
		}
		out.Measured += s.Devices[i].Typical
	}
	return out
}

func deviceStatus(d *tag.Device, l *acquire.LinkStats, s *acquire.DeviceStats) plant.Device {
	out := plant.Device{
		Name: s.Name, Link: l.Name, State: plant.Up, Since: s.Since, LastAnswer: s.LastAnswer,
		Missed: s.MissedNow, Errors: s.Missed, RoundTrip: s.Took,
		Error: strings.TrimPrefix(s.LastError, "device "+s.Name+": "), // it stands beside the name
	}
	switch {
	case !l.Up && l.LastError != "":
		out.State, out.Since, out.Error = plant.Down, l.Since, l.LastError
	case s.Dead:
		out.State = plant.Dead
	case s.LastAnswer.IsZero():
		out.State = plant.Starting
	case d.Maintenance:
		out.State = plant.Maintenance
	case s.MissedNow == 0:
		out.Error = ""
	}
	if out.Since.IsZero() {
		out.Since = l.Since
	}
	return out
}

// Tags returns the list of tags and its generation.
func (g *Gateway) Tags() ([]*tag.Tag, uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tags, g.generation
}

// Value returns the latest value of a tag.
func (g *Gateway) Value(t *tag.Tag) plant.Value {
	c := g.store.Find(t.Device.Name, t.Name)
	if c == nil {
		return plant.Value{}
	}
	s, ok := c.Get()
	if !ok {
		return plant.Value{}
	}
	return plant.Value{Value: s.Value, Quality: s.Quality, Time: s.Time, Fresh: c.Fresh(), Version: c.Version()}
}

func bufferStatus(cfg *configs.Gateway, s *buffer.Stats, now time.Time) plant.Buffer {
	out := plant.Buffer{
		State: plant.Up, Bytes: s.Bytes, MaxBytes: int64(cfg.Buffer.MaxBytes), Appended: s.Appended, Dropped: s.Dropped,
		Segments: s.Segments, InMemory: s.InMemory, Shared: s.Shared, Skipped: s.Skipped, Oversized: s.Oversized, Written: s.Written,
		Failures: s.Failures, Aside: s.SetAside, AsideSize: s.SetAsideBytes,
		Syncs: plant.Times{Count: s.SyncTimes.Count, Sum: s.SyncTimes.Sum, Last: s.SyncTimes.Last, Max: s.SyncTimes.Max, Up: map[time.Duration]uint64{}},
	}
	for i, n := range s.SyncTimes.Up {
		out.Syncs.Up[latency.Bound(i)] = n
	}
	if s.Degraded != nil {
		out.State, out.Error, out.Failing = plant.Down, s.Degraded.Error(), now.Add(-s.DegradedFor)
	}
	var oldest time.Duration
	for i := range s.Readers {
		oldest = max(oldest, s.Readers[i].OldestAge)
	}
	if oldest > 0 {
		out.Oldest = now.Add(-oldest)
	}
	return out
}
