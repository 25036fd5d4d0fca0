//go:build peer

package mqtt

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"fieldferry/command"
	"fieldferry/internal/peers"
	"fieldferry/mqtt/brokertest"
	"fieldferry/mqtt/wire"
)

// unlimited has mosquitto keep everything for a slow subscriber.
const unlimited = "max_queued_messages 0\nmax_inflight_messages 0\n"

// observer is a subscriber, straight at the broker.
type observer struct {
	t      testing.TB
	client *wire.Client // nil before the first

	mu    sync.Mutex
	taken []brokertest.Message
}

// observe subscribes; what it saw before, from an earlier broker that has
// ended, is kept, and read to its end before anything of the new one.
func (o *observer) observe(url string) {
	o.t.Helper()
	if o.client != nil {
		select {
		case <-o.client.Done():
		case <-time.After(patience):
			o.t.Fatal("the connection to the earlier broker has not ended")
		}
	}
	b, err := wire.ParseBroker(url)
	if err != nil {
		o.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := wire.Connect(ctx, wire.Options{
		Broker: b, ClientID: fmt.Sprintf("observer-%d", rand.Uint64()), KeepAlive: time.Minute, MaxInbound: 1 << 20, Clock: time.Now,
		Receive: func(m wire.Received) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.taken = append(o.taken, brokertest.Message{Topic: m.Topic, Payload: string(m.Payload), Retain: m.Retained})
		},
	})
	if err != nil {
		o.t.Fatal(err)
	}
	o.client = c
	o.t.Cleanup(func() { c.Disconnect(wire.Success) })
	if err := c.Subscribe(ctx, "site/#"); err != nil {
		o.t.Fatal(err)
	}
}

func (o *observer) values() []value {
	o.mu.Lock()
	defer o.mu.Unlock()
	return valuesOf(o.t, o.taken)
}

