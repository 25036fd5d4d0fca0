package wire_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"fieldferry/mqtt/brokertest"
	"fieldferry/mqtt/wire"
)

const patience = 20 * time.Second

func options(t *testing.T, url string) wire.Options {
	t.Helper()
	b, err := wire.ParseBroker(url)
	if err != nil {
		t.Fatalf("ParseBroker(%q): %v", url, err)
	}
	return wire.Options{
		Broker: b, ClientID: "test", KeepAlive: 30 * time.Second, MaxInbound: 64 << 10,
		Result: func(wire.Result) {}, Clock: time.Now,
	}
}

func connect(t *testing.T, o wire.Options) *wire.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := wire.Connect(ctx, o)
	if err != nil {
		t.Fatalf("Connect(%s): %v", o.Broker, err)
	}
	t.Cleanup(func() { c.Disconnect(wire.Success) })
	return c
}

func await(t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s did not happen within %v", what, patience)
	}
}

func TestResultsCarryTokenCodeAndReasonInOrder(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{Publish: func(p *brokertest.Peer, m *packets.Publish) {
		if m.Topic == "denied" {
			p.Ack(m, 0x87, "not you")
			return
		}
		p.Take(m)
	}})
	const n = 2000
	var (
		mu   sync.Mutex
		got  []wire.Result
		done = make(chan struct{})
	)
	o := options(t, b.URL())
	o.Result = func(r wire.Result) {
		mu.Lock()
		defer mu.Unlock()
		if got = append(got, r); len(got) == n {
			close(done)
		}
	}
	c := connect(t, o)
	payload := make([]byte, 0, 100)
	for i := range n {
		topic := "a/b"
		if i%10 == 0 {
			topic = "denied"
		}
		payload = fmt.Appendf(payload[:0], "%d", i)
		if err := c.Send(uint64(i), &wire.Message{Topic: topic, Payload: payload}); err != nil {
			t.Fatalf("send %d: %v", i, err)
		}
	}
	await(t, done, "the last result")
	for i, r := range got {
		want := wire.Result{Token: uint64(i)}
		if i%10 == 0 {
			want.Code, want.Reason = wire.NotAuthorized, "not you"
		}
		if r != want {
			t.Fatalf("result %d: got %+v, want %+v", i, r, want)
		}
	}
	taken := b.Taken()
	if len(taken) != n-n/10 || taken[0].Payload != "1" {
		t.Errorf("the broker took %d messages, the first %v; want %d, the first 1", len(taken), taken[0], n-n/10)
	}
}

func TestLimitsOfConnack(t *testing.T) {
	receive, size, qos, alive, no := uint16(7), uint32(999), byte(1), uint16(11), byte(0)
	b := brokertest.Start(t, brokertest.Script{Connect: func(p *brokertest.Peer, _ *packets.Connect) {
		p.Connack(0, &packets.Properties{ReceiveMaximum: &receive, MaximumPacketSize: &size, MaximumQOS: &qos,
			ServerKeepAlive: &alive, RetainAvailable: &no})
	}})
	got := connect(t, options(t, b.URL())).Limits()
	want := wire.Limits{Receive: 7, Packet: 999, QoS: 1, KeepAlive: 11 * time.Second}
	if got != want {
		t.Errorf("limits\n got %+v\nwant %+v", got, want)
	}
}

