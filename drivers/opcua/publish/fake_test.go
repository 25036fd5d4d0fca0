package publish

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopcua/opcua/ua"
	"go.uber.org/goleak"

	"fieldferry/drivers"
	"fieldferry/drivers/opcua/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a session whose server is the test.
type fake struct {
	publishes chan result // the test sends answers to Publish, in the order they are handed out
	down      chan struct{}
	rtt       time.Duration

	mu        sync.Mutex // guards the fields below
	waiting   int        // Publish requests without an answer
	acked     []uint32
	nextSub   uint32
	stored    map[uint32]*ua.NotificationMessage // what Republish finds
	fetched   []uint32                           // what Republish was asked for
	deleted   []uint32                           // subscriptions
	removed   []uint32                           // monitored items
	handles   map[string]uint32                  // client handles by node id
	mostItems int                                // more in one request are refused; 0: any
	short     bool                               // one result too few
	before    func(context.Context)              // runs before CreateSubscription is answered
	publisher func() error                       // an error for Publish at once; nil: none
}

type result struct {
	resp ua.Response
	err  error
}

func newFake() *fake {
	return &fake{
		publishes: make(chan result), down: make(chan struct{}),
		stored: map[uint32]*ua.NotificationMessage{}, handles: map[string]uint32{},
	}
}

func (f *fake) Down() <-chan struct{}    { return f.down }
func (f *fake) Err() error               { return nil }
func (f *fake) RoundTrip() time.Duration { return f.rtt }

func (f *fake) Send(ctx context.Context, req ua.Request, timeout time.Duration) (ua.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch r := req.(type) {
	case *ua.PublishRequest:
		return f.publish(ctx, r)
	case *ua.CreateSubscriptionRequest:
		f.mu.Lock()
		defer f.mu.Unlock()
		if before := f.before; before != nil {
			f.mu.Unlock()
			before(ctx)
			f.mu.Lock()
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		f.nextSub++
		return &ua.CreateSubscriptionResponse{SubscriptionID: f.nextSub, RevisedPublishingInterval: r.RequestedPublishingInterval,
			RevisedMaxKeepAliveCount: r.RequestedMaxKeepAliveCount, RevisedLifetimeCount: r.RequestedLifetimeCount}, nil
	case *ua.CreateMonitoredItemsRequest:
		return f.monitor(r)
	case *ua.RepublishRequest:
		f.mu.Lock()
		defer f.mu.Unlock()
		f.fetched = append(f.fetched, r.RetransmitSequenceNumber)
		if m := f.stored[r.RetransmitSequenceNumber]; m != nil {
			return &ua.RepublishResponse{NotificationMessage: m}, nil
		}
		return nil, ua.StatusBadMessageNotAvailable
	case *ua.DeleteSubscriptionsRequest:
		f.mu.Lock()
		defer f.mu.Unlock()
		f.deleted = append(f.deleted, r.SubscriptionIDs...)
		return &ua.DeleteSubscriptionsResponse{}, nil
	case *ua.DeleteMonitoredItemsRequest:
		f.mu.Lock()
		defer f.mu.Unlock()
		f.removed = append(f.removed, r.MonitoredItemIDs...)
		return &ua.DeleteMonitoredItemsResponse{}, nil
	}
	return nil, ua.StatusBadServiceUnsupported
}

func (f *fake) publish(ctx context.Context, r *ua.PublishRequest) (ua.Response, error) {
	f.mu.Lock()
	for _, a := range r.SubscriptionAcknowledgements {
		f.acked = append(f.acked, a.SequenceNumber)
	}
	refuse := f.publisher
	f.waiting++
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.waiting--
		f.mu.Unlock()
	}()
	if refuse != nil {
		if err := refuse(); err != nil {
			return nil, err
		}
	}
	select {
	case x := <-f.publishes:
		return x.resp, x.err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, wire.ErrTimeout
		}
		return nil, ctx.Err()
	}
}

