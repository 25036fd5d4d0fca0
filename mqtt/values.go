package mqtt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fieldferry/mqtt/flight"
	"fieldferry/mqtt/wire"
)

const (
	readAhead    = 256             // entries read from the buffer at once
	drainTime    = 5 * time.Second // for what is on its way when the uplink stops
	birthTime    = 5 * time.Second // for the broker to take the status before values are sent
	farewellTime = 2 * time.Second
	maxTried     = 1024      // messages whose refusals are remembered
	ceilingTime  = time.Hour // for which a broker that was sent too much gets less
)

// errStopped ends a connection because the uplink stops.
var errStopped = errors.New("the uplink stops")

// errNoBirth ends a connection whose only place is taken by the status.
var errNoBirth = errors.New("the broker, which takes one message at a time, does not acknowledge the status")

// values is the user of the connection that carries samples. It is one for
// the life of the uplink; the fields are of the connection under way.
type values struct {
	*Uplink
	stop func() // ends the uplink

	w        *flight.Window[Entry]
	begun    time.Time
	boundary uint64 // entries up to it are history
	limits   wire.Limits
	progress bool
	asides   []flight.Aside[Entry]
	gone     []uint64      // numbers of what was put aside
	heldCode atomic.Uint32 // of the first message on hold; 0: none
	client   *wire.Client
	telling  sync.Mutex // held while the ledger is told

	// Of the pump.
	buf  []byte
	last uint64 // highest number that was read, or that need not be
}

// Idle notes where the buffer's head is.
func (v *values) Idle() { v.mark() }

func (v *values) mark() {
	_, head := v.deps.Reader.Pending()
	v.marks.Note(time.Now(), head)
}

// Prepare makes the window before the connection, for the first outcome may
// arrive before Connect returns here.
func (v *values) Prepare(o *wire.Options) {
	v.number++
	v.begun = v.deps.Clock()
	w := flight.New[Entry](time.Now)
	v.w = w
	v.heldCode.Store(0)
	o.Will = v.statusMessage("offline", reasonLost, time.Time{})
	o.Result = func(r wire.Result) {
		if r.Code == wire.NoSubscribers {
			v.count.add(func(s *Stats) { s.Unheard++ })
		}
		vd := verdict(r.Code)
		if vd == flight.Hold {
			v.heldCode.CompareAndSwap(0, uint32(r.Code))
		}
		w.Result(r.Token, vd, reason(r))
	}
}

// reason words a refusal: what it is counted by, and the broker's own words.
func reason(r wire.Result) string {
	switch {
	case !r.Code.Refused():
		return ""
	case r.Reason == "":
		return r.Code.String()
	}
	return fmt.Sprintf("%s: %q", r.Code, r.Reason)
}

// Serve sends samples until the connection or ctx ends.
func (v *values) Serve(ctx context.Context, c *wire.Client) (bool, error) {
	v.client, v.limits, v.progress = c, c.Limits(), false
	if v.limits.QoS < 1 {
		c.Disconnect(wire.WithWill)
		return false, &wire.Error{Kind: wire.Refused, Code: wire.NoQoS}
	}
	if err := v.birth(ctx); err != nil {
		c.Disconnect(wire.WithWill)
		return false, cause(c, err)
	}
	v.begin(time.Now())
	size := v.windowSize()
	v.setWindow(v.w, size)
	v.w.Open(size)

	pumpCtx, halt := context.WithCancel(ctx)
	pumped := make(chan error, 1)
	go func() { pumped <- v.pump(pumpCtx) }()
	var ledger sync.WaitGroup
	ledger.Go(func() { v.keepLedger(pumpCtx) })
	err := v.watch(ctx, pumped)
	halt()
	v.farewell(err)
	ledger.Wait()
	if e := <-pumped; err == nil {
		err = e
	}
	v.setWindow(nil, 0)
	v.collect()
	v.repairs.Lost()
	v.judge(err, cause(c, err))
	return v.progress, cause(c, err)
}

// windowSize is the smallest of what is configured, what the broker announced
// and what it has shown to bear.
func (v *values) windowSize() int {
	size := min(v.conf.Window, v.limits.Receive)
	if v.ceiling > 0 && time.Now().Before(v.widen) {
		size = min(size, v.ceiling)
	}
	return size
}

// birth says that the gateway is there, and waits a moment for the broker to
// take it. A broker that does not let us say so, or does not tell, may still
// take values.
func (v *values) birth(ctx context.Context) error {
	if v.birthless {
		v.birthless = false
		return nil
	}
	patient, cancel := context.WithTimeout(ctx, v.deps.birthTime)
	defer cancel()
	err := v.client.Publish(patient, v.statusMessage("online", "", v.deps.Clock()))
	var e *wire.Error
	switch {
	case errors.As(err, &e) && e.Kind == wire.Refused:
		v.log.Warn("the broker does not take the status", "err", err)
		return nil
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return v.unanswered()
	}
	return err
}