func TestConnectSaysWhyNot(t *testing.T) {
	raw := func(b ...byte) func(*brokertest.Peer, *packets.Connect) {
		return func(p *brokertest.Peer, _ *packets.Connect) { p.Raw(b); p.Close() }
	}
	for _, c := range []struct {
		name    string
		connect func(*brokertest.Peer, *packets.Connect)
		kind    wire.Kind
		code    wire.Code
		err     string
	}{
		{"refused", func(p *brokertest.Peer, _ *packets.Connect) {
			p.Connack(0x87, &packets.Properties{ReasonString: "ask Anna"})
		}, wire.Refused, wire.NotAuthorized, `refused by the broker: not authorized (0x87), it says "ask Anna"`},
		{"closed", func(p *brokertest.Peer, _ *packets.Connect) { p.Close() }, wire.Closed, 0, "closed the connection without answering CONNECT"},
		{"reset", func(p *brokertest.Peer, _ *packets.Connect) { p.Reset() }, wire.Closed, 0, "closed the connection without answering CONNECT"},
		{"3.1.1", raw(0x20, 2, 0, 1), wire.Only311, 0, "the broker speaks only MQTT 3.1.1"},
		{"web server", raw([]byte("HTTP/1.1 200 OK\r\n")...), wire.NotMQTT, 0, `not an MQTT broker: it answers "HTTP/1.1 200 OK`},
		{"nonsense in CONNACK", raw(0x20, 5, 0, 0, 2, 0x99, 0), wire.Broken, 0, "invalid Prop type"},
		{"other packet", raw(0xD0, 0), wire.NotMQTT, 0, "not an MQTT broker"},
	} {
		b := brokertest.Start(t, brokertest.Script{Connect: c.connect})
		_, err := wire.Connect(context.Background(), options(t, b.URL()))
		var e *wire.Error
		if !errors.As(err, &e) || e.Kind != c.kind || e.Code != c.code || !strings.Contains(e.Error(), c.err) {
			t.Errorf("%s:\n got %v (%+v)\nwant kind %d, code %v, ...%s...", c.name, err, e, c.kind, c.code, c.err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "mqtt://" + l.Addr().String()
	l.Close()
	_, err = wire.Connect(context.Background(), options(t, url))
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != wire.Unreachable {
		t.Errorf("Connect(%s): got %v, want unreachable", url, err)
	}
}

func TestEndHasOneCause(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*brokertest.Peer)
		kind wire.Kind
		err  string
	}{
		{"dismissed", func(p *brokertest.Peer) { p.Dismiss(0x8E, "") }, wire.Dismissed, "disconnected by the broker: session taken over (0x8E)"},
		{"closed", func(p *brokertest.Peer) { p.Close() }, wire.Closed, "closed by the broker without a word"},
		{"too large", func(p *brokertest.Peer) { p.Raw([]byte{0x30, 0xff, 0xff, 0xff, 0x7f}) }, wire.Broken, "the broker sent a packet of 268435460 bytes; 65536 are the most it was told to send"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := brokertest.Start(t, brokertest.Script{Publish: func(p *brokertest.Peer, _ *packets.Publish) { c.end(p) }})
			o := options(t, b.URL())
			cl := connect(t, o)
			if err := cl.Send(1, &wire.Message{Topic: "a"}); err != nil {
				t.Fatal(err)
			}
			await(t, cl.Done(), "the end of the connection")
			if e := cl.Err(); e.Kind != c.kind || e.Error() != c.err {
				t.Errorf("got %v (kind %d), want %s (kind %d)", e, e.Kind, c.err, c.kind)
			}
		})
	}
}

func TestFloodOfMessagesIsReceivedInOrder(t *testing.T) {
	const n = 5000 // far beyond the announced Receive Maximum, at both levels
	b := brokertest.Start(t, brokertest.Script{Subscribe: func(p *brokertest.Peer, s *packets.Subscribe) {
		p.Grant(s)
		for i := range n {
			m := &packets.Publish{Topic: "a", QoS: byte(i % 2), PacketID: uint16(1 + i), Payload: fmt.Append(nil, i)}
			p.Write(m.ToControlPacket())
		}
	}})
	o := options(t, b.URL())
	next, done := 0, make(chan struct{})
	o.Receive = func(m wire.Received) {
		if want := fmt.Sprint(next); string(m.Payload) != want {
			t.Errorf("received %s, want %s", m.Payload, want)
		}
		if next++; next == n {
			close(done)
		}
	}
	c := connect(t, o)
	if err := c.Subscribe(context.Background(), "a"); err != nil {
		t.Fatal(err)
	}
	await(t, done, "the last message")
}