// complete waits for the last number and checks the rest.
func (o *observer) complete(r *rig, n uint64, skip ...uint64) {
	o.t.Helper()
	r.delivered()
	var err error
	r.eventually("everything at the subscriber", func() bool {
		_, err = complete(dropCurrent(o.values()), n, skip...)
		return err == nil || !strings.HasPrefix(err.Error(), "the last of")
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

func hostPort(b *peers.Broker) string { return net.JoinHostPort("127.0.0.1", fmt.Sprint(b.Port)) }

func TestPeerBrokerIsStartedAgain(t *testing.T) {
	for _, c := range []struct {
		window int
		conf   string
		end    func(*peers.Broker)
	}{
		{1, "", (*peers.Broker).Kill},
		{16, "", (*peers.Broker).Kill},
		{128, "", (*peers.Broker).Kill},
		{128, "persistence true\npersistence_location {dir}/\n", (*peers.Broker).Stop},
		{1024, "", (*peers.Broker).Kill},
	} {
		t.Run(fmt.Sprint(c.window), func(t *testing.T) {
			b := peers.Mosquitto(t, unlimited+c.conf)
			proxy := brokertest.StartProxy(t, hostPort(b))
			src, tags, seen := newSource(t), plant("total"), &observer{t: t}
			seen.observe(b.URL())
			r := start(t, src, func(f *Config, _ *Deps) { f.Window = c.window }, proxy.URL())
			// A window is open once the birth is acknowledged.
			r.eventually("connection", func() bool { return r.Stats().Window > 0 })
			const rounds, step = 4, 3000
			for i := range int64(rounds) {
				// Acknowledgements vanish, so that messages are on their way
				// when the broker dies with all that it remembers.
				proxy.SwallowAcks(true)
				src.add(tags[0], i*step+1, i*step+step/2)
				r.eventually("a full window", func() bool { s := r.Stats(); return s.Window > 0 && s.InFlight == s.Window })
				proxy.Refuse(true)
				c.end(b)
				src.add(tags[0], i*step+step/2+1, (i+1)*step)
				b.Start()
				seen.observe(b.URL())
				proxy.SwallowAcks(false)
				proxy.Refuse(false)
				// What the broker has acknowledged and not yet handed on dies
				// with it, which no uplink can mend: nothing may be left with
				// it before the next end.
				seen.complete(r, uint64(i+1)*step)
			}
			if s := r.Stats(); s.Connects != rounds+1 || s.Resent == 0 || s.Resent > rounds*uint64(c.window) {
				t.Errorf("stats %+v, want %d connections, and at most a window sent again after each", s, rounds+1)
			}
		})
	}
}

func TestPeerChaos(t *testing.T) {
	for _, window := range []int{1, 16, 128, 1024} {
		t.Run(fmt.Sprint(window), func(t *testing.T) {
			b := peers.Mosquitto(t, unlimited+"set_tcp_nodelay true\n")
			proxy := brokertest.StartProxy(t, hostPort(b))
			src, tags, seen := newSource(t), plant("total", "level"), &observer{t: t}
			seen.observe(b.URL())
			r := start(t, src, func(c *Config, _ *Deps) { c.Window = window }, proxy.URL())
			r.eventually("connection", func() bool { return r.Stats().Connected })
			rnd := rand.New(rand.NewPCG(1, uint64(window)))
			n := int64(0)
			for range 20 {
				more := 1 + rnd.Int64N(300)
				src.add(tags[rnd.IntN(2)], n+1, n+more)
				n += more
				harm(r, proxy, rnd.IntN(5))
			}
			seen.complete(r, uint64(n))
			t.Logf("%d samples in %d connections, %d sent again", n, r.Stats().Connects, r.Stats().Resent)
		})
	}
}

func TestPeerRetainsTheCurrentValueAndTheStatus(t *testing.T) {
	b := peers.Mosquitto(t, unlimited)
	src, tags := newSource(t), plant("speed", "level")
	src.add(tags[0], 1, 50)
	src.add(tags[1], 7, 7)
	r := start(t, src, nil, b.URL())
	r.delivered()
	r.eventually("the current values", func() bool { return r.Stats().InFlight == 0 && r.repairs.None() })
	src.add(tags[0], 51, 52)
	r.delivered()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	kept := retained(t, b, "site/#", 3)
	if m := kept["site/_/status"]; !strings.Contains(m, `"status":"offline","reason":"stopped"`) {
		t.Errorf("status %s", m)
	}
	for topic, want := range map[string]string{"site/pump/speed": `{"value":52,`, "site/pump/level": `{"value":7,`} {
		if m := kept[topic]; !strings.HasPrefix(m, want) || strings.Contains(m, "historical") {
			t.Errorf("retained on %s: %s, want %s...", topic, m, want)
		}
	}
}

// retained returns n retained messages, by topic. It asks for what a gateway
// never asks for.
func retained(t *testing.T, b *peers.Broker, filter string, n int) map[string]string {
	t.Helper()
	got := make(chan *paho.Publish, 100)
	c := client(t, b, "retained", func(p *paho.Publish) { got <- p })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := c.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: 1}}}); err != nil {
		t.Fatal(err)
	}
	kept := map[string]string{}
	for len(kept) < n {
		select {
		case p := <-got:
			if !p.Retain {
				t.Errorf("not retained: %s", p.Topic)
			}
			kept[p.Topic] = string(p.Payload)
		case <-ctx.Done():
			t.Fatalf("retained: %v, want %d", kept, n)
		}
	}
	return kept
}

// client connects a client of the library itself.
func client(t *testing.T, b *peers.Broker, id string, receive func(*paho.Publish)) *paho.Client {
	t.Helper()
	conn, err := net.Dial("tcp", hostPort(b))
	if err != nil {
		t.Fatal(err)
	}
	c := paho.NewClient(paho.ClientConfig{Conn: conn, OnPublishReceived: []func(paho.PublishReceived) (bool, error){
		func(p paho.PublishReceived) (bool, error) { receive(p.Packet); return true, nil },
	}})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := c.Connect(ctx, &paho.Connect{ClientID: id, CleanStart: true, KeepAlive: 60}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Disconnect(&paho.Disconnect{}) })
	return c
}

