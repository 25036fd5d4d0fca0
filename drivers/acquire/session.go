package acquire

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"fieldferry/drivers"
	"fieldferry/tag"
)

// session is one life of the connection, from Open to Close. It belongs to
// the link's goroutine, but for jobs and gone.
type session struct {
	r       *Runner
	conn    drivers.Conn
	groups  []*group
	subs    sync.WaitGroup
	stop    context.CancelFunc // ends the subscriptions
	ended   chan subEnd        // subscriptions send, run receives; never closed
	jobs    chan *job          // Runner.ask sends, run receives; never closed
	gone    chan struct{}      // closed by close
	carried bool               // the last step was a job: a read that is due goes first
	buf     []tag.Sample
}

// group is the tags of one device with one sampling interval.
type group struct {
	dev       *device
	tags      []*tag.Tag
	interval  time.Duration // zero: written only, never read
	next      time.Time
	g         drivers.Group      // nil when Prepare failed
	sub       drivers.Subscriber // nil when it is polled
	subPaused bool               // the subscription ended and is due again at next
}

// subEnd tells that a subscription has ended or, with a nil error, that it has
// brought its first values.
type subEnd struct {
	g   *group
	err error
}

func newSession(r *Runner, conn drivers.Conn) *session {
	return &session{
		r: r, conn: conn, stop: func() {}, ended: make(chan subEnd),
		jobs: make(chan *job), gone: make(chan struct{}),
	}
}

// close ends the session; afterwards no goroutine of it runs.
func (s *session) close() {
	s.r.session.CompareAndSwap(s, nil)
	close(s.gone)
	s.stop()
	if err := s.r.fence("close", s.conn.Close); err != nil {
		s.r.log.Debug("close", "err", err)
	}
	s.subs.Wait()
}

