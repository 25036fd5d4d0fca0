//go:build demo

package demo

import (
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Plant is the simulated plant. Make it with NewPlant, run it with Run.
type Plant struct {
	Line   string // address of the bottling line, tcp://127.0.0.1:port: units 1 to 3
	Meters string // address of the energy meters, tcp://127.0.0.1:port: units 1 to 4
	Serial string // path of the serial line: units 1 and 2
	Press  string // endpoint of the OPC UA press
	Broker string // mqtt://127.0.0.1:port

	line, meters, serial map[byte]*slave
	lineLn, metersLn     net.Listener
	pty                  *pty
	press                *press
	broker               *broker
	killEvery            time.Duration
	say                  func(string)
}

// outage is how long a killed broker stays away.
const outage = 15 * time.Second

// NewPlant opens ports and a pseudo terminal; nothing answers before Run. The
// broker is killed every killBroker, never when that is zero; say is told
// what happens, one line at a time.
func NewPlant(killBroker time.Duration, say func(string)) (p *Plant, err error) {
	log.SetOutput(io.Discard) // the OPC UA server prints there
	p = &Plant{killEvery: killBroker, say: say}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.lineLn, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("bottling line: %w", err)
	}
	if p.metersLn, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("meters: %w", err)
	}
	if p.pty, p.Serial, err = openPTY(); err != nil {
		return nil, err
	}
	if p.press, err = newPress(); err != nil {
		return nil, err
	}
	if p.broker, err = newBroker(outage); err != nil {
		return nil, err
	}
	p.Line, p.Meters = "tcp://"+p.lineLn.Addr().String(), "tcp://"+p.metersLn.Addr().String()
	p.Press, p.Broker = p.press.endpoint, "mqtt://"+p.broker.addr
	p.line, p.meters, p.serial = units(3), units(4), units(2)
	p.update(time.Now())
	return p, nil
}

func units(n byte) map[byte]*slave {
	m := map[byte]*slave{}
	for u := byte(1); u <= n; u++ {
		m[u] = newSlave(u)
	}
	return m
}

func (p *Plant) close() {
	for _, c := range []io.Closer{p.lineLn, p.metersLn} {
		if c != nil {
			c.Close()
		}
	}
	if p.pty != nil {
		p.pty.Close()
	}
}

// Messages tells how many messages the broker has taken.
func (p *Plant) Messages() uint64 { return p.broker.count.Load() }

// Run plays the plant until ctx ends, and leaves nothing behind.
func (p *Plant) Run(ctx context.Context) error {
	if err := p.press.start(ctx); err != nil {
		p.close()
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() { serveTCP(ctx, p.lineLn, p.line) })
	wg.Go(func() { serveTCP(ctx, p.metersLn, p.meters) })
	wg.Go(func() { serveRTU(p.pty, p.serial) })
	wg.Go(func() { p.play(ctx) })
	err := p.broker.run(ctx, p.killEvery, p.say)
	<-ctx.Done()
	p.pty.Close()
	wg.Wait()
	p.press.srv.Close()
	return err
}

func (p *Plant) play(ctx context.Context) {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			p.update(now)
		case <-ctx.Done():
			return
		}
	}
}

// update sets every register to what the plant does at a time.
func (p *Plant) update(now time.Time) {
	s := float64(now.UnixMilli()) / 1000
	for u, dev := range p.line {
		p.updateStation(dev, u, s)
	}
	for u, dev := range p.meters {
		updateMeter(dev, float64(u), s)
	}
	for u, dev := range p.serial {
		dev.mu.Lock()
		dev.holding[0] = uint16(int16(10 * (65 + 5*math.Sin(s/30+float64(u)) + noise(0.1)))) // 0.1 °C
		if _, ok := dev.holding[1]; !ok {
			dev.holding[1] = 650 // set point
		}
		dev.mu.Unlock()
	}
	p.press.set("Force", math.Round(10*(120+100*math.Abs(math.Sin(s*math.Pi/4))+noise(1)))/10)
	p.press.set("Temperature", math.Round(10*(42+3*math.Sin(s/60)))/10)
	p.press.set("Strokes", uint32(int64(s/4)%1_000_000))
	p.press.set("Running", int64(s)%60 < 50)
	p.press.set("Program", fmt.Sprintf("B-%03d", int64(s/60)%8))
}

// updateStation sets a filler, capper or labeler. The labeler falls silent for
// 20 of every 90 seconds.
func (p *Plant) updateStation(dev *slave, unit byte, s float64) {
	dev.mu.Lock()
	defer dev.mu.Unlock()
	dev.silent = unit == 3 && math.Mod(s, 90) > 70
	speed := 300 + 60*math.Sin(s/20+float64(unit)) + noise(2)
	dev.holding[0] = uint16(speed * 10)                 // 0.1 bottles/min
	dev.setLong(dev.holding, 1, bottles(unit, s))       // bottles
	dev.holding[3] = uint16(int64(s)/7) & 0b101         // status bits
	dev.setFloat(dev.holding, 4, 2.5+0.3*math.Sin(s/5)) // bar
	if _, ok := dev.holding[6]; !ok {
		dev.holding[6] = 300 // set point, bottles/min
	}
	dev.bits[0], dev.bits[1] = true, int64(s)%30 < 3
}

// bottles counts what a station has passed on since it was reset, each at
// another time; the mean speed of all is 5 bottles/s.
func bottles(unit byte, s float64) uint32 {
	return uint32((int64(s*5) + 1_234_567*int64(unit)) % 1e9)
}

func noise(width float64) float64 { return (2*rand.Float64() - 1) * width }
