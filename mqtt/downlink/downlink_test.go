package downlink

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"go.uber.org/goleak"

	"fieldferry/command"
	"fieldferry/mqtt/brokertest"
	"fieldferry/mqtt/keep"
	"fieldferry/mqtt/request"
	"fieldferry/mqtt/wire"
	"fieldferry/tag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 60 * time.Second

// plant carries out commands: it notes them, and a device whose name begins
// with "stuck" does not answer until it is released or the time is up.
type plant struct {
	release chan struct{}

	mu      sync.Mutex
	done    []command.Request
	refused []refusal
}

func (p *plant) Refuse(r command.Request, reason string) command.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused = append(p.refused, refusal{r, reason})
	return command.Result{Outcome: command.OutcomeRefused, Reason: reason, At: time.Now()}
}

func (p *plant) refusals() []refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.refused)
}

func (p *plant) Execute(ctx context.Context, r command.Request) command.Result {
	if strings.HasPrefix(r.Device, "stuck") {
		select {
		case <-p.release:
		case <-ctx.Done():
			return command.Result{Outcome: command.OutcomeUnknown, Reason: ctx.Err().Error(), At: time.Now()}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = append(p.done, r)
	return command.Result{Outcome: command.OutcomeDone, ReadBack: r.Value, At: time.Now()}
}

func (p *plant) executed() []command.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.done)
}

// rig is a downlink under test, with the broker that it is connected to.
type rig struct {
	*Downlink
	t      testing.TB
	b      *brokertest.Broker
	plant  *plant
	peer   chan *brokertest.Peer // of each subscription
	cancel context.CancelFunc
	done   chan struct{}
}

func start(t testing.TB, script brokertest.Script, forms request.Forms) *rig {
	t.Helper()
	r := &rig{t: t, plant: &plant{release: make(chan struct{})}, peer: make(chan *brokertest.Peer, 100), done: make(chan struct{})}
	script.Subscribe = func(p *brokertest.Peer, s *packets.Subscribe) {
		if len(s.Subscriptions) != 1 || s.Subscriptions[0].Topic != "site/_/set/+/+" ||
			s.Subscriptions[0].RetainHandling != 2 || s.Subscriptions[0].RetainAsPublished {
			t.Errorf("SUBSCRIBE %+v", s.Subscriptions)
		}
		p.Grant(s)
		r.peer <- p
	}
	r.b = brokertest.Start(t, script)
	log := slog.New(slog.DiscardHandler)
	k, err := keep.New(keep.Options{Brokers: []string{r.b.URL()}, ClientID: "gw-cmd", Log: log, Clock: time.Now,
		Login: func() (wire.Options, error) { return wire.Options{KeepAlive: 30 * time.Second}, nil },
		Pace:  func(d time.Duration) time.Duration { return d / 1000 }})
	if err != nil {
		t.Fatal(err)
	}
	r.Downlink = New(Options{Execute: r.plant, Forms: forms, Source: "mqtt:plant", Log: log, Clock: time.Now,
		Own: func(l ...string) string { return "site/_/" + strings.Join(l, "/") }})
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.done)
		r.Run(ctx, k)
	}()
	t.Cleanup(r.stop)
	return r
}

func (r *rig) stop() {
	r.t.Helper()
	r.cancel()
	select {
	case <-r.done:
	case <-time.After(patience):
		r.t.Fatal("Run did not return")
	}
}

func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s did not happen; stats %+v, taken %v", what, r.Stats(), r.b.Taken())
		}
	}
}

// subscribed waits for the next subscription.
func (r *rig) subscribed() *brokertest.Peer {
	r.t.Helper()
	select {
	case p := <-r.peer:
		return p
	case <-time.After(patience):
		r.t.Fatal("no subscription")
		return nil
	}
}

// order sends a command.
func order(p *brokertest.Peer, id uint16, topic, payload string, change func(*packets.Publish)) {
	m := &packets.Publish{Topic: topic, Payload: []byte(payload), QoS: 1, PacketID: id,
		Properties: &packets.Properties{ResponseTopic: "answers", CorrelationData: []byte{1, byte(id)}}}
	if change != nil {
		change(m)
	}
	p.Write(m.ToControlPacket())
}

