package opcua

import (
	"context"
	"errors"
	"time"

	"github.com/gopcua/opcua/ua"

	"fieldferry/drivers"
	"fieldferry/drivers/opcua/publish"
	"fieldferry/drivers/opcua/value"
	"fieldferry/tag"
)

// Subscribes says whether the server pushes a tag of this group. Tags of the
// group that are polled are then read by Subscribe, too.
func (g *group) Subscribes() bool { return len(g.polled) < len(g.points) }

// Subscribe hands over what the server pushes, and what it reads of the
// polled tags, until ctx ends or the connection or the subscription is lost.
func (g *group) Subscribe(ctx context.Context, emit func([]tag.Sample)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			g.c.s.Fail(errors.New("panic in a subscription"))
			panic(p) // acquire's fence tells of it
		}
	}()
	p := &pusher{
		g: g, c: g.c, emit: emit, in: publish.NewInbox(),
		members: map[publish.Params]*publish.Member{}, rests: map[int]*rest{},
	}
	defer p.leave()
	if err := p.begin(ctx); err != nil {
		return g.c.deviceError(g.device, err)
	}
	if err := p.loop(ctx); err != nil {
		if errors.Is(err, publish.ErrEnded) {
			return &drivers.DeviceError{Device: g.device.Name, Reason: "subscription ended", Err: err}
		}
		return g.c.deviceError(g.device, err)
	}
	return nil
}

// pusher is one run of Subscribe. All of it belongs to its goroutine.
type pusher struct {
	g       *group
	c       *conn
	emit    func([]tag.Sample)
	in      *publish.Inbox
	members map[publish.Params]*publish.Member
	rests   map[int]*rest // points whose monitored item does not exist or has lost its node
	buf     []tag.Sample
}

// begin subscribes everything that can be and tells what cannot.
func (p *pusher) begin(ctx context.Context) error {
	var which []int
	now := time.Now()
	p.buf = p.buf[:0]
	for i := range p.g.points {
		switch x := &p.g.points[i]; {
		case !x.pushed:
		case x.broken != "":
			p.buf = append(p.buf, x.sample(value.Reading{Quality: tag.BadFor(x.broken), Time: now.UTC()}))
		default:
			which = append(which, i)
		}
	}
	p.flush()
	return p.watch(ctx, which)
}

// flush hands over what is in buf.
func (p *pusher) flush() {
	if len(p.buf) > 0 {
		p.emit(p.buf)
		clear(p.buf)
		p.buf = p.buf[:0]
	}
}

// watch asks the server to monitor points. One that it refuses turns bad and
// is tried again later.
func (p *pusher) watch(ctx context.Context, which []int) error {
	sets := map[publish.Params][]publish.Watch{}
	var order []publish.Params
	for _, i := range which {
		x := &p.g.points[i]
		s := effective(x.tag)
		k := publish.Params{Publishing: s.Publishing, KeepAlive: s.KeepAlive}
		if sets[k] == nil {
			order = append(order, k)
		}
		sets[k] = append(sets[k], publish.Watch{Key: i, Node: x.node, Sampling: x.tag.Interval, Queue: s.Queue})
	}
	for _, k := range order {
		m, err := p.member(ctx, k)
		if err != nil {
			return err
		}
		got, err := m.Watch(ctx, sets[k])
		if err != nil {
			return err
		}
		p.watched(sets[k], got)
	}
	p.flush()
	return nil
}

func (p *pusher) member(ctx context.Context, k publish.Params) (*publish.Member, error) {
	if m := p.members[k]; m != nil {
		return m, nil
	}
	m, err := p.c.hub.Attach(ctx, k, p.in)
	if err == nil {
		p.members[k] = m
	}
	return m, err
}

// watched notes which points are monitored now.
func (p *pusher) watched(asked []publish.Watch, got []ua.StatusCode) {
	now := time.Now()
	for k, w := range asked {
		r := p.rests[w.Key]
		if !value.IsBad(got[k]) {
			if r != nil {
				r.until = time.Time{} // its first value decides whether it is well
			}
			continue
		}
		q := tag.BadFor(value.StatusName(got[k]))
		if r == nil {
			r = &rest{}
			p.rests[w.Key] = r
		}
		if r.q != q {
			p.buf = append(p.buf, p.g.points[w.Key].sample(value.Reading{Quality: q, Time: now.UTC()}))
		}
		r.begin(now, q, false)
	}
}

// loop waits for values, for the turn of polled tags, and for the time to try
// what failed again.
func (p *pusher) loop(ctx context.Context) error {
	var poll <-chan time.Time
	if len(p.g.polled) > 0 {
		t := time.NewTicker(max(p.g.points[p.g.polled[0]].tag.Interval, time.Millisecond))
		defer t.Stop()
		poll = t.C
		if err := p.poll(ctx); err != nil {
			return err
		}
	}
	retry := time.NewTimer(leastRest)
	defer retry.Stop()
	for {
		select {
		case <-p.in.Wake():
			p.drain(ctx)
			if err := p.in.Err(); err != nil {
				p.drain(ctx) // what came before the end
				return err
			}
		case <-poll:
			if err := p.poll(ctx); err != nil {
				return err
			}
		case <-retry.C:
			if err := p.retry(ctx); err != nil {
				return err
			}
			retry.Reset(leastRest)
		case <-p.c.s.Down():
			p.drain(ctx)
			return p.c.s.Err()
		case <-ctx.Done():
			p.drain(ctx)
			return ctx.Err()
		}
	}
}

// drain hands over everything that is in the inbox.
func (p *pusher) drain(ctx context.Context) {
	for part, ok := p.in.Take(); ok; part, ok = p.in.Take() {
		now := time.Now()
		for _, item := range part.Items {
			x := &p.g.points[item.Key]
			r := p.c.interpret(ctx, x, item.Value, now)
			p.judge(item, r, now)
			p.buf = append(p.buf, x.sample(r))
		}
		p.flush()
		part.Done()
	}
}

// judge looks whether a point has lost its node: servers leave such an item
// dead even when the node returns, so it is made anew later.
func (p *pusher) judge(item publish.Item, r value.Reading, now time.Time) {
	if item.Value == nil || !lasting(item.Value.Status) {
		if len(p.rests) > 0 {
			delete(p.rests, item.Key)
		}
		return
	}
	old := p.rests[item.Key]
	if old == nil {
		old = &rest{}
		p.rests[item.Key] = old
	}
	old.begin(now, r.Quality, false)
}

// retry makes monitored items again whose rest is over.
func (p *pusher) retry(ctx context.Context) error {
	now := time.Now()
	var which []int
	for i, r := range p.rests {
		if r.until.IsZero() || now.Before(r.until) {
			continue
		}
		for _, m := range p.members {
			m.Drop(i)
		}
		which = append(which, i)
	}
	return p.watch(ctx, which)
}

// poll reads the polled tags of the group.
func (p *pusher) poll(ctx context.Context) (err error) {
	p.buf, err = p.g.read(ctx, p.buf[:0], p.g.polled)
	if err != nil {
		p.buf = p.buf[:0]
		return err
	}
	p.flush()
	return nil
}

func (p *pusher) leave() {
	for _, m := range p.members {
		m.Leave()
	}
}
