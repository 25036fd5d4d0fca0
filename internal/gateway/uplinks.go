package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"

	"fieldferry/buffer"
	"fieldferry/configs"
	"fieldferry/internal/gateway/difference"
	"fieldferry/mapping/payload"
	"fieldferry/mqtt"
	"fieldferry/web/plant"
)

// uplinkPart is a running uplink.
type uplinkPart struct {
	config mqtt.Config
	of     *configs.Gateway // the configuration that it was started with
	reader *buffer.Reader
	uplink *mqtt.Uplink
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// startUplink makes an uplink run until stop. Its position in the buffer is
// known by its name.
func (g *Gateway) startUplink(cfg *configs.Gateway, c mqtt.Config) (*uplinkPart, error) {
	enc, err := payload.Compile(c.Payload, difference.Vars(cfg, c))
	if err != nil {
		return nil, fmt.Errorf("uplink %s: %w", c.Name, err)
	}
	start := buffer.StartNow
	if c.Start == "oldest" {
		start = buffer.StartOldest
	}
	r, err := g.buffer.Reader(c.Name, start)
	if err != nil {
		return nil, fmt.Errorf("uplink %s: %w", c.Name, err)
	}
	u, err := mqtt.New(c, mqtt.Deps{
		Reader: r, Encoder: enc, Commands: g.commands, Log: g.log, Clock: time.Now,
		Ledger:  func() mqtt.Ledger { return g.ledger(c.Name) },
		Gateway: mqtt.Identity{Name: cfg.Name, Version: g.opts.Version, BufferID: g.buffer.ID(), Epoch: g.buffer.Stats().Epoch},
	})
	if err != nil {
		return nil, fmt.Errorf("uplink %s: %w", c.Name, err)
	}
	p := &uplinkPart{config: c, of: cfg, reader: r, uplink: u}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.done.Go(func() {
		if err := u.Run(ctx); err != nil {
			g.log.Error("uplink ended", "uplink", c.Name, "err", err)
		}
	})
	return p, nil
}

// ledger is the account of an uplink's reader, with the buffer's latest drops.
func (g *Gateway) ledger(uplink string) mqtt.Ledger {
	s := g.buffer.Stats()
	for i := range s.Readers {
		if s.Readers[i].Name == uplink {
			return mqtt.LedgerOf(&s.Readers[i], g.buffer.Drops())
		}
	}
	return mqtt.Ledger{}
}

// stop ends the uplink in order and returns when nothing of it runs any more.
func (p *uplinkPart) stop() {
	p.cancel()
	p.done.Wait()
}

// uplinkStatus joins what the uplink knows of its connection and the buffer of
// its reader.
func uplinkStatus(p *uplinkPart, b *buffer.Stats, now time.Time) plant.Uplink {
	s := p.uplink.Stats()
	out := plant.Uplink{
		Name: p.config.Name, Broker: s.Broker, Format: p.config.Payload.Format, State: plant.Down, Since: s.Since,
		Error: s.LastError, Backlog: s.Backlog, InFlight: s.InFlight, Delivered: s.Delivered, AckDelay: s.AckLatency,
	}
	switch {
	case s.Connected:
		out.State, out.Error = plant.Up, ""
	case s.LastError == "":
		out.State = plant.Starting
	}
	for _, n := range s.Refused {
		out.Refused += n
	}
	for i := range b.Readers {
		if r := &b.Readers[i]; r.Name == p.config.Name {
			out.Pending, out.PendingBytes = r.Pending, r.PendingBytes
			out.Produced, out.Settled, out.Filtered, out.Dropped, out.PutAside = r.Appended, r.Delivered, r.Filtered, r.Dropped, r.PutAside
			if r.Pending > 0 {
				out.Oldest = now.Add(-r.OldestAge)
			}
		}
	}
	return out
}
