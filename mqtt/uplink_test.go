package mqtt

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"fieldferry/buffer"
	"fieldferry/mqtt/brokertest"
)

func TestDeliversInOrderWithBirthAndDeath(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{})
	src, tags := newSource(t), plant("speed")
	r := start(t, src, nil, b.URL())
	r.eventually("birth", func() bool { return len(b.Taken()) == 1 })
	src.add(tags[0], 1, 1000)
	r.delivered()
	if err := r.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	taken := b.Taken()
	if n, err := complete(valuesOf(t, taken), 1000); err != nil || n > 0 {
		t.Errorf("%d repeated, %v", n, err)
	}
	for i, want := range map[int]string{0: `{"status":"online","gateway":"gw"`, len(taken) - 1: `{"status":"offline","reason":"stopped"`} {
		if m := taken[i]; m.Topic != "site/_/status" || !m.Retain || !strings.HasPrefix(m.Payload, want) {
			t.Errorf("message %d: got %v, want %s...", i, m, want)
		}
	}
	for _, v := range valuesOf(t, taken) {
		if v.Historical || !v.retain || v.topic != "site/pump/speed" {
			t.Fatalf("live value: got %+v, want it retained on site/pump/speed", v)
		}
	}
	if s := r.Stats(); s.Delivered != 1000 || s.Resent != 0 || s.Pending != 0 || s.Connects != 1 || s.LastError != "" {
		t.Errorf("stats %+v", s)
	}
	c := b.Connects()[0]
	if !c.CleanStart || c.ClientID != "gw-plant" || !c.WillFlag || !c.WillRetain || c.WillTopic != "site/_/status" ||
		!strings.Contains(string(c.WillMessage), `"status":"offline","reason":"connection lost"`) {
		t.Errorf("CONNECT %+v, will %s", c, c.WillMessage)
	}
}