func TestSilentBrokerIsFoundWithinTwoKeepAlives(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{Ping: func(*brokertest.Peer) {}})
	o := options(t, b.URL())
	o.KeepAlive = time.Second
	c := connect(t, o)
	began := time.Now()
	await(t, c.Done(), "the end of the connection")
	if e := c.Err(); e.Kind != wire.Silent {
		t.Errorf("got %v, want silent", e)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("found after %v, want 2 s and a generous machine's share", took)
	}
}

func TestPingsKeepAQuietConnection(t *testing.T) {
	pings := make(chan struct{}, 100)
	b := brokertest.Start(t, brokertest.Script{Ping: func(p *brokertest.Peer) {
		p.Write(packets.NewControlPacket(packets.PINGRESP))
		pings <- struct{}{}
	}})
	o := options(t, b.URL())
	o.KeepAlive = time.Second
	c := connect(t, o)
	for range 3 {
		select {
		case <-pings:
		case <-c.Done():
			t.Fatalf("the connection ended: %v", c.Err())
		case <-time.After(patience):
			t.Fatal("no ping")
		}
	}
}

func TestPublishAndSubscribeReturnRefusals(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{
		Publish:   func(p *brokertest.Peer, m *packets.Publish) { p.Ack(m, 0x97, "") },
		Subscribe: func(p *brokertest.Peer, s *packets.Subscribe) { p.Suback(s, 0x87) },
	})
	c := connect(t, options(t, b.URL()))
	var e *wire.Error
	if err := c.Publish(context.Background(), &wire.Message{Topic: "a"}); !errors.As(err, &e) || e.Code != wire.QuotaExceeded {
		t.Errorf("Publish: got %v, want quota exceeded", err)
	}
	if err := c.Subscribe(context.Background(), "a/+"); !errors.As(err, &e) || e.Code != wire.NotAuthorized {
		t.Errorf("Subscribe: got %v, want not authorized", err)
	}
}

func TestLostConnectionReleasesWhoWaits(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{
		Publish: func(p *brokertest.Peer, _ *packets.Publish) { p.Close() },
	})
	c := connect(t, options(t, b.URL()))
	if err := c.Publish(context.Background(), &wire.Message{Topic: "a"}); err == nil {
		t.Error("Publish on a connection that is lost: got no error")
	}
	await(t, c.Done(), "the end of the connection")
	if err := c.Send(1, &wire.Message{Topic: "a"}); err == nil {
		t.Error("Send on a lost connection: got no error")
	}
}

func TestDisconnectSendsWhatIsUnsent(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{})
	o := options(t, b.URL())
	o.Will = &wire.Message{Topic: "will", Payload: []byte("lost"), Retain: true}
	const n = 500
	c := connect(t, o)
	for i := range n {
		if err := c.Send(uint64(i), &wire.Message{Topic: "a"}); err != nil {
			t.Fatal(err)
		}
	}
	c.Disconnect(wire.Success)
	for deadline := time.Now().Add(patience); len(b.Clients("test")) > 0 && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if got := b.Taken(); len(got) != n {
		t.Errorf("the broker took %d messages, want %d and no will", len(got), n)
	}
	if e := c.Err(); e.Kind != wire.Local {
		t.Errorf("cause: got %v, want our own close", e)
	}
}

func TestSize(t *testing.T) {
	for _, m := range []wire.Message{
		{Topic: "a"},
		{Topic: "a/b", Payload: make([]byte, 119)},
		{Topic: "a/b", Payload: make([]byte, 120), Correlation: make([]byte, 9)},
		{Topic: strings.Repeat("x", 300), Payload: make([]byte, 20000), Correlation: make([]byte, 200)},
	} {
		p := packets.Publish{Topic: m.Topic, QoS: 1, Payload: m.Payload, Properties: &packets.Properties{CorrelationData: m.Correlation}}
		var n counter
		if _, err := p.WriteTo(&n); err != nil {
			t.Fatal(err)
		}
		if m.Size() != int(n) {
			t.Errorf("size of topic %d, payload %d, correlation %d: got %d, want %d",
				len(m.Topic), len(m.Payload), len(m.Correlation), m.Size(), n)
		}
	}
}