// reply is an answer.
type reply struct {
	ID, Device, Tag, Outcome, Reason string
	Value                            any
}

func (r *rig) answers(n int) []reply {
	r.t.Helper()
	r.eventually(fmt.Sprintf("%d answers", n), func() bool { return len(r.b.Taken()) >= n })
	var list []reply
	for _, m := range r.b.Taken() {
		var a reply
		if err := json.Unmarshal([]byte(m.Payload), &a); err != nil || m.Retain {
			r.t.Fatalf("answer %v: %v", m, err)
		}
		list = append(list, a)
	}
	return list
}

func TestCommandIsCarriedOutAndAnswered(t *testing.T) {
	r := start(t, brokertest.Script{}, request.Forms{JSON: true})
	p := r.subscribed()
	order(p, 1, "site/_/set/pump/speed", `{"value":1450,"id":"a-17"}`, nil)
	got := r.answers(1)[0]
	if want := (reply{ID: "a-17", Device: "pump", Tag: "speed", Outcome: "done", Value: 1450.0}); got != want {
		t.Errorf("answer %+v, want %+v", got, want)
	}
	req := r.plant.executed()[0]
	if req.Value != tag.Int(1450) || req.Source != "mqtt:plant" || req.ID != "a-17" || !req.Expires.IsZero() || req.Received.IsZero() {
		t.Errorf("request %+v", req)
	}
	if m := r.b.Taken()[0]; m.Topic != "answers" || m.Client != "gw-cmd" {
		t.Errorf("answer %+v", m)
	}
}

func TestRefusals(t *testing.T) {
	past, soon := uint32(0), uint32(60)
	speed := func(id string, v tag.Value) command.Request {
		return command.Request{ID: id, Device: "pump", Tag: "speed", Value: v}
	}
	for _, c := range []struct {
		name, topic, payload string
		change               func(*packets.Publish)
		reason               string
		audit                command.Request
	}{
		{"retained", "site/_/set/pump/speed", `{"value":1,"id":"r"}`, func(m *packets.Publish) { m.Retain = true },
			"a retained message is not a command: it may be of any age", speed("r", tag.Int(1))},
		{"expired message", "site/_/set/pump/speed", `{"value":1}`, func(m *packets.Publish) { m.Properties.MessageExpiry = &past },
			"it expired at ", speed("", tag.Int(1))},
		{"expired by its own word", "site/_/set/pump/speed", `{"value":1,"expires":"2001-01-01T00:00:00Z"}`,
			func(m *packets.Publish) { m.Properties.MessageExpiry = &soon }, "it expired at 2001-01-01T00:00:00Z", speed("", tag.Int(1))},
		{"plain", "site/_/set/pump/speed", `7`, nil, `plain values are not accepted here, send {"value":...}`, speed("", tag.Value{})},
		{"empty", "site/_/set/pump/speed", ``, nil, "the payload is empty", speed("", tag.Value{})},
		{"broken", "site/_/set/pump/speed", `{"value":`, nil, "the payload is no JSON", speed("", tag.Value{})},
		{"twice", "site/_/set/pump/speed", `{"value":1,"value":2,"id":"y"}`, nil, `the key "value" occurs twice`, speed("y", tag.Int(1))},
		{"null", "site/_/set/pump/speed", `{"value":null,"id":"n"}`, nil, "a null cannot be written", speed("n", tag.Value{})},
		{"misspelt", "site/_/set/pump/speed", `{"valeu":1,"id":"x"}`, nil, `unknown key "valeu": value, id and expires are known`, speed("x", tag.Value{})},
		{"no tag", "site/_/set/pump/", `{"value":1}`, nil, `the topic "site/_/set/pump/" does not name a device and a tag`, command.Request{}},
		{"three levels", "site/_/set/pump/a/b", `{"value":1}`, nil, `the topic "site/_/set/pump/a/b" does not name a device and a tag`, command.Request{}},
		{"elsewhere", "other/pump/a", `{"value":1}`, nil, `the topic "other/pump/a" does not name a device and a tag`, command.Request{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, brokertest.Script{}, request.Forms{JSON: true})
			order(r.subscribed(), 1, c.topic, c.payload, c.change)
			got := r.answers(1)[0]
			if got.Outcome != "refused" || !strings.HasPrefix(got.Reason, c.reason) {
				t.Errorf("answer to %s on %s: %+v, want refused: %s", c.payload, c.topic, got, c.reason)
			}
			if n := r.plant.executed(); len(n) > 0 {
				t.Errorf("carried out: %+v", n)
			}
			r.eventually("the audit", func() bool { return len(r.plant.refusals()) == 1 })
			a := r.plant.refusals()[0]
			c.audit.Source, c.audit.Received, c.audit.Expires = "mqtt:plant", a.req.Received, a.req.Expires
			if a.req != c.audit || a.reason != got.Reason || a.req.Received.IsZero() {
				t.Errorf("audit %+v, want %+v: %s", a, c.audit, got.Reason)
			}
		})
	}
}