func TestResendsAfterEveryLoss(t *testing.T) {
	for _, window := range []int{1, 16, 128} {
		t.Run(fmt.Sprint(window), func(t *testing.T) {
			var n atomic.Int64
			b := brokertest.Start(t, brokertest.Script{Publish: func(p *brokertest.Peer, m *packets.Publish) {
				switch n.Add(1) % 199 {
				case 50:
					p.Close()
				case 100:
					p.Reset()
				case 150:
					p.Dismiss(0x8B, "")
				default:
					p.Take(m)
				}
			}})
			src, tags := newSource(t), plant("speed")
			src.add(tags[0], 1, 800)
			r := start(t, src, func(c *Config, _ *Deps) { c.Window = window }, b.URL())
			r.delivered()
			r.stop()
			vs := valuesOf(t, b.Taken())
			repeated, err := complete(history(vs), 800)
			s := r.Stats()
			if err != nil {
				t.Error(err)
			}
			if most := int(s.Connects) * window; repeated > most {
				t.Errorf("%d repeated in %d connections with a window of %d", repeated, s.Connects, window)
			}
			if s.Connects < 10 || s.Delivered != 800 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// history leaves out the repetition of current values.
func history(vs []value) []value {
	var h []value
	for _, v := range vs {
		if v.Historical {
			h = append(h, v)
		}
	}
	return h
}

func TestWindowIsTheBrokersReceiveMaximum(t *testing.T) {
	const receive = 5
	var held []*packets.Publish
	full := make(chan struct{})
	b := brokertest.Start(t, brokertest.Script{
		Connect: func(p *brokertest.Peer, _ *packets.Connect) {
			n := uint16(receive)
			p.Connack(0, &packets.Properties{ReceiveMaximum: &n})
		},
		Publish: func(p *brokertest.Peer, m *packets.Publish) {
			if strings.HasPrefix(m.Topic, "site/_/") {
				p.Take(m)
				return
			}
			if held = append(held, m); len(held) == receive {
				close(full)
			}
		},
	})
	src, tags := newSource(t), plant("speed")
	src.add(tags[0], 1, 100)
	r := start(t, src, nil, b.URL())
	<-full
	if s := r.Stats(); s.InFlight != receive || s.Window != receive {
		t.Errorf("stats %+v, want %d in flight", s, receive)
	}
	r.cancel() // nothing is acknowledged: the stop is bounded, and the will is asked for
	r.stop()
	taken := b.Taken()
	if last := taken[len(taken)-1]; !strings.Contains(last.Payload, reasonLost) {
		t.Errorf("the last message is %v, want the will", last)
	}
	if settled, _ := src.Position(); settled != 0 {
		t.Errorf("position %d, want 0", settled)
	}
}

func TestHistoryIsMarkedNeverRetainedAndFollowedByTheCurrentValue(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{})
	src, tags := newSource(t), plant("speed", "level")
	src.add(tags[0], 1, 20)
	src.add(tags[1], 100, 104)
	r := start(t, src, nil, b.URL()) // what is there before the start is of an earlier run
	r.eventually("the current values", func() bool { return len(valuesOf(t, b.Taken())) == 27 })
	src.add(tags[0], 21, 22)
	r.eventually("the live values", func() bool { return len(valuesOf(t, b.Taken())) == 29 })
	r.eventually("the acknowledgements", func() bool { return r.Stats().Delivered == 27 })
	vs := valuesOf(t, b.Taken())
	for _, v := range vs[:25] {
		if !v.Historical || v.retain {
			t.Errorf("history: got %+v, want it marked and not retained", v)
		}
	}
	current := map[string]value{}
	for _, v := range vs[25:27] {
		current[v.topic] = v
	}
	for topic, want := range map[string]int64{"site/pump/speed": 20, "site/pump/level": 104} {
		if v := current[topic]; v.Value != want || v.Historical || !v.retain {
			t.Errorf("current value of %s: got %+v, want %d, retained", topic, v, want)
		}
	}
	for _, v := range vs[27:] {
		if v.Historical || !v.retain {
			t.Errorf("live: got %+v", v)
		}
	}
	if s := r.Stats(); s.Historical != 25 {
		t.Errorf("stats: historical %d, want 25", s.Historical)
	}
}

func TestOneRefusedSampleIsPutAside(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{Publish: func(p *brokertest.Peer, m *packets.Publish) {
		if strings.Contains(string(m.Payload), `"value":500,`) {
			p.Ack(m, 0x99, "no good")
			return
		}
		p.Take(m)
	}})
	src, tags := newSource(t), plant("speed")
	r := start(t, src, nil, b.URL())
	r.eventually("connection", func() bool { return r.Stats().Connected })
	src.add(tags[0], 1, 10000)
	r.delivered()
	r.stop()
	if got := src.aside(); len(got) != 1 || got[500] != "payload not accepted (0x99)" {
		t.Errorf("put aside: %v, want number 500 alone", got)
	}
	if _, err := complete(valuesOf(t, b.Taken()), 10000, 500); err != nil {
		t.Error(err)
	}
	s := r.Stats()
	if s.Delivered != 9999 || s.Refused["payload not accepted (0x99)"] != 1 || s.Connects != 1 {
		t.Errorf("stats %+v", s)
	}
	if !strings.Contains(r.log.String(), "pump/speed") || !strings.Contains(r.log.String(), "no good") {
		t.Errorf("the log does not name the tag and the broker's words:\n%s", r.log)
	}
}

func TestBrokerThatRefusesEverythingEmptiesNoBuffer(t *testing.T) {
	var deny atomic.Bool
	deny.Store(true)
	b := brokertest.Start(t, brokertest.Script{Publish: func(p *brokertest.Peer, m *packets.Publish) {
		if deny.Load() && !strings.HasPrefix(m.Topic, "site/_/") {
			p.Ack(m, 0x87, "")
			return
		}
		p.Take(m)
	}})
	src, tags := newSource(t), plant("speed")
	src.add(tags[0], 1, 10000)
	r := start(t, src, nil, b.URL())
	r.eventually("an outage", func() bool { return strings.Contains(r.Stats().LastError, "everything is refused") })
	if settled, _ := src.Position(); settled != 0 || len(src.aside()) > 0 {
		t.Errorf("position %d, aside %v; want nothing to have left the buffer", settled, src.aside())
	}
	if s := r.Stats(); !strings.Contains(s.LastError, "not authorized (0x87)") {
		t.Errorf("last error %q does not name the reason", s.LastError)
	}
	deny.Store(false)
	r.delivered()
	r.stop()
	if _, err := complete(history(valuesOf(t, b.Taken())), 10000); err != nil {
		t.Error(err)
	}
	if got := src.aside(); len(got) > 0 {
		t.Errorf("put aside: %v", got)
	}
}

func TestRefusalWithoutAReasonIsRetriedThenPutAside(t *testing.T) {
	var tries atomic.Int64
	b := brokertest.Start(t, brokertest.Script{Publish: func(p *brokertest.Peer, m *packets.Publish) {
		if strings.Contains(string(m.Payload), `"value":3,`) {
			tries.Add(1)
			p.Ack(m, 0x80, "")
			return
		}
		p.Take(m)
	}})
	src, tags := newSource(t), plant("speed")
	src.add(tags[0], 1, 10)
	r := start(t, src, nil, b.URL())
	r.delivered()
	if got := src.aside(); len(got) != 1 || got[3] != "refused without a reason" {
		t.Errorf("put aside: %v, want number 3", got)
	}
	if n := tries.Load(); n != maxTries {
		t.Errorf("tried %d times, want %d", n, maxTries)
	}
}

func TestQuotaHoldsThePositionAndHalvesTheWindow(t *testing.T) {
	var refused atomic.Bool
	b := brokertest.Start(t, brokertest.Script{Publish: func(p *brokertest.Peer, m *packets.Publish) {
		if strings.Contains(string(m.Payload), `"value":30,`) && !refused.Swap(true) {
			p.Ack(m, 0x97, "")
			return
		}
		p.Take(m)
	}})
	src, tags := newSource(t), plant("speed")
	src.add(tags[0], 1, 100)
	r := start(t, src, func(c *Config, _ *Deps) { c.Window = 10 }, b.URL())
	r.delivered()
	// What was on its way behind the refused one may have come before it, and
	// comes once more after it.
	at := map[uint64]int{}
	for i, v := range history(valuesOf(t, b.Taken())) {
		at[v.Seq] = i
	}
	for seq := uint64(2); seq <= 100; seq++ {
		if at[seq] <= at[seq-1] {
			t.Errorf("the last message of number %d is number %d, that of %d is %d", seq-1, at[seq-1], seq, at[seq])
		}
	}
	if s := r.Stats(); s.Window != 5 || len(src.aside()) > 0 {
		t.Errorf("window %d, aside %v; want 5, none", s.Window, src.aside())
	}
}

func TestTooLargeForTheBrokerIsPutAsideUnsent(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{Connect: func(p *brokertest.Peer, _ *packets.Connect) {
		n := uint32(400)
		p.Connack(0, &packets.Properties{MaximumPacketSize: &n})
	}})
	src, tags := newSource(t), plant("speed")
	long := plant(strings.Repeat("x", 400))
	src.add(tags[0], 1, 3)
	src.add(long[0], 4, 4)
	src.add(tags[0], 5, 6)
	r := start(t, src, nil, b.URL())
	r.delivered()
	if got := src.aside(); len(got) != 1 || got[4] != "packet too large" {
		t.Errorf("put aside: %v, want number 4", got)
	}
}

func TestBrokerListIsTriedInOrder(t *testing.T) {
	refuses := brokertest.Start(t, brokertest.Script{Connect: func(p *brokertest.Peer, _ *packets.Connect) {
		p.Connack(0x88, &packets.Properties{})
	}})
	good := brokertest.Start(t, brokertest.Script{})
	src, tags := newSource(t), plant("speed")
	src.add(tags[0], 1, 10)
	r := start(t, src, nil, refuses.URL(), good.URL())
	r.delivered()
	if s := r.Stats(); s.Broker != good.URL() || !strings.Contains(s.LastError, "broker unavailable (0x88)") {
		t.Errorf("stats %+v, want to be connected to %s after a refusal", s, good.URL())
	}
}

func TestSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name    string
		connect func(*brokertest.Peer, *packets.Connect)
		want    string
	}{
		{"3.1.1", func(p *brokertest.Peer, _ *packets.Connect) { p.Raw([]byte{0x20, 2, 0, 1}); p.Close() },
			"the broker speaks only MQTT 3.1.1: it does not accept version 5"},
		{"password", func(p *brokertest.Peer, _ *packets.Connect) { p.Connack(0x86, &packets.Properties{}) },
			"bad user name or password (0x86) (check auth.username and auth.password_file"},
		{"web server", func(p *brokertest.Peer, _ *packets.Connect) { p.Raw([]byte("HTTP/1.1 302 Found\r\n")); p.Close() },
			"not an MQTT broker"},
		{"no QoS 1", func(p *brokertest.Peer, _ *packets.Connect) {
			q := byte(0)
			p.Connack(0, &packets.Properties{MaximumQOS: &q})
		}, "the broker takes no messages of QoS 1"},
		{"taken over", func(p *brokertest.Peer, k *packets.Connect) { p.Welcome(k); p.Dismiss(0x8E, "") },
			"another client uses the client id gw-plant"},
		{"closes each time", func(p *brokertest.Peer, k *packets.Connect) { p.Welcome(k); p.Close() },
			"another client uses the client id gw-plant"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := brokertest.Start(t, brokertest.Script{Connect: c.connect})
			r := start(t, newSource(t), nil, b.URL())
			r.eventually(c.want, func() bool { return strings.Contains(r.Stats().LastError, c.want) })
			r.stop()
			if n := strings.Count(r.log.String(), c.want); n < 1 || n > 3 {
				t.Errorf("%q is in the log %d times, want once per edge:\n%s", c.want, n, r.log)
			}
		})
	}
}

