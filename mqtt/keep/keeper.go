package keep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"fieldferry/mqtt/wire"
)

const (
	settledTime = 30 * time.Second // a connection that lived so long and delivered makes pauses short again
	shortLife   = 10 * time.Second // an end before this is suspicious when it happens again and again
	shortLives  = 3
	maxInbound  = 256 << 10 // bytes of the largest packet taken from a broker
)

// User is what uses a connection. Its methods are called by one goroutine.
type User interface {
	// Prepare adds will and callbacks to the options of the next connection.
	Prepare(o *wire.Options)
	// Serve uses a connection until it ends or ctx does, ends it, and says
	// whether it was of use, and why it ended.
	Serve(ctx context.Context, c *wire.Client) (progress bool, err error)
	// Idle is called about once a second while there is no connection. It
	// does not block.
	Idle()
}

// Options say what connection to keep.
type Options struct {
	Brokers  []string // as wire.ParseBroker reads them, in the order of preference
	ClientID string
	Login    func() (wire.Options, error) // credentials, TLS and keep-alive, read anew for each attempt
	Log      *slog.Logger
	Clock    func() time.Time
	Pace     func(time.Duration) time.Duration // changes a pause; nil: as it is
}

// Keeper keeps one connection.
type Keeper struct {
	o       Options
	log     *slog.Logger
	clock   func() time.Time
	status  status
	brokers []*target

	told   string // the kind of trouble that was logged last; empty: none
	shorts int    // connections in a row that the broker closed soon, without a word
}

// target is one broker of the list.
type target struct {
	broker wire.Broker
	pause  backoff
	after  time.Time // no attempt before it
}

// New prepares a keeper. It does no I/O.
func New(o Options) (*Keeper, error) {
	if o.Pace == nil {
		o.Pace = func(d time.Duration) time.Duration { return d }
	}
	k := &Keeper{o: o, log: o.Log, clock: o.Clock}
	for _, s := range o.Brokers {
		b, err := wire.ParseBroker(s)
		if err != nil {
			return nil, err
		}
		k.brokers = append(k.brokers, &target{broker: b})
	}
	return k, nil
}

// Status tells how the connection is doing. It may be called at any time.
func (k *Keeper) Status() Status { return k.status.get() }

// Run connects and has u use the connection, again and again until ctx ends.
func (k *Keeper) Run(ctx context.Context, u User) {
	for {
		t := k.choose(ctx, u)
		if t == nil {
			return
		}
		k.status.trying(t.broker.String(), k.clock())
		c, err := k.connect(ctx, t.broker, u)
		if ctx.Err() != nil && c == nil {
			return
		}
		if err != nil {
			k.failed(t, err)
			continue
		}
		k.use(ctx, t, c, u)
	}
}

// choose returns the first broker of the list that may be tried, and waits
// until there is one. It returns nil when ctx ends.
func (k *Keeper) choose(ctx context.Context, u User) *target {
	for ctx.Err() == nil {
		u.Idle()
		now, wait := time.Now(), time.Second
		for _, t := range k.brokers {
			left := t.after.Sub(now)
			if left <= 0 {
				return t
			}
			wait = min(wait, left)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

func (k *Keeper) connect(ctx context.Context, b wire.Broker, u User) (*wire.Client, error) {
	o, err := k.o.Login()
	if err != nil {
		return nil, err
	}
	o.Broker, o.ClientID, o.Clock, o.MaxInbound = b, k.o.ClientID, k.clock, maxInbound
	u.Prepare(&o)
	return wire.Connect(ctx, o)
}

// use has the connection used, and decides about the next one.
func (k *Keeper) use(ctx context.Context, t *target, c *wire.Client, u User) {
	began := time.Now()
	k.status.up(k.clock())
	k.log.Info("connected", "broker", t.broker.String(), "keep_alive", c.Limits().KeepAlive, "receive_maximum", c.Limits().Receive)
	k.told = ""
	progress, err := u.Serve(ctx, c)
	lived := time.Since(began)
	if ctx.Err() != nil {
		k.status.down(nil, k.clock())
		k.log.Info("disconnected", "broker", t.broker.String())
		return
	}
	if progress && lived >= settledTime {
		t.pause.reset()
	}
	err = k.suspect(err, lived)
	k.failed(t, err)
}

// suspect recognises connections that a broker closes soon after they were
// made, again and again and without a word: mosquitto does so when two
// clients have one id.
func (k *Keeper) suspect(err error, lived time.Duration) error {
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != wire.Closed || lived > shortLife {
		k.shorts = 0
		return err
	}
	if k.shorts++; k.shorts < shortLives {
		return err
	}
	return fmt.Errorf("%w: %d times in a row within %v of connecting: another client uses the client id %s, "+
		"or the broker does not bear what it is sent: %w", errHangsUp, k.shorts, shortLife, k.o.ClientID, err)
}

// failed notes the end of a connection or an attempt, and when the next one
// is due. It logs the first of its kind.
func (k *Keeper) failed(t *target, err error) {
	pause := k.o.Pace(t.pause.next(scheduleFor(err)))
	t.after = time.Now().Add(pause)
	wasUp := k.status.get().Connected
	if hint := advice(err, k.o.ClientID); hint != "" {
		err = fmt.Errorf("%w (%s)", err, hint)
	}
	k.status.down(err, k.clock())
	if kind := trouble(t, err); wasUp || kind != k.told {
		k.told = kind
		k.log.Warn("no connection", "broker", t.broker.String(), "err", err, "retry_in", pause.Round(time.Millisecond))
	}
}

// trouble is the kind of an error: the same kind is not logged again.
func trouble(t *target, err error) string {
	var e *wire.Error
	if errors.Is(err, errHangsUp) {
		return t.broker.String() + errHangsUp.Error()
	}
	if errors.As(err, &e) {
		return fmt.Sprintf("%s %d %d", t.broker, e.Kind, e.Code)
	}
	return t.broker.String() + err.Error()
}
