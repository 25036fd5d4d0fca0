package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho/log"
)

// pinger keeps a quiet connection alive and finds a dead one (paho.Pinger).
// It pings when for one keep-alive nothing was sent or nothing was received,
// and gives up when for another one nothing at all arrives: a half-open
// connection is found within two keep-alives.
type pinger struct {
	fail  func(error)
	began time.Time // the times below count from here, on the monotonic clock

	sent, received atomic.Int64 // nanoseconds since began
}

func newPinger(fail func(error)) *pinger { return &pinger{fail: fail, began: time.Now()} }

// PacketSent is called by the library after each packet it sends.
func (p *pinger) PacketSent() { p.sent.Store(int64(time.Since(p.began))) }

// PacketReceived is called by the library after each packet it receives.
func (p *pinger) PacketReceived() { p.received.Store(int64(time.Since(p.began))) }

// PingResp adds nothing: PacketReceived was called before.
func (p *pinger) PingResp() {}

// SetDebug does nothing.
func (p *pinger) SetDebug(log.Logger) {}

// Run watches the connection until ctx ends or the broker is silent.
func (p *pinger) Run(ctx context.Context, c net.Conn, keepAlive uint16) error {
	if keepAlive == 0 {
		return nil
	}
	interval := time.Duration(keepAlive) * time.Second
	p.PacketSent()
	p.PacketReceived()
	pinged := time.Duration(-1) // when, if a ping is not answered yet
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		now, heard := time.Since(p.began), time.Duration(p.received.Load())
		if pinged >= 0 && heard < pinged {
			err := &Error{Kind: Silent, Err: fmt.Errorf("the broker did not answer a ping for %v", interval)}
			p.fail(err)
			return err
		}
		pinged = -1
		if idle := min(heard, time.Duration(p.sent.Load())); now-idle < interval {
			timer.Reset(interval - (now - idle))
			continue
		}
		pinged = now
		if _, err := packets.NewControlPacket(packets.PINGREQ).WriteTo(c); err != nil {
			return errors.Join(errors.New("send a ping"), err)
		}
		p.PacketSent()
		timer.Reset(interval)
	}
}