func TestTakeoverMakesNoStorm(t *testing.T) {
	var b *brokertest.Broker
	b = brokertest.Start(t, brokertest.Script{Connect: func(p *brokertest.Peer, c *packets.Connect) {
		for _, other := range b.Clients(c.ClientID) {
			if other != p {
				other.Close() // as mosquitto does, without a word
			}
		}
		p.Welcome(c)
	}})
	src := newSource(t)
	var pauses atomic.Int64
	pace := func(_ *Config, d *Deps) {
		d.pace = func(p time.Duration) time.Duration { pauses.Add(1); return p / 100 }
	}
	one, two := start(t, src, pace, b.URL()), start(t, newSource(t), pace, b.URL())
	one.eventually("words", func() bool {
		return strings.Contains(one.Stats().LastError+two.Stats().LastError, "another client uses the client id gw-plant")
	})
	one.stop()
	two.stop()
	if got, most := int64(len(b.Connects())), pauses.Load()+2; got > most {
		t.Errorf("%d connections with %d pauses: more than one for each pause", got, most-2)
	}
	if n := len(b.Connects()); n > 40 {
		t.Errorf("%d connections until the cause was known: a storm", n)
	}
}

func TestStopsWhenTheReaderEnds(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{})
	src, tags := newSource(t), plant("speed")
	r := start(t, src, nil, b.URL())
	src.add(tags[0], 1, 10)
	r.delivered()
	src.end()
	select {
	case err := <-r.done:
		r.done <- err
		if !errors.Is(err, errClosed) {
			t.Errorf("Run: got %v, want %v", err, errClosed)
		}
	case <-time.After(patience):
		t.Fatal("Run goes on without a reader")
	}
}