// prepareAll splits the devices into groups and has the driver plan each.
func (s *session) prepareAll(ctx context.Context) error {
	for _, d := range s.r.devices {
		s.groups = append(s.groups, split(d)...)
	}
	for _, g := range s.groups {
		if err := s.prepare(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// split makes a group of each sampling interval, fastest first, and one of
// the tags that are only written.
func split(d *device) []*group {
	byInterval := map[time.Duration]*group{}
	var groups []*group
	for _, t := range d.dev.Tags {
		interval := max(t.Interval, time.Millisecond)
		if !t.Access.Readable() {
			interval = 0
		}
		g := byInterval[interval]
		if g == nil {
			g = &group{dev: d, interval: interval}
			byInterval[interval] = g
			groups = append(groups, g)
		}
		g.tags = append(g.tags, t)
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return int(a.interval - b.interval) })
	return groups
}

// prepare plans one group. A link that goes is an error; a device that cannot
// be planned is a missed answer, and is tried again like one.
func (s *session) prepare(ctx context.Context, g *group) error {
	var dg drivers.Group
	err := s.r.call("prepare", func() (err error) {
		dg, err = s.conn.Prepare(ctx, g.dev.dev, g.tags)
		return err
	})
	if err == nil && dg == nil {
		err = errors.New("the driver planned nothing")
	}
	if err != nil {
		return s.failed(ctx, g, err)
	}
	g.g = dg
	if sub, ok := dg.(drivers.Subscriber); ok && g.interval > 0 && sub.Subscribes() {
		g.sub = sub
	}
	return nil
}

// run reads until ctx ends or the link goes.
func (s *session) run(ctx context.Context) error {
	sctx, cancel := context.WithCancel(ctx)
	s.stop = cancel
	now := time.Now()
	for _, g := range s.groups {
		g.next = now
		if kept := g.dev.next[g.interval]; kept.After(now) {
			g.next = kept // a reconnect is no reason to ask early
		}
		if g.sub != nil {
			s.subscribe(sctx, g)
		}
	}
	s.r.session.Store(s)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		g, due := s.nextDue(time.Now())
		if g != nil && !due {
			timer.Reset(time.Until(g.when()))
		}
		if err := s.step(ctx, sctx, g, due, timer.C); err != nil {
			return err
		}
	}
}

// step does one thing: a job if one waits, else the read that is due, else
// it waits for whatever comes first.
func (s *session) step(ctx, sctx context.Context, g *group, due bool, timer <-chan time.Time) error {
	if due {
		jobs := s.jobs
		if s.carried {
			jobs = nil // a storm of writes gets every second turn
		}
		s.carried = false
		select {
		case j := <-jobs:
			return s.carry(ctx, j)
		case e := <-s.ended:
			return s.subEnded(ctx, e)
		case <-ctx.Done():
			return ctx.Err()
		default:
			return s.turn(ctx, sctx, g)
		}
	}
	if g == nil {
		timer = nil
	}
	select {
	case j := <-s.jobs:
		return s.carry(ctx, j)
	case e := <-s.ended:
		return s.subEnded(ctx, e)
	case <-timer:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// when tells the time of a group's next turn.
func (g *group) when() time.Time {
	if g.dev.dead {
		return g.dev.probeAt
	}
	return g.next
}

// scheduled says whether the group has turns at all: one that is only
// written, or pushed by its device, has none.
func (g *group) scheduled() bool { return g.interval > 0 && (g.sub == nil || g.subPaused) }

// nextDue picks the group whose turn is next, and says whether it has come.
// Healthy devices go first; a suspect or dead one takes its turn only when
// none of them is due.
func (s *session) nextDue(now time.Time) (*group, bool) {
	var best *group
	better := func(g *group) bool {
		if best == nil {
			return true
		}
		gDue, bDue := !g.when().After(now), !best.when().After(now)
		if gDue && bDue && (g.dev.missed == 0) != (best.dev.missed == 0) {
			return g.dev.missed == 0
		}
		return g.when().Before(best.when())
	}
	for _, g := range s.groups {
		if g.scheduled() && better(g) {
			best = g
		}
	}
	return best, best != nil && !best.when().After(now)
}

// gap is the time until the next turn of a healthy device other than d.
func (s *session) gap(d *device, now time.Time) time.Duration {
	gap := forever
	for _, g := range s.groups {
		if g.scheduled() && g.dev != d && g.dev.missed == 0 {
			gap = min(gap, g.next.Sub(now))
		}
	}
	return max(gap, 0)
}

// turn reads a group, or starts it if it is not running yet, and moves its
// schedule on.
func (s *session) turn(ctx, sctx context.Context, g *group) error {
	if g.g == nil {
		if err := s.prepare(ctx, g); err != nil || g.g == nil {
			s.advance(g, time.Now())
			return err
		}
	}
	if g.sub != nil {
		g.subPaused = false
		s.subscribe(sctx, g)
		return nil
	}
	err := s.read(ctx, g)
	s.advance(g, time.Now())
	return err
}

// advance moves the schedule to the next turn that is still to come. Turns
// that passed while the link was busy are overruns of a device that answers;
// those of a dead one were never due.
func (s *session) advance(g *group, now time.Time) {
	defer func() { g.dev.next[g.interval] = g.next }()
	g.next = g.next.Add(g.interval)
	late := now.Sub(g.next)
	if late < g.interval {
		return
	}
	n := late / g.interval
	g.next = g.next.Add(n * g.interval)
	if g.dev.missed == 0 {
		s.r.stats.overran(uint64(n))
		g.dev.stats.overran(uint64(n))
	}
}

// read asks the device once.
func (s *session) read(ctx context.Context, g *group) error {
	begin := time.Now()
	rctx, cancel := ctx, context.CancelFunc(func() {})
	if limit, limited := g.dev.patience(s.gap(g.dev, begin)); limited {
		rctx, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()
	var got []tag.Sample
	err := s.r.call("read", func() (err error) {
		got, err = g.g.Read(rctx, s.buf[:0])
		return err
	})
	now := time.Now()
	s.r.stats.read(now.Sub(begin))
	if err != nil {
		s.rescue(g, got, err)
		return s.failed(ctx, g, err)
	}
	s.buf = got[:0]
	return s.deliver(g, got, now, now.Sub(begin))
}

// rescue hands on what was read before the link went.
func (s *session) rescue(g *group, got []tag.Sample, err error) {
	if !errors.Is(err, drivers.ErrLinkDown) {
		return
	}
	good := slices.DeleteFunc(got, func(x tag.Sample) bool { return x.Quality.Level != tag.Good || x.Value.IsNull() })
	if len(good) == 0 {
		return
	}
	s.r.got = true
	if err := g.stamp(good); err != nil {
		s.r.log.Error("driver broke its contract", "device", g.dev.dev.Name, "err", err)
		return
	}
	s.r.accept(good)
}

// deliver checks what the driver returned and hands it on.
func (s *session) deliver(g *group, got []tag.Sample, now time.Time, took time.Duration) error {
	if err := g.stamp(got); err != nil {
		s.r.log.Error("driver broke its contract", "device", g.dev.dev.Name, "err", err)
		return err
	}
	s.alive(g.dev, now, took)
	s.r.accept(got)
	return nil
}

// stamp numbers the samples of one read. A sample of a foreign tag would land
// in another tag's topic: it must never pass.
func (g *group) stamp(got []tag.Sample) error {
	n := g.dev.read.Add(1)
	for i := range got {
		t := got[i].Tag
		if t == nil || t.Device != g.dev.dev {
			return fmt.Errorf("%w: the driver returned a sample of a foreign tag for device %s", drivers.ErrLinkDown, g.dev.dev.Name)
		}
		got[i].Read = n
	}
	return nil
}

// failed tells the three faults apart: we are to stop, the link is gone, or the
// device did not answer, which is no error of the session.
func (s *session) failed(ctx context.Context, g *group, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, drivers.ErrLinkDown):
		g.dev.blamed = true
		s.missed(g, err)
		return err
	}
	s.missed(g, err)
	return nil
}

// missed notes that a device did not answer, and makes its tags bad when that
// was once too often.
func (s *session) missed(g *group, err error) {
	d, now := g.dev, time.Now()
	if !d.miss(now, err) {
		return
	}
	s.r.log.Warn("device dead", "device", d.dev.Name, "missed", d.missed, "err", err)
	s.r.accept(d.appendBad(nil, reasonOf(err), now.UTC()))
}

// alive notes that a device answered.
func (s *session) alive(d *device, now time.Time, took time.Duration) {
	s.r.got = true
	s.r.stats.alive()
	if d.answered(now, took) {
		s.revive(d, now)
	}
}

// revive gives a device that was dead its turns back, from now on.
func (s *session) revive(d *device, now time.Time) {
	missed, down := d.stats.revived(now)
	s.r.log.Info("device answers again", "device", d.dev.Name, "missed", missed, "down", down.Round(time.Millisecond))
	for _, g := range s.groups {
		if g.dev == d {
			g.next = now
		}
	}
}

// reasonOf is what a bad sample says of an error.
func reasonOf(err error) string {
	var de *drivers.DeviceError
	switch {
	case errors.As(err, &de) && de.Reason != "":
		return de.Reason
	case errors.Is(err, context.DeadlineExceeded):
		return tag.ReasonTimeout
	}
	return tag.ReasonDeviceDead
}