func TestPlainValueWhereAllowedAndExpiryOfTheMessage(t *testing.T) {
	r := start(t, brokertest.Script{}, request.Forms{JSON: true, Plain: true})
	life := uint32(3600)
	order(r.subscribed(), 1, "site/_/set/pump/speed", "22.5", func(m *packets.Publish) {
		m.Properties = &packets.Properties{MessageExpiry: &life}
	})
	r.eventually("execution", func() bool { return len(r.plant.executed()) == 1 })
	req := r.plant.executed()[0]
	left := req.Expires.Sub(req.Received)
	if req.Value != tag.Float64(22.5) || left != time.Hour || req.ID != "" {
		t.Errorf("request %+v, expires in %v", req, left)
	}
	if n := len(r.b.Taken()); n > 0 {
		t.Errorf("%d answers to a command without a response topic", n)
	}
}

func TestStuckDeviceHoldsUpOnlyItsOwnCommandsWhichKeepTheirOrder(t *testing.T) {
	r := start(t, brokertest.Script{}, request.Forms{JSON: true})
	p := r.subscribed()
	for i := range 5 {
		order(p, uint16(1+i), "site/_/set/stuck/speed", fmt.Sprintf(`{"value":%d}`, i), nil)
	}
	for i := range 50 {
		order(p, uint16(10+i), "site/_/set/pump/speed", fmt.Sprintf(`{"value":%d}`, i), nil)
	}
	r.answers(50)
	if s := r.Stats(); s.Waiting != 5 {
		t.Errorf("%d wait, want the 5 of the stuck device", s.Waiting)
	}
	close(r.plant.release)
	r.answers(55)
	next := map[string]int64{}
	for _, req := range r.plant.executed() {
		if v, _ := req.Value.Integer(); v != next[req.Device] {
			t.Fatalf("%s: value %d, want %d", req.Device, v, next[req.Device])
		}
		next[req.Device]++
	}
	if s := r.Stats(); s.Received != 55 || s.Outcomes["done"] != 55 || s.Waiting != 0 || s.Unanswered != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestTooManyWaitingAreRefused(t *testing.T) {
	r := start(t, brokertest.Script{}, request.Forms{JSON: true})
	p := r.subscribed()
	for i := range maxWaiting + 10 {
		order(p, uint16(1+i), "site/_/set/stuck/speed", `{"value":1}`, func(m *packets.Publish) { m.QoS, m.PacketID = 0, 0 })
	}
	for _, a := range r.answers(10) {
		if a.Outcome != "refused" || a.Reason != "too many commands are waiting" {
			t.Errorf("answer %+v", a)
		}
	}
	r.eventually("the audit", func() bool { return len(r.plant.refusals()) == 10 })
	close(r.plant.release)
	r.answers(maxWaiting + 10)
	if n := len(r.plant.refusals()); n != 10 {
		t.Errorf("%d refusals in the audit, want 10", n)
	}
}

func TestAnswerGoesOutOnTheNextConnection(t *testing.T) {
	r := start(t, brokertest.Script{}, request.Forms{JSON: true})
	p := r.subscribed()
	order(p, 1, "site/_/set/stuck/speed", `{"value":1,"id":"late"}`, nil)
	r.eventually("execution", func() bool { return r.Stats().Waiting == 1 })
	p.Close()
	r.subscribed()
	close(r.plant.release)
	if got := r.answers(1)[0]; got.ID != "late" || got.Outcome != "done" {
		t.Errorf("answer %+v", got)
	}
}

func TestAnswerThatIsNotAcknowledgedIsSentAgain(t *testing.T) {
	var once sync.Once
	r := start(t, brokertest.Script{Publish: func(p *brokertest.Peer, m *packets.Publish) {
		lost := false
		once.Do(func() { lost = true })
		if lost {
			p.Close()
			return
		}
		p.Take(m)
	}}, request.Forms{JSON: true})
	order(r.subscribed(), 1, "site/_/set/pump/speed", `{"value":1,"id":"x"}`, nil)
	if got := r.answers(1)[0]; got.ID != "x" {
		t.Errorf("answer %+v", got)
	}
	if n := len(r.plant.executed()); n != 1 {
		t.Errorf("carried out %d times", n)
	}
}

func TestStopEndsCommandsUnderWayAndAnswersThem(t *testing.T) {
	r := start(t, brokertest.Script{}, request.Forms{JSON: true})
	p := r.subscribed()
	for i := range 3 {
		order(p, uint16(1+i), "site/_/set/stuck/speed", fmt.Sprintf(`{"value":1,"id":"%d"}`, i), nil)
	}
	r.eventually("reception", func() bool { return r.Stats().Waiting == 3 })
	r.stop()
	got := r.answers(3)
	if got[0].Outcome != "unknown" || got[1].Outcome != "refused" || got[2].Reason != "the gateway stops" {
		t.Errorf("answers %+v", got)
	}
}

func TestAnswersGoNowhereTheyCouldPose(t *testing.T) {
	r := start(t, brokertest.Script{}, request.Forms{JSON: true})
	p := r.subscribed()
	topics := []string{"site/pump/speed", "site/_/set/pump/speed", "site/_/status", "site", "a/+", "$SYS/x", "site/_/reply/anna", "sites/x"}
	for i, topic := range topics {
		order(p, uint16(1+i), "site/_/set/pump/speed", `{"value":1}`, func(m *packets.Publish) { m.Properties.ResponseTopic = topic })
	}
	r.eventually("execution", func() bool { return len(r.plant.executed()) == len(topics) && len(r.b.Taken()) == 2 })
	for i, want := range []string{"site/_/reply/anna", "sites/x"} {
		if got := r.b.Taken()[i].Topic; got != want {
			t.Errorf("answer to %s, want %s", got, want)
		}
	}
	if n := r.Stats().Unanswered; n != 6 {
		t.Errorf("%d unanswered, want 6", n)
	}
}

func TestManyCommandsAreAllAnswered(t *testing.T) {
	receive := uint16(3)
	r := start(t, brokertest.Script{Connect: func(p *brokertest.Peer, _ *packets.Connect) {
		p.Connack(0, &packets.Properties{ReceiveMaximum: &receive})
	}}, request.Forms{JSON: true})
	p := r.subscribed()
	const n = 1000
	for i := range n {
		order(p, uint16(1+i), fmt.Sprintf("site/_/set/pump%d/speed", i%7), fmt.Sprintf(`{"value":1,"id":"%d"}`, i), nil)
		if i%50 == 49 { // a broker keeps to 64 at once
			r.answers(i + 1)
		}
	}
	seen := map[string]bool{}
	for _, a := range r.answers(n) {
		seen[a.ID] = true
	}
	if len(seen) != n || r.Stats().Outcomes["done"] != n {
		t.Errorf("%d different answers, stats %+v; want %d", len(seen), r.Stats(), n)
	}
}

func TestRefusedSubscriptionIsSaid(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{Subscribe: func(p *brokertest.Peer, s *packets.Subscribe) { p.Suback(s, 0x87) }})
	k, err := keep.New(keep.Options{Brokers: []string{b.URL()}, ClientID: "gw-cmd", Log: slog.New(slog.DiscardHandler), Clock: time.Now,
		Login: func() (wire.Options, error) { return wire.Options{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	d := New(Options{Own: func(l ...string) string { return "site/_/" + strings.Join(l, "/") }, Log: slog.New(slog.DiscardHandler), Clock: time.Now})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx, k) }()
	defer func() { cancel(); <-done }()
	r := &rig{t: t, b: b, Downlink: d}
	const want = `refused by the broker: not authorized (0x87): subscribe to "site/_/set/+/+"`
	r.eventually("words", func() bool { return strings.HasPrefix(k.Status().LastError, want) })
}