func TestPeerTLSWithClientCertificate(t *testing.T) {
	ca := brokertest.NewAuthority(t)
	hour := time.Now().Add(time.Hour)
	cert, key := ca.Issue("broker", hour)
	b := peers.Mosquitto(t, fmt.Sprintf("listener {port} 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate true\nuse_identity_as_username true\n",
		ca.File, cert, key))
	src, tags := newSource(t), plant("speed")
	src.add(tags[0], 1, 1000)
	url := "mqtts://" + hostPort(b)
	r := start(t, src, func(c *Config, _ *Deps) {
		c.TLS.CAFile = ca.File
		c.TLS.CertFile, c.TLS.KeyFile = ca.Issue("line3", time.Now().Add(-time.Hour))
	}, url)
	r.eventually("words about the certificate", func() bool { return strings.Contains(r.Stats().LastError, "certificate") })
	ca.Issue("line3", hour) // renewed: no restart
	r.delivered()
	if s := r.Stats(); s.Delivered != 1000 {
		t.Errorf("stats %+v", s)
	}
	without := start(t, newSource(t), func(c *Config, _ *Deps) { c.Name, c.TLS.CAFile = "bare", ca.File }, url)
	without.eventually("words", func() bool { return strings.Contains(without.Stats().LastError, "certificate required") })
}

