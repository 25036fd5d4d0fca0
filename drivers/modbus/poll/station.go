package poll

import (
	"context"
	"slices"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/learn"
	"fieldferry/drivers/modbus/plan"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/drivers/modbus/wire/ahead"
	"fieldferry/tag"
)

// station is one device of an open link: what its lanes, the groups of tags of
// one interval each, share. Their reads are planned together, so that a slow
// tag can ride in a fast block.
type station struct {
	ahead  *ahead.Link // while a round has several requests under way
	c      *Line
	dev    *tag.Device
	unit   byte
	limits plan.Limits // as configured
	sleeps bool        // the first request after a while only wakes it
	meter  *plan.Meter
	facts  learn.Device
	lanes  []*Group

	refs     []ref       // what the items of the plan are
	costs    plan.Costs  // that the plan was made with
	known    plan.Limits // that it keeps to
	stale    bool        // plan anew
	single   bool        // asked out of turn, by a person: also for what is refused
	version  uint64      // of the facts that were looked at last
	until    time.Time   // when to look at them again; zero: never
	weighAt  uint64      // notes of the meter at which the costs are looked at again
	patience uint64      // notes from one plan by costs to the next, doubled each time
	watch    bool        // answers may tell something
	answered [4]int      // the longest request that was answered, by table

	pause   time.Duration // that the device needs
	upset   bool          // asking again was in vain, and it has not answered since
	tooSoon int           // refusals that a pause cured
	last    time.Time     // when its last answer or refusal was in
}

// ref is a tag of a lane.
type ref struct {
	g *Group
	i int // index among the tags of g
}

// Plans by costs are looked at every so many reads; after one was taken, twice
// as many must pass until the next, up to most, so that no plan swings.
const weighEvery, weighMost = 64, 1 << 16

// worthwhile is what a plan must cost at most, relative to the one in force,
// to take its place only because costs have moved.
const worthwhile = 0.97

// remerge is when parts of a block, of which nothing was learnt, are put
// together again.
const remerge = 10 * time.Minute

// station finds or makes the station of a device.
func (c *Line) station(d Device) *station {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.stations[d.Device]; s != nil {
		return s
	}
	s := &station{
		c: c, dev: d.Device, unit: byte(d.Unit), limits: d.Limits, sleeps: d.Sleeps, facts: c.Facts.Device(d.Device.Name, d.Unit),
		weighAt: weighEvery, patience: weighEvery,
	}
	prior := Expected(c.Costs, s.facts)
	s.meter = plan.NewMeter(prior.Costs)
	if c.Costs.Serial {
		s.meter = plan.NewLineMeter(prior.Costs)
	}
	s.costs, _ = s.meter.Costs()
	c.stations[d.Device] = s
	return s
}

// join makes a group one of the lanes. A second one of the same interval is
// that of somebody who asks for single tags out of turn: it gets a plan of its
// own, and rides with nobody.
func (s *station) join(g *Group) {
	for _, other := range s.lanes {
		if other.interval == g.interval {
			alone := *s
			alone.lanes, alone.refs, alone.stale, alone.single = []*Group{g}, nil, true, true
			g.st = &alone
			return
		}
	}
	g.st = s
	s.lanes = append(s.lanes, g)
	s.stale = true
}

// refresh plans anew where something has changed: the lanes, the facts, or
// what reads cost.
func (s *station) refresh(now time.Time) {
	version := s.c.Facts.Version()
	due := !s.until.IsZero() && !s.until.After(now)
	if s.stale || s.version != version || due {
		s.version = version
		limits, next := s.facts.Limits(s.limits, now)
		s.pause, s.watch = s.facts.Pause(), s.facts.Watches(now)
		same := limits.Max == s.known.Max && slices.Equal(limits.Walls, s.known.Walls)
		fragments := due && slices.ContainsFunc(s.lanes, func(g *Group) bool { return g.parted })
		s.known, s.until = limits, next
		if s.stale || fragments || !same {
			s.costs, _ = s.meter.Costs()
			s.adopt(plan.Blocks(s.items(), limits, s.costs))
		}
		return
	}
	if n := s.meter.Notes(); n >= s.weighAt {
		s.weighAt = n + weighEvery
		s.weigh()
	}
}