// unanswered goes on without the answer to the birth, which may still come:
// until then it takes one of the places that the broker offers. Where there
// is only one, values have to have it to themselves, on the next connection.
func (v *values) unanswered() error {
	if v.limits.Receive <= 1 {
		v.birthless = true
		return fmt.Errorf("%w in %v: the next connection does without it", errNoBirth, v.deps.birthTime)
	}
	v.limits.Receive--
	v.log.Warn("the broker has not acknowledged the status yet, values are sent all the same", "after", v.deps.birthTime)
	return nil
}

// watch settles what is acknowledged until the connection has to end, and
// says why. It takes the pump's result if that comes first, and puts it back
// for serve.
func (v *values) watch(ctx context.Context, pumped chan error) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	stopping, paused := ctx.Done(), (<-chan error)(pumped)
	var drained <-chan time.Time
	for {
		select {
		case <-v.w.Changed():
		case <-tick.C:
			v.mark()
		case <-v.client.Done():
			return v.client.Err()
		case err := <-paused:
			pumped <- err // there is room: the pump has ended
			if ctx.Err() == nil {
				return reasonBehind(v.client, err)
			}
			paused = nil
		case <-stopping:
			stopping = nil
			timer := time.NewTimer(drainTime)
			defer timer.Stop()
			drained = timer.C
		case <-drained:
			return errStopped
		}
		v.collect()
		if err := v.w.Fault(); err != nil {
			return err
		}
		if paused == nil && v.w.Flying() == 0 {
			return errStopped
		}
	}
}

// collect accounts for what is put aside, and then moves the position.
func (v *values) collect() {
	s, asides := v.w.Collect(v.asides[:0])
	for i := range asides {
		v.putAside(&asides[i].Cargo, asides[i].Reason)
	}
	clear(asides)
	v.asides = asides
	if s.Turn > 0 {
		v.deps.Reader.Settle(s.Turn)
		v.progress = true
	}
	if s.Taken > 0 {
		now := v.deps.Clock()
		v.count.add(func(st *Stats) { st.Delivered += s.Taken; st.LastAck = now })
	}
	v.repairs.Settled(s.Token)
}

// putAside accounts for a sample that will never be delivered.
func (v *values) putAside(e *Entry, why string) {
	if e.Turn == 0 {
		return // a repeated current value: the sample itself was delivered
	}
	short, _, _ := strings.Cut(why, ": ")
	v.count.refused(short)
	v.gone = append(v.gone, e.Seq)
	if a, ok := v.deps.Reader.(asider); ok {
		a.PutAside(e.Turn, short)
	}
	if v.quiet[short] || e.Sample.Tag == nil {
		return
	}
	v.quiet[short] = true
	v.log.Error("a sample is put aside; more for this reason are only counted",
		"tag", e.Sample.Tag.Path(), "seq", e.Seq, "reason", why)
}

// farewell ends the connection. Where all was well the status says that we
// stop; else the broker sends the will.
func (v *values) farewell(why error) {
	code := wire.WithWill
	if errors.Is(why, errStopped) && v.w.Flying() == 0 {
		ctx, cancel := context.WithTimeout(context.Background(), farewellTime)
		v.lastLedger(ctx)
		if v.client.Publish(ctx, v.statusMessage("offline", reasonStopped, v.deps.Clock())) == nil {
			code = wire.Success
		}
		cancel()
	}
	v.client.Disconnect(code)
}

// judge learns from the end of a connection what the next one has to know.
func (v *values) judge(err, cause error) {
	code := wire.Code(v.heldCode.Load())
	if narrows(cause) || code == wire.QuotaExceeded {
		v.ceiling, v.widen = max(1, v.windowSize()/2), time.Now().Add(ceilingTime)
	}
	for _, seq := range v.gone {
		delete(v.tries, seq)
	}
	v.gone = v.gone[:0]
	if len(v.tries) > maxTried {
		clear(v.tries)
	}
	var hold *flight.HoldError
	if e, ok := v.w.Held(); ok && errors.As(err, &hold) && retriable(code) {
		v.tries[e.Seq]++
	}
}

// reasonBehind waits for the end of a connection that a message could not be
// written to: the broker's reason may be on its way.
func reasonBehind(c *wire.Client, err error) error {
	timer := time.NewTimer(farewellTime)
	defer timer.Stop()
	select {
	case <-c.Done():
		return c.Err()
	case <-timer.C:
		return err
	}
}

// cause prefers the reason of the connection's end to its consequences.
func cause(c *wire.Client, err error) error {
	select {
	case <-c.Done():
		if e := c.Err(); e.Kind != wire.Local {
			return e
		}
	default:
	}
	return err
}