func TestChaosLosesNothing(t *testing.T) {
	for _, replay := range []string{inOrder, liveFirst} {
		for _, window := range []int{1, 16, 128} {
			t.Run(fmt.Sprint(replay, window), func(t *testing.T) { chaos(t, replay, window) })
		}
	}
}

func chaos(t *testing.T, replay string, window int) {
	b := brokertest.Start(t, brokertest.Script{})
	p := brokertest.StartProxy(t, b.Addr())
	src, tags := newSource(t), plant("speed", "level")
	r := start(t, src, func(c *Config, d *Deps) { young(c, d); c.Replay, c.Window = replay, window }, p.URL())
	const rounds, step = 20, 100
	for i := range int64(rounds) {
		src.add(tags[i%2], i*step+1, (i+1)*step)
		harm(r, p, int(i))
	}
	r.delivered()
	r.eventually("the current values", func() bool { return r.Stats().InFlight == 0 && r.repairs.None() })
	r.stop()
	vs := valuesOf(t, b.Taken())
	if replay == inOrder {
		if _, err := complete(dropCurrent(vs), rounds*step); err != nil {
			t.Error(err)
		}
	} else if err := eachOnce(dropCurrent(vs), rounds*step); err != nil {
		t.Error(err)
	}
	kept, err := retainedGrows(vs)
	if err != nil {
		t.Error(err)
	}
	if kept["site/pump/level"] != rounds*step || kept["site/pump/speed"] != (rounds-1)*step {
		t.Errorf("the broker keeps %v, want the newest of each", kept)
	}
	if s := r.Stats(); s.Connects < 4 || (src.splits == 0) != (replay == inOrder) {
		t.Errorf("%d connections, %d splits: the proxy did no harm, or the wrong order was kept", s.Connects, src.splits)
	}
}