type counter int

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

func TestNoErrorTellsAPassword(t *testing.T) {
	for in, want := range map[string]string{
		"mqtt://anna:secret@plc:1883":          `"mqtt://***@plc:1883" has`,
		"anna:secret@plc":                      `"***@plc" does not begin`,
		"anna:secret@mqtt://plc":               `"***@mqtt://plc" does not begin`,
		"mqtt:anna:secret@plc":                 `"***@plc" names no host`,
		"mqtt://anna:secret:1883":              `"mqtt://anna:***" has more than`,
		"mqtt://[::1]:secret":                  `"mqtt://[::1]:***" is no URL`,
		"mqtt://anna:se/cret@plc":              `"mqtt://***@plc" is no URL`,
		"mqtt://anna:secret#@plc":              `"mqtt://***@plc" is no URL`,
		"mqtt://anna:sec://ret@plc":            `"mqtt://***@plc" has more than`,
		"mqtt://anna:secret@it@plc":            `"mqtt://***@plc" has`,
		"mqtt://anna:secret%40plc":             `"mqtt://***%40plc" is no URL`,
		"mqtt://anna:secret":                   `"mqtt://anna:***" is no URL`,
		"wss://anna:secret@plc/mqtt":           `"wss://***@plc/mqtt": MQTT over`,
		"mqtt://plc?user=anna&password=secret": `"mqtt://plc?***" has`,
		"mqtt://a@plc?password=secret":         `"mqtt://***@plc?***" has`,
		"mqtt://plc:1883#secret":               `"mqtt://plc:1883#***" has`,
		"mqtt://anna:secret@plc:port":          `"mqtt://***@plc:***" is no URL`,
		"mqtt://anna:secret@":                  `"mqtt://***@" has`,
	} {
		_, err := wire.ParseBroker(in)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("ParseBroker(%q): got %v, want %s...", in, err, want)
		}
	}
}

func TestParseBroker(t *testing.T) {
	for _, c := range []struct{ in, want, err string }{
		{"mqtt://plc", "mqtt://plc:1883", ""},
		{"mqtts://plc", "mqtts://plc:8883", ""},
		{"mqtt://[::1]:1884/", "mqtt://[::1]:1884", ""},
		{"tcp://plc:1883", "", `"tcp://plc:1883" does not begin with mqtt:// or mqtts://`},
		{"plc:1883", "", `"plc:1883" does not begin with mqtt:// or mqtts://`},
		{"ws://plc", "", `"ws://plc": MQTT over websockets is not supported yet`},
		{"mqtt://anna:secret@plc", "", `"mqtt://***@plc" has a user name or password in it`},
		{"mqtt://anna:se%cret@plc", "", `"mqtt://***@plc" is no URL`},
		{"mqtt://", "", `"mqtt://" names no host`},
		{"mqtt://plc/a", "", `"mqtt://plc/a" has something behind the port`},
		{"mqtt://plc:0", "", `"mqtt://plc:0": port 0 is not between 1 and 65535`},
		{"mqtt://plc:99999", "", `"mqtt://plc:99999": port 99999 is not between 1 and 65535`},
	} {
		b, err := wire.ParseBroker(c.in)
		got, msg := "", ""
		if err != nil {
			msg = err.Error()
		} else {
			got = b.String()
		}
		if got != c.want || msg != c.err {
			t.Errorf("ParseBroker(%q)\n got %q, %q\nwant %q, %q", c.in, got, msg, c.want, c.err)
		}
	}
}
