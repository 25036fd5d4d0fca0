package acquire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"fieldferry/drivers"
	"fieldferry/tag"
)

// Sink takes what a link reads. Its methods are called by one goroutine at a
// time; they may block for as long as a disk does.
type Sink interface {
	// Accept takes samples in the device's own units; the slice is the
	// runner's again afterwards.
	Accept(samples []tag.Sample)
	// Sweep is called about once a second: stale tags, maximum intervals.
	Sweep(now time.Time)
	// Pushed says that the device sends these tags when they change: its
	// silence does not make them stale, since the driver watches over the
	// subscription.
	Pushed(tags []*tag.Tag)
}

const (
	retryMin    = 200 * time.Millisecond // first pause after a failed connect
	retryMax    = 30 * time.Second       // longest pause, unless the link says otherwise
	absentPause = 500 * time.Millisecond // longest pause before looking again for what is not there
	probeMin    = time.Second            // first pause before a dead device is probed
	probeMax    = 30 * time.Second       // longest pause between probes
	sweepEvery  = time.Second
	openLimit   = 15 * time.Second // a driver's Open that takes longer is given up
	steady      = 10 * time.Second // a connection this old has earned an immediate reconnect
)

// Runner runs one link. Make it with New, run it with Run, once.
type Runner struct {
	link   *tag.Link
	driver drivers.Driver
	log    *slog.Logger

	sinkMu sync.Mutex // held while the sink is called: reads and pushed values take turns
	sink   Sink

	devices []*device
	stats   stats
	got     bool                    // a device has answered on this connection
	calling atomic.Int64            // Unix nanoseconds since when the link's goroutine has been in the driver; 0: it is not
	session atomic.Pointer[session] // nil while the link is down
}

// New prepares a runner for a link. The link must have passed the driver's
// Check.
func New(l *tag.Link, d drivers.Driver, sink Sink, log *slog.Logger) *Runner {
	r := &Runner{link: l, driver: d, sink: sink, log: log.With("link", l.Name)}
	for _, dev := range l.Devices {
		r.devices = append(r.devices, newDevice(dev))
	}
	r.stats.since = time.Now()
	return r
}

// Link returns the link that the runner owns.
func (r *Runner) Link() *tag.Link { return r.link }

// Run keeps the link open and reads it until ctx ends; then it closes the
// link and returns nil.
func (r *Runner) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { r.sweep(ctx) })
	defer wg.Wait()

	pause := time.Duration(0)
	for wait(ctx, pause) {
		opened := time.Now()
		err := r.connectAndServe(ctx)
		if ctx.Err() != nil {
			break
		}
		pause = r.nextPause(pause, r.got || time.Since(opened) >= steady)
		if errors.Is(err, drivers.ErrAbsent) {
			pause = min(pause, absentPause)
		}
		r.linkFailed(err, pause)
	}
	return nil
}

// nextPause doubles the pause after each failure and begins again, without
// any, after a connection that was good for something: on one that brought an
// answer, or held for a while, one device that makes it close must not cost
// its neighbours their turns. Their schedules bound how often that happens.
func (r *Runner) nextPause(last time.Duration, good bool) time.Duration {
	if good {
		return 0
	}
	limit := r.link.Retry
	if limit <= 0 {
		limit = retryMax
	}
	return min(max(2*last, retryMin), limit)
}

// wait sleeps for a random time between half of d and d; false when ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d/2 + rand.N(d/2+1))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *Runner) connectAndServe(ctx context.Context) error {
	r.got = false
	conn, err := r.open(ctx)
	if err != nil {
		return err
	}
	s := newSession(r, conn)
	defer s.close()
	if err := s.prepareAll(ctx); err != nil {
		return err
	}
	r.linkUp()
	return s.run(ctx)
}

// open calls the driver with a limit of time.
func (r *Runner) open(ctx context.Context) (drivers.Conn, error) {
	octx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	var conn drivers.Conn
	err := r.call("open", func() (err error) {
		conn, err = r.driver.Open(octx, r.link, r.log)
		return err
	})
	if err == nil && conn == nil {
		err = errors.New("the driver returned neither a connection nor an error")
	}
	return conn, err
}

func (r *Runner) linkUp() {
	for _, d := range r.devices {
		d.reset(time.Now())
	}
	if missed, down, was := r.stats.up(time.Now()); was {
		r.log.Info("link up again", "missed", missed, "down", down.Round(time.Millisecond))
	} else {
		r.log.Info("link up")
	}
}

// linkFailed makes every tag bad once, when the link could not simply be
// opened again, and only counts after that.
func (r *Runner) linkFailed(err error, pause time.Duration) {
	if err == nil {
		err = drivers.ErrLinkDown
	}
	if !r.stats.down(time.Now(), err, pause) {
		return
	}
	r.log.Warn("link down", "err", err, "retry", pause)
	now := time.Now().UTC()
	var bad []tag.Sample
	for _, d := range r.devices {
		bad = d.appendBad(bad, tag.ReasonLinkDown, now)
	}
	r.accept(bad)
}

// accept hands samples to the sink, one caller at a time.
func (r *Runner) accept(s []tag.Sample) {
	if len(s) == 0 {
		return
	}
	r.sinkMu.Lock()
	defer r.sinkMu.Unlock()
	r.sink.Accept(s)
}

func (r *Runner) sweep(ctx context.Context) {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			r.sinkMu.Lock()
			r.sink.Sweep(now)
			r.sinkMu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}

// Stuck tells for how long the link's goroutine has been inside one call of the
// driver. Every call has a deadline, so that minutes mean a fault of ours.
func (r *Runner) Stuck(now time.Time) time.Duration {
	since := r.calling.Load()
	if since == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, since))
}

// call is fence for the calls that the link's goroutine makes.
func (r *Runner) call(what string, f func() error) error {
	r.calling.Store(time.Now().UnixNano())
	defer r.calling.Store(0)
	return r.fence(what, f)
}

// fence calls into the driver and turns a panic into a lost link.
func (r *Runner) fence(what string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.stats.panicked()
			r.log.Error("driver panicked", "call", what, "panic", fmt.Sprint(p), "stack", stack())
			err = fmt.Errorf("%w: driver panicked in %s: %v", drivers.ErrLinkDown, what, p)
		}
	}()
	return f()
}
