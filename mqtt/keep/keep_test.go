package keep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/eclipse/paho.golang/packets"

	"fieldferry/mqtt/brokertest"
	"fieldferry/mqtt/flight"
	"fieldferry/mqtt/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPausesGrowToTheLongestAndAreJittered(t *testing.T) {
	for _, s := range []schedule{soon, later, seldom, takeover, outage} {
		var b backoff
		want := s.first
		for i := range 20 {
			if got := b.next(s); got < want/2 || got > want {
				t.Errorf("%+v, pause %d: %v, want between %v and %v", s, i, got, want/2, want)
			}
			want = min(2*want, s.longest)
		}
		b.reset()
		if got := b.next(s); got > s.first {
			t.Errorf("%+v after a reset: %v", s, got)
		}
	}
}

func TestSchedules(t *testing.T) {
	for _, c := range []struct {
		err  error
		want schedule
	}{
		{&wire.Error{Kind: wire.Unreachable}, soon},
		{&wire.Error{Kind: wire.Closed}, soon},
		{&wire.Error{Kind: wire.Silent}, soon},
		{&wire.Error{Kind: wire.NotMQTT}, soon},
		{&wire.Error{Kind: wire.BadTLS}, later},
		{&wire.Error{Kind: wire.Local}, later},
		{&wire.Error{Kind: wire.Only311}, seldom},
		{&wire.Error{Kind: wire.Refused, Code: wire.BadVersion}, seldom},
		{&wire.Error{Kind: wire.Refused, Code: wire.BadPassword}, later},
		{&wire.Error{Kind: wire.Refused, Code: wire.NotAuthorized}, later},
		{&wire.Error{Kind: wire.Refused, Code: wire.Unavailable}, soon},
		{&wire.Error{Kind: wire.Refused, Code: wire.Busy}, soon},
		{&wire.Error{Kind: wire.Refused, Code: wire.NoRetain}, later},
		{&wire.Error{Kind: wire.Dismissed, Code: wire.ShuttingDown}, soon},
		{&wire.Error{Kind: wire.Dismissed, Code: wire.TakenOver}, takeover},
		{&wire.Error{Kind: wire.Dismissed, Code: wire.ReceiveMaximum}, soon},
		{fmt.Errorf("%w: 20 messages", flight.ErrAllRefused), outage},
		{flight.ErrNoAck, soon},
		{errors.New("other"), soon},
	} {
		if got := scheduleFor(c.err); got != c.want {
			t.Errorf("scheduleFor(%v) = %+v, want %+v", c.err, got, c.want)
		}
	}
}

// guest uses connections: until they end, or not at all.
type guest struct {
	served chan *wire.Client
	stay   bool
}

func (g *guest) Prepare(*wire.Options) {}
func (g *guest) Idle()                 {}
func (g *guest) Serve(ctx context.Context, c *wire.Client) (bool, error) {
	g.served <- c
	if g.stay {
		select {
		case <-c.Done():
			return true, c.Err()
		case <-ctx.Done():
		}
	}
	c.Disconnect(wire.Success)
	return false, &wire.Error{Kind: wire.Closed, Err: errors.New("gone")}
}

func run(t *testing.T, k *Keeper, u User) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); k.Run(ctx, u) }()
	return func() { cancel(); <-done }
}

func keeper(t *testing.T, log *bytes.Buffer, pace func(time.Duration) time.Duration, urls ...string) *Keeper {
	t.Helper()
	k, err := New(Options{Brokers: urls, ClientID: "id", Log: slog.New(slog.NewTextHandler(log, nil)), Clock: time.Now, Pace: pace,
		Login: func() (wire.Options, error) { return wire.Options{KeepAlive: 30 * time.Second}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestBrokerThatAcceptsAndHangsUpIsNotStormed(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{})
	var pauses []time.Duration
	var log bytes.Buffer
	k := keeper(t, &log, func(d time.Duration) time.Duration { pauses = append(pauses, d); return 0 }, b.URL())
	g := &guest{served: make(chan *wire.Client)}
	stop := run(t, k, g)
	for range 12 {
		<-g.served
	}
	go func() {
		for range g.served {
		}
	}()
	stop()
	close(g.served)
	if len(pauses) < 11 || pauses[9] < 5*time.Minute {
		t.Errorf("pauses %v, want one for each connection, up to ten minutes: it looks like a takeover", pauses)
	}
	if n := strings.Count(log.String(), "level=WARN"); n > 2*len(pauses) {
		t.Errorf("%d warnings for %d ends:\n%s", n, len(pauses), &log)
	}
}

func TestSameTroubleIsLoggedOnce(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{Connect: func(p *brokertest.Peer, _ *packets.Connect) {
		p.Connack(0x88, &packets.Properties{})
	}})
	var log bytes.Buffer
	tried := make(chan struct{})
	k := keeper(t, &log, func(time.Duration) time.Duration { tried <- struct{}{}; return 0 }, b.URL())
	stop := run(t, k, &guest{})
	for range 20 {
		<-tried
	}
	go func() {
		for range tried {
		}
	}()
	stop()
	close(tried)
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings, want 1:\n%s", n, &log)
	}
	if s := k.Status(); s.Attempts < 20 || s.Connects != 0 || !strings.Contains(s.LastError, "broker unavailable (0x88)") {
		t.Errorf("status %+v", s)
	}
}

func TestSecondBrokerIsUsedWhileTheFirstPausesAndFirstAgainLater(t *testing.T) {
	down := make(chan bool, 1)
	down <- true
	first := brokertest.Start(t, brokertest.Script{Connect: func(p *brokertest.Peer, c *packets.Connect) {
		if <-down {
			down <- false
			p.Close()
			return
		}
		down <- false
		p.Welcome(c)
	}})
	second := brokertest.Start(t, brokertest.Script{})
	var log bytes.Buffer
	k := keeper(t, &log, func(d time.Duration) time.Duration { return d / 1000 }, first.URL(), second.URL())
	g := &guest{served: make(chan *wire.Client, 10), stay: true}
	defer run(t, k, g)()
	<-g.served
	if got := k.Status().Broker; got != second.URL() {
		t.Errorf("connected to %s, want the second, %s", got, second.URL())
	}
	for _, p := range second.Clients("id") {
		p.Close()
	}
	<-g.served
	if got := k.Status().Broker; got != first.URL() {
		t.Errorf("then connected to %s, want the first, %s", got, first.URL())
	}
}
