//go:build demo

package demo

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// broker is an MQTT broker on one loopback port that can be taken away and
// brought back. What it retained is lost each time, as with a broker that
// keeps nothing on disk.
type broker struct {
	addr   string
	outage time.Duration
	count  atomic.Uint64 // messages published to it, over all its lives
}

// newBroker picks a free port.
func newBroker(outage time.Duration) (*broker, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a port for the broker: %w", err)
	}
	defer ln.Close()
	return &broker{addr: ln.Addr().String(), outage: outage}, nil
}

// counter counts published messages.
type counter struct {
	mochi.HookBase
	n *atomic.Uint64
}

func (c *counter) ID() string { return "count" }

func (c *counter) Provides(b byte) bool { return b == mochi.OnPublished }

func (c *counter) OnPublished(*mochi.Client, packets.Packet) { c.n.Add(1) }

// run serves until ctx ends. With every above zero, the broker is killed that
// often and stays away for its outage; say tells a person.
func (b *broker) run(ctx context.Context, every time.Duration, say func(string)) error {
	for {
		stop, err := b.start()
		if err != nil {
			return err
		}
		if every <= 0 {
			<-ctx.Done()
			return stop()
		}
		wait(ctx, every)
		if err := stop(); err != nil || ctx.Err() != nil {
			return err
		}
		say(fmt.Sprintf("broker killed, back in %s: samples go to the disk", b.outage))
		if !wait(ctx, b.outage) {
			return nil
		}
		say("broker is back: watch the backlog drain")
	}
}

func (b *broker) start() (stop func() error, err error) {
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	s.Options.Capabilities.MaximumInflight = 1024
	if err := s.AddHook(new(auth.AllowHook), nil); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := s.AddHook(&counter{n: &b.count}, nil); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := s.AddListener(listeners.NewTCP(listeners.Config{ID: "tcp", Address: b.addr})); err != nil {
		return nil, fmt.Errorf("broker on %s: %w", b.addr, err)
	}
	if err := s.Serve(); err != nil {
		return nil, fmt.Errorf("broker on %s: %w", b.addr, err)
	}
	return s.Close, nil
}

// wait returns true after d, false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
