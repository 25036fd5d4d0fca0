package mqtt

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"fieldferry/mqtt/brokertest"
)

func TestUnansweredBirthHoldsUpNoValues(t *testing.T) {
	for _, c := range []struct {
		receive  uint16
		connects uint64
		window   int
	}{{65535, 1, 128}, {128, 1, 127}, {2, 1, 1}, {1, 2, 1}} {
		t.Run(fmt.Sprint(c.receive), func(t *testing.T) {
			b := brokertest.Start(t, brokertest.Script{
				Connect: func(p *brokertest.Peer, _ *packets.Connect) {
					p.Connack(0, &packets.Properties{ReceiveMaximum: &c.receive})
				},
				Publish: func(p *brokertest.Peer, m *packets.Publish) {
					if !strings.HasPrefix(string(m.Payload), `{"status":"online"`) {
						p.Take(m)
					}
				},
			})
			src, tags := newSource(t), plant("speed")
			src.add(tags[0], 1, 300)
			r := start(t, src, func(_ *Config, d *Deps) { d.birthTime = 20 * time.Millisecond }, b.URL())
			r.eventually("a window", func() bool { return r.Stats().Window > 0 })
			r.delivered()
			if n, err := complete(dropCurrent(valuesOf(t, b.Taken())), 300); err != nil || n > 0 {
				t.Errorf("%d repeated, %v", n, err)
			}
			if s := r.Stats(); s.Connects != c.connects || s.Window != c.window {
				t.Errorf("%d connections with a window of %d, want %d with %d", s.Connects, s.Window, c.connects, c.window)
			}
			if !strings.Contains(r.log.String(), "acknowledge") {
				t.Errorf("log: %s", r.log)
			}
		})
	}
}