// weigh compares the plan in force with the best one at the costs measured by
// now.
func (s *station) weigh() {
	costs, n := s.meter.Costs()
	if n > 0 {
		s.facts.Keep(costs, n)
	}
	if n == 0 || !plan.Moved(s.costs, costs) {
		return
	}
	s.costs = costs
	var inForce []plan.Block
	for _, g := range s.lanes {
		for _, b := range g.blocks {
			inForce = append(inForce, b.Block)
		}
	}
	better := plan.Blocks(s.items(), s.known, costs)
	if plan.Load(better, costs) >= worthwhile*plan.Load(inForce, costs) {
		return
	}
	s.c.replans.Add(1)
	s.patience = min(2*s.patience, weighMost)
	s.weighAt = s.meter.Notes() + s.patience
	s.c.Log.Debug("reads planned anew", "device", s.dev.Name, "request", costs.Request, "register", costs.Register)
	s.adopt(better)
}

// items lists what the lanes read.
func (s *station) items() []plan.Item {
	var items []plan.Item
	s.refs = s.refs[:0]
	for _, g := range s.lanes {
		for i, l := range g.layouts {
			if p := g.places[i]; len(p.Members) > 0 && g.tags[i].Access.Readable() {
				items = append(items, plan.Item{Table: l.Table, Start: p.Start, Length: p.Length, Every: g.interval, Tag: len(s.refs)})
				s.refs = append(s.refs, ref{g, i})
			}
		}
	}
	return items
}

// adopt gives the lanes their blocks, and a seat to each tag that rides in the
// block of a faster lane.
func (s *station) adopt(blocks []plan.Block) {
	silent := map[plan.Range]bool{}
	for _, g := range s.lanes {
		for _, b := range g.blocks {
			silent[b.Range()] = b.silent
		}
		g.blocks, g.rides, g.first, g.parted = nil, nil, 0, false
	}
	for _, b := range blocks {
		nb := s.newBlock(b)
		nb.silent = silent[b.Range()]
		for _, g := range s.lanes {
			if g.interval == b.Every {
				g.blocks = append(g.blocks, nb)
			}
		}
		for _, it := range b.Items {
			if g := s.refs[it.Tag].g; g.interval != b.Every {
				alone := plan.Block{Table: it.Table, Start: it.Start, Length: it.Length, Every: it.Every, Items: []plan.Item{it}}
				g.rides = append(g.rides, ride{it, nb, s.newBlock(alone)})
			}
		}
	}
	s.stale = false
}

func (s *station) newBlock(b plan.Block) *block {
	nb := &block{Block: b, req: frame.Read(b.Table.ReadFunction(), b.Start, b.Length)}
	if len(b.Items) == 1 && !s.single {
		if why, until, refused := s.facts.Refused(b.Range()); refused {
			nb.refused, nb.retryAt = reasonRefused(why), until
		}
	}
	return nb
}

// exchange sends a read, after the pause that the device needs, and measures
// it.
func (s *station) exchange(ctx context.Context, t layout.Table, length int, req frame.PDU) (wire.Reply, error) {
	if s.pause > 0 && !wire.Pause(ctx, s.pause-time.Since(s.last)) {
		return wire.Reply{}, &frame.Error{Kind: frame.Cancelled, Err: ctx.Err()}
	}
	began := time.Now()
	reply, err := s.link().Exchange(ctx, s.unit, req)
	s.last = time.Now()
	if err == nil {
		if s.ahead == nil { // else it was asked before it was asked for
			s.meter.Note(t, length, s.last.Sub(began))
		}
		s.answered[t] = max(s.answered[t], length)
	}
	return reply, err
}
