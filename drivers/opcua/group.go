package opcua

import (
	"context"
	"time"

	"github.com/gopcua/opcua/ua"

	"fieldferry/drivers/opcua/value"
	"fieldferry/tag"
)

// point is one tag of a group.
type point struct {
	tag    *tag.Tag
	node   *ua.NodeID // nil when broken says why
	broken string
	pushed bool
	reader value.Reader
	rest   rest      // owned by whoever reads
	kind   ua.TypeID // what a write sends; 0: not known yet; owned by Write
}

// rest is how long a node that failed for a lasting reason is left alone.
type rest struct {
	until time.Time // zero: it is not resting
	wait  time.Duration
	alone bool        // it broke the request that it was in: it is asked by itself
	q     tag.Quality // what its tag says meanwhile
}

// A node is asked again after leastRest, then after twice as long each time,
// and at last every mostRest.
const (
	leastRest = 2 * time.Second
	mostRest  = 5 * time.Minute
)

// begin lets the node rest from now on.
func (r *rest) begin(now time.Time, q tag.Quality, alone bool) {
	r.wait = min(max(leastRest, 2*r.wait), mostRest)
	r.until, r.q, r.alone = now.Add(r.wait), q, alone
}

// lasting says that a status will not go away by asking again soon.
func lasting(s ua.StatusCode) bool {
	switch s {
	case ua.StatusBadNodeIDUnknown, ua.StatusBadNodeIDInvalid, ua.StatusBadAttributeIDInvalid,
		ua.StatusBadNotReadable, ua.StatusBadUserAccessDenied, ua.StatusBadNotSupported:
		return true
	}
	return false
}

// group is the tags of one device with one sampling interval.
type group struct {
	c      *conn
	device *tag.Device
	points []point
	index  map[*tag.Tag]int
	polled []int // points that are not pushed

	// Scratch of read, owned by whoever reads.
	picked []int
	ids    []*ua.NodeID
	out    []result
}

// Read reads all tags of the group. A tag whose node cannot be read gets a bad
// sample.
func (g *group) Read(ctx context.Context, dst []tag.Sample) ([]tag.Sample, error) {
	all := make([]int, len(g.points))
	for i := range all {
		all[i] = i
	}
	return g.read(ctx, dst, all)
}

// read reads the points with the given numbers and appends a sample for each.
func (g *group) read(ctx context.Context, dst []tag.Sample, which []int) (_ []tag.Sample, err error) {
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	if err := g.c.s.Err(); err != nil {
		return dst, err
	}
	now := time.Now()
	lonely := -1
	g.picked, g.ids = g.picked[:0], g.ids[:0]
	for _, i := range which {
		p := &g.points[i]
		switch {
		case p.broken != "":
			dst = append(dst, p.sample(value.Reading{Quality: tag.BadFor(p.broken), Time: now.UTC()}))
		case now.Before(p.rest.until) || p.rest.alone && lonely >= 0:
			dst = append(dst, p.sample(value.Reading{Quality: p.rest.q, Time: now.UTC()}))
		case p.rest.alone:
			lonely = i
		default:
			g.picked, g.ids = append(g.picked, i), append(g.ids, p.node)
		}
	}
	if dst, err = g.fetch(ctx, dst, g.picked, g.ids); err == nil && lonely >= 0 {
		dst, err = g.fetch(ctx, dst, []int{lonely}, []*ua.NodeID{g.points[lonely].node})
	}
	if err != nil {
		return dst, g.c.deviceError(g.device, err)
	}
	return dst, nil
}

// fetch reads nodes and appends a sample for each.
func (g *group) fetch(ctx context.Context, dst []tag.Sample, which []int, ids []*ua.NodeID) ([]tag.Sample, error) {
	if cap(g.out) < len(ids) {
		g.out = make([]result, len(ids))
	}
	out := g.out[:len(ids)]
	if err := g.c.readAll(ctx, ids, out); err != nil {
		return dst, err
	}
	for k, i := range which {
		p := &g.points[i]
		if err := out[k].err; err != nil {
			q := tag.BadFor(reasonFor(err))
			p.rest.begin(out[k].at, q, true)
			dst = append(dst, p.sample(value.Reading{Quality: q, Time: out[k].at.UTC()}))
			continue
		}
		r := g.c.interpret(ctx, p, out[k].dv, out[k].at)
		if p.rest.alone = false; lasting(out[k].dv.Status) {
			p.rest.begin(out[k].at, r.Quality, false)
		} else {
			p.rest = rest{}
		}
		dst = append(dst, p.sample(r))
	}
	clear(out)
	return dst, nil
}

func (p *point) sample(r value.Reading) tag.Sample {
	return tag.Sample{Tag: p.tag, Value: r.Value, Quality: r.Quality, Time: r.Time, BySource: r.BySource}
}

// mostKinds is how many kinds of unknown structures one value may hold.
const mostKinds = 8

// interpret makes a reading of a value. A structure that is met for the first
// time is read once more, since the library threw its body away.
func (c *conn) interpret(ctx context.Context, p *point, dv *ua.DataValue, at time.Time) value.Reading {
	reader := p.reader
	r := reader.Read(dv, at)
	for range mostKinds {
		if r.Unlearned == nil {
			break
		}
		if err := value.Learn(r.Unlearned); err != nil {
			c.log.Warn("a structure cannot be passed on", "tag", p.tag.Path(), "type", r.Unlearned.String(), "err", err)
			break
		}
		reader.Learned = append(reader.Learned, r.Unlearned.String())
		again, err := c.readOnce(ctx, []*ua.NodeID{p.node}, ua.AttributeIDValue)
		if err != nil {
			break
		}
		r = reader.Read(again[0], time.Now())
	}
	if r.Overflow {
		if n := c.overflow.Add(1); n == 1 {
			c.log.Warn("the server's queue overflowed: values are lost; raise subscription.queue or publish more often", "tag", p.tag.Path())
		}
	}
	return r
}