func (f *fake) monitor(r *ua.CreateMonitoredItemsRequest) (ua.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mostItems > 0 && len(r.ItemsToCreate) > f.mostItems {
		return nil, ua.StatusBadTooManyOperations
	}
	resp := new(ua.CreateMonitoredItemsResponse)
	for _, i := range r.ItemsToCreate {
		id := i.ItemToMonitor.NodeID.String()
		res := &ua.MonitoredItemCreateResult{MonitoredItemID: i.RequestedParameters.ClientHandle + 1000,
			RevisedSamplingInterval: i.RequestedParameters.SamplingInterval, RevisedQueueSize: i.RequestedParameters.QueueSize}
		if id == "s=missing" {
			res = &ua.MonitoredItemCreateResult{StatusCode: ua.StatusBadNodeIDUnknown}
		} else {
			f.handles[id] = i.RequestedParameters.ClientHandle
		}
		resp.Results = append(resp.Results, res)
	}
	if f.short {
		resp.Results = resp.Results[1:]
	}
	return resp, nil
}

// state copies what the test wants to look at.
func (f *fake) state() (waiting int, acked, fetched []uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waiting, append([]uint32(nil), f.acked...), append([]uint32(nil), f.fetched...)
}

// set changes what the server does.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// store keeps a message for Republish.
func (f *fake) store(m *ua.NotificationMessage) {
	f.set(func() { f.stored[m.SequenceNumber] = m })
}

// message makes a data message for nodes; its values are its number.
func (f *fake) message(seq uint32, nodes ...string) *ua.NotificationMessage {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := new(ua.DataChangeNotification)
	for _, id := range nodes {
		n.MonitoredItems = append(n.MonitoredItems, &ua.MonitoredItemNotification{
			ClientHandle: f.handles[id], Value: &ua.DataValue{Value: ua.MustVariant(seq)}})
	}
	return &ua.NotificationMessage{SequenceNumber: seq, NotificationData: []*ua.ExtensionObject{{Value: n}}}
}

func keepAlive(next uint32) *ua.NotificationMessage {
	return &ua.NotificationMessage{SequenceNumber: next}
}

// push answers one waiting Publish request.
func (f *fake) push(sub uint32, m *ua.NotificationMessage) {
	f.publishes <- result{resp: &ua.PublishResponse{SubscriptionID: sub, NotificationMessage: m}}
}

// bench is a running hub.
type bench struct {
	*fake
	hub  *Hub
	done chan error
	stop context.CancelFunc
}

// inBubble runs f with a hub, under a virtual clock.
func inBubble(t *testing.T, f func(t *testing.T, b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{fake: newFake(), done: make(chan error, 1)}
		b.hub = New(b.fake, Limits{Timeout: 5 * time.Second}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		b.stop = cancel
		go func() { b.done <- b.hub.Run(ctx) }()
		synctest.Wait()
		f(t, b)
		cancel()
		synctest.Wait()
		select {
		case <-b.done:
		default:
			t.Error("Run did not end with its context")
		}
	})
}

var second = Params{Publishing: time.Second, KeepAlive: 10 * time.Second}

// attach makes a group that watches nodes; their keys are their positions.
func (b *bench) attach(t *testing.T, p Params, nodes ...string) (*Member, *Inbox) {
	t.Helper()
	in := NewInbox()
	m, err := b.hub.Attach(t.Context(), p, in)
	if err != nil {
		t.Fatalf("attach: %v", err)
	}
	var items []Watch
	for i, n := range nodes {
		id, err := ua.ParseNodeID(n)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, Watch{Key: i, Node: id, Sampling: time.Second, Queue: 10})
	}
	got, err := m.Watch(t.Context(), items)
	if err != nil || len(got) != len(nodes) {
		t.Fatalf("watch: got %v, %v, want %d results", got, err, len(nodes))
	}
	synctest.Wait()
	return m, in
}

// take empties an inbox and returns the values; finish hands them over.
func take(in *Inbox, finish func(Part)) (out []uint32) {
	for p, ok := in.Take(); ok; p, ok = in.Take() {
		for _, i := range p.Items {
			out = append(out, i.Value.Value.Value().(uint32))
		}
		finish(p)
	}
	return out
}

func handOver(p Part) { p.Done() }

func wantLinkDown(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, drivers.ErrLinkDown) {
		t.Errorf("got %v, want an error that wraps ErrLinkDown", err)
	}
}