func TestPeerPassword(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "users")
	if err := os.WriteFile(file, []byte("line3:geheim\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mosquitto_passwd", "-U", file).CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd, which comes with mosquitto (see `make deps`): %v\n%s", err, out)
	}
	b := peers.Mosquitto(t, "listener {port} 127.0.0.1\nallow_anonymous false\npassword_file "+file+"\n")
	secret := filepath.Join(dir, "line3.password")
	if err := os.WriteFile(secret, []byte("wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	src, tags := newSource(t), plant("speed")
	src.add(tags[0], 1, 10)
	r := start(t, src, func(c *Config, _ *Deps) { c.Auth = Auth{Username: "line3", PasswordFile: secret} }, b.URL())
	r.eventually("words about the password", func() bool {
		return strings.Contains(r.Stats().LastError, "check auth.username and auth.password_file")
	})
	if strings.Contains(r.log.String()+r.Stats().LastError, "wrong") {
		t.Error("the password is in the log")
	}
	if err := os.WriteFile(secret, []byte("geheim\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.delivered()
}

func TestPeerACL(t *testing.T) {
	dir := t.TempDir()
	acl := filepath.Join(dir, "acl")
	if err := os.WriteFile(acl, []byte("topic readwrite site/_/#\ntopic readwrite site/pump/speed\ntopic read site/#\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := peers.Mosquitto(t, "acl_file "+acl+"\n")
	src, tags, seen := newSource(t), plant("speed", "secret"), &observer{t: t}
	seen.observe(b.URL())
	src.add(tags[0], 1, 10)
	src.add(tags[1], 11, 12)
	src.add(tags[0], 13, 20)
	r := start(t, src, nil, b.URL())
	seen.complete(r, 20, 11, 12)
	if got := src.aside(); len(got) != 2 || got[11] != "not authorized (0x87)" || got[12] != got[11] {
		t.Errorf("put aside: %v, want 11 and 12", got)
	}
	src.add(tags[1], 21, 300)
	r.eventually("an outage", func() bool { return strings.Contains(r.Stats().LastError, "everything is refused") })
	if settled, _ := src.Position(); settled != 20 || len(src.aside()) != 2 {
		t.Errorf("position %d, %d aside; want 20 and 2: an uplink that is refused everything keeps it", settled, len(src.aside()))
	}
}

func TestPeerTakeover(t *testing.T) {
	b := peers.Mosquitto(t, "")
	var mu sync.Mutex
	pauses := 0
	pace := func(_ *Config, d *Deps) {
		d.pace = func(p time.Duration) time.Duration {
			mu.Lock()
			defer mu.Unlock()
			pauses++
			return p / 100
		}
	}
	one, two := start(t, newSource(t), pace, b.URL()), start(t, newSource(t), pace, b.URL())
	one.eventually("words", func() bool {
		return strings.Contains(one.Stats().LastError+two.Stats().LastError, "another client uses the client id gw-plant")
	})
	one.stop()
	two.stop()
	mu.Lock()
	defer mu.Unlock()
	if n := int(one.Stats().Attempts + two.Stats().Attempts); n > pauses+2 {
		t.Errorf("%d attempts with %d pauses", n, pauses)
	}
}

// executor carries out commands at once.
type executor struct{}

func (executor) Execute(_ context.Context, r command.Request) command.Result {
	return command.Result{Outcome: command.OutcomeDone, ReadBack: r.Value, At: time.Now()}
}

func (executor) Refuse(_ command.Request, reason string) command.Result {
	return command.Result{Outcome: command.OutcomeRefused, Reason: reason, At: time.Now()}
}

func TestPeerCommandRoundTrip(t *testing.T) {
	b := peers.Mosquitto(t, unlimited)
	answers := make(chan *paho.Publish, 1000)
	c := client(t, b, "scada", func(p *paho.Publish) { answers <- p })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := c.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "scada/answers", QoS: 1}}}); err != nil {
		t.Fatal(err)
	}
	props := func(i byte) *paho.PublishProperties {
		return &paho.PublishProperties{ResponseTopic: "scada/answers", CorrelationData: []byte{i}}
	}
	if _, err := c.Publish(ctx, &paho.Publish{Topic: "site/_/set/pump/speed", QoS: 1, Retain: true,
		Payload: []byte(`{"value":99,"id":"of yesterday"}`), Properties: props(0)}); err != nil {
		t.Fatal(err)
	}
	r := start(t, newSource(t), func(c *Config, d *Deps) {
		c.Commands, d.Commands = &Commands{Accept: []string{"json", "plain"}}, executor{}
	}, b.URL())
	// Connected is said before the subscription is there: a command that
	// nobody hears is sent again, under an id that is not counted below.
	for heard := false; !heard; {
		res, err := c.Publish(ctx, &paho.Publish{Topic: "site/_/set/pump/probe", QoS: 1, Payload: []byte("1")})
		if err != nil {
			t.Fatal(err)
		}
		heard = res.ReasonCode == 0
	}
	r.eventually("the probe", func() bool { return r.Stats().Commands.Outcomes["done"] == 1 })
	const n = 200
	go func() {
		for i := range n {
			p := fmt.Sprintf(`{"value":%d,"id":"%d"}`, i, i)
			if i%10 == 9 {
				p = fmt.Sprint(i) // plain, as FUXA sends them
			}
			_, err := c.Publish(ctx, &paho.Publish{Topic: "site/_/set/pump/speed", QoS: 1, Payload: []byte(p), Retain: i%10 == 9,
				Properties: props(byte(i))})
			if err != nil {
				t.Errorf("command %d: %v", i, err)
			}
		}
	}()
	seen := map[byte]bool{}
	for len(seen) < n {
		select {
		case a := <-answers:
			var got struct {
				Outcome string
				Value   int
				ID      string
			}
			if err := json.Unmarshal(a.Payload, &got); err != nil || got.Outcome != "done" || got.ID == "of yesterday" {
				t.Fatalf("answer %s: %v", a.Payload, err)
			}
			if i := a.Properties.CorrelationData[0]; int(i) != got.Value || a.Retain {
				t.Fatalf("answer %s with correlation %d", a.Payload, i)
			}
			seen[a.Properties.CorrelationData[0]] = true
		case <-ctx.Done():
			t.Fatalf("%d of %d answers; stats %+v\n%s", len(seen), n, r.Stats(), r.log)
		}
	}
	if s := r.Stats().Commands; s.Received != n+1 || s.Outcomes["done"] != n+1 || s.Unanswered != 0 {
		t.Errorf("stats %+v", s)
	}
}