// harm does one kind of harm and waits until the uplink has noticed.
func harm(r *rig, p *brokertest.Proxy, i int) {
	before := r.Stats().Connects
	again := func() { r.eventually("a new connection", func() bool { return r.Stats().Connects > before }) }
	settled, head := r.src.Position()
	switch i % 5 {
	case 0: // cut in the middle of the work
		r.eventually("some progress", func() bool { now, _ := r.src.Position(); return now > settled || now == head })
		p.Kill()
		again()
	case 1: // acknowledgements vanish, then the connection
		p.SwallowAcks(true)
		r.eventually("messages on their way", func() bool { s := r.Stats(); return s.InFlight > 0 || s.Window == 0 })
		p.SwallowAcks(false) // what has vanished stays away; the next birth shall be acknowledged
		p.Kill()
		again()
	case 2: // a hole, then the connection
		p.BlackHole(true)
		p.Kill()
		p.BlackHole(false)
		again()
	case 3: // nobody answers for a while
		p.Refuse(true)
		p.Kill()
		attempts := r.Stats().Attempts
		r.eventually("more attempts", func() bool { return r.Stats().Attempts > attempts+2 })
		p.Refuse(false)
		again()
	}
}

// dropCurrent leaves out repetitions that are current values of what was
// history.
func dropCurrent(vs []value) []value {
	seen := map[uint64]bool{}
	var kept []value
	for _, v := range vs {
		if v.Historical {
			seen[v.Seq] = true
		} else if seen[v.Seq] {
			continue
		}
		kept = append(kept, v)
	}
	return kept
}

func TestSamplesOfAnUnsetClockSaySo(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{})
	src, tags := newSource(t), plant("speed")
	src.add(tags[0], 1, 3)
	for i, trust := range []buffer.Trust{buffer.Trusted, buffer.Repaired, buffer.Unsynced} {
		src.entries[i].Clock = trust
	}
	r := start(t, src, nil, b.URL())
	r.eventually("the values", func() bool { return len(valuesOf(t, b.Taken())) >= 3 })
	for i, v := range valuesOf(t, b.Taken())[:3] {
		if want := map[bool]string{true: "unsynced"}[i == 2]; v.Clock != want {
			t.Errorf("value %d: clock %q, want %q", v.Value, v.Clock, want)
		}
	}
}
