package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/gopcua/opcua/ua"

	"fieldferry/drivers"
	"fieldferry/drivers/opcua/value"
	"fieldferry/drivers/opcua/wire"
)

// Params are what makes two groups share a subscription.
type Params struct {
	Publishing time.Duration // how often the server sends; above zero
	KeepAlive  time.Duration // how often it speaks when it has nothing to send; at least Publishing
}

// ErrEnded is wrapped by an inbox's error when the server ended the
// subscription; the session lives on.
var ErrEnded = errors.New("subscription ended by the server")

// subscription is one on the server. id, publishing, keepAlive, err and born
// are set before ready is closed and not changed; the rest is guarded by
// Hub.mu.
type subscription struct {
	params     Params
	ready      chan struct{} // closed by its creator
	err        error         // why it was not made
	id         uint32
	publishing time.Duration // as the server revised it
	keepAlive  time.Duration
	born       uint64

	members map[*Member]struct{}
	order   order
	heard   time.Time
}

// Attach makes a group a member of the subscription with the given
// parameters, which is created on the server when it is the first.
func (h *Hub) Attach(ctx context.Context, p Params, in *Inbox) (*Member, error) {
	for {
		s, mine := h.lookup(p)
		if mine {
			h.create(ctx, s)
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch {
		case s.err == nil:
			if m := h.join(s, in); m != nil {
				return m, nil
			}
		case mine || ctx.Err() != nil || !errors.Is(s.err, context.Canceled):
			return nil, s.err
		}
		// It ended meanwhile, or another group gave up making it: try again.
	}
}

// lookup finds or begins a subscription; mine: the caller creates it.
func (h *Hub) lookup(p Params) (s *subscription, mine bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.byParams[p]; s != nil {
		return s, false
	}
	s = &subscription{params: p, ready: make(chan struct{}), members: map[*Member]struct{}{}, order: newOrder()}
	h.byParams[p] = s
	h.creating++
	return s, true
}

// join adds a member, unless the subscription has ended.
func (h *Hub) join(s *subscription, in *Inbox) *Member {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs[s.id] != s {
		return nil
	}
	m := &Member{hub: h, sub: s, inbox: in, handles: map[int]uint32{}, ids: map[int]uint32{}}
	s.members[m] = struct{}{}
	return m
}

// create makes s on the server and closes s.ready.
func (h *Hub) create(ctx context.Context, s *subscription) {
	count := max(1, math.Ceil(float64(s.params.KeepAlive)/float64(s.params.Publishing)))
	req := &ua.CreateSubscriptionRequest{
		RequestedPublishingInterval: float64(s.params.Publishing) / float64(time.Millisecond),
		RequestedMaxKeepAliveCount:  uint32(count),
		RequestedLifetimeCount:      uint32(max(3*count, math.Ceil(float64(lifetime)/float64(s.params.Publishing)))),
		PublishingEnabled:           true,
	}
	resp, err := wire.Call[*ua.CreateSubscriptionResponse](ctx, h.s, req, h.limits.Timeout)
	if err == nil {
		err = s.revise(resp)
	}
	h.created(s, err)
}

// revise takes over what the server made of the request.
func (s *subscription) revise(r *ua.CreateSubscriptionResponse) error {
	const hour = float64(time.Hour / time.Millisecond)
	if !(r.RevisedPublishingInterval > 0 && r.RevisedPublishingInterval <= hour) {
		return fmt.Errorf("%w: a publishing interval of %v ms", wire.ErrProtocol, r.RevisedPublishingInterval)
	}
	s.id = r.SubscriptionID
	s.publishing = max(time.Millisecond, time.Duration(r.RevisedPublishingInterval*float64(time.Millisecond)))
	keep := r.RevisedPublishingInterval * float64(max(1, r.RevisedMaxKeepAliveCount))
	s.keepAlive = time.Duration(min(keep, hour) * float64(time.Millisecond))
	return nil
}

func (h *Hub) created(s *subscription, err error) {
	h.mu.Lock()
	h.creating--
	now := time.Now()
	if s.err = err; err != nil {
		delete(h.byParams, s.params)
	} else {
		h.born++
		s.born, s.heard = h.born, now
		h.subs[s.id] = s
		h.holdTill = time.Time{}
	}
	close(s.ready)
	for _, o := range h.orphans {
		if err == nil && o.SubscriptionID == s.id {
			h.acceptLocked(s, o.NotificationMessage, now)
		}
	}
	if h.creating == 0 {
		h.orphans = nil
	}
	h.mu.Unlock()
	if err == nil {
		h.log.Debug("subscribed", "subscription", s.id, "publishing", s.publishing, "keep_alive", s.keepAlive)
	}
	h.nudge()
}

// dieLocked ends a subscription that the server has ended.
func (h *Hub) dieLocked(s *subscription, status ua.StatusCode) {
	if h.subs[s.id] != s {
		return
	}
	h.forgetLocked(s)
	err := fmt.Errorf("%w: %s", ErrEnded, value.StatusName(status))
	for m := range s.members {
		m.inbox.change(func() { m.inbox.err = err })
	}
}

// forgetLocked takes a subscription out of everything that is sent.
func (h *Hub) forgetLocked(s *subscription) {
	delete(h.subs, s.id)
	if h.byParams[s.params] == s {
		delete(h.byParams, s.params)
	}
	kept := h.acks[:0]
	for _, a := range h.acks {
		if a.SubscriptionID != s.id {
			kept = append(kept, a)
		}
	}
	h.acks = kept
}

// Member is a group's share of a subscription. Its methods are called by one
// goroutine at a time.
type Member struct {
	hub     *Hub
	sub     *subscription
	inbox   *Inbox
	handles map[int]uint32 // client handle by key
	ids     map[int]uint32 // monitored item id by key; only those that exist on the server
}

// Watch is one item to be monitored.
type Watch struct {
	Key      int // unique in the inbox
	Node     *ua.NodeID
	Sampling time.Duration
	Queue    int
}

// Watch asks the server to monitor items, in chunks that it takes, and tells
// for each, in order, whether it does: ua.StatusGood or why not. Values may
// arrive before it returns. An error means that the outcome is unknown or the
// session is lost; both wrap drivers.ErrLinkDown.
func (m *Member) Watch(ctx context.Context, items []Watch) ([]ua.StatusCode, error) {
	out := make([]ua.StatusCode, 0, len(items))
	for len(items) > 0 {
		n := min(len(items), m.hub.perCall())
		got, err := m.create(ctx, items[:n])
		if errors.Is(err, ua.StatusBadTooManyOperations) && n > 1 {
			m.hub.lower(n / 2)
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
		items = items[n:]
	}
	return out, nil
}

// mostPerCall bounds a request where the server names no limit.
const mostPerCall = 1000

func (h *Hub) perCall() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.limits.ItemsPerCall; n > 0 && n < mostPerCall {
		return n
	}
	return mostPerCall
}

// lower remembers that the server takes fewer items than it says.
func (h *Hub) lower(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.limits.ItemsPerCall = max(1, n)
}

func (m *Member) create(ctx context.Context, items []Watch) ([]ua.StatusCode, error) {
	req := &ua.CreateMonitoredItemsRequest{SubscriptionID: m.sub.id, TimestampsToReturn: ua.TimestampsToReturnBoth}
	handles := m.route(items)
	for i, w := range items {
		req.ItemsToCreate = append(req.ItemsToCreate, &ua.MonitoredItemCreateRequest{
			ItemToMonitor:  &ua.ReadValueID{NodeID: w.Node, AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}},
			MonitoringMode: ua.MonitoringModeReporting,
			RequestedParameters: &ua.MonitoringParameters{
				ClientHandle:     handles[i],
				SamplingInterval: float64(w.Sampling) / float64(time.Millisecond),
				QueueSize:        uint32(w.Queue),
				DiscardOldest:    true,
			},
		})
	}
	resp, err := wire.Call[*ua.CreateMonitoredItemsResponse](ctx, m.hub.s, req, m.hub.limits.Timeout)
	if err == nil && len(resp.Results) != len(items) {
		err = fmt.Errorf("%w: %d items asked for, %d answered", wire.ErrProtocol, len(items), len(resp.Results))
	}
	if err != nil {
		m.unroute(handles...)
		return nil, m.hub.unsure(ctx, err)
	}
	return m.created(items, handles, resp.Results), nil
}

// unsure makes a lost link of an error that leaves open what the server did.
func (h *Hub) unsure(ctx context.Context, err error) error {
	var status ua.StatusCode
	if ctx.Err() != nil || errors.Is(err, drivers.ErrLinkDown) || errors.As(err, &status) {
		return err
	}
	return fmt.Errorf("%w: %w", drivers.ErrLinkDown, err)
}

func (m *Member) created(items []Watch, handles []uint32, results []*ua.MonitoredItemCreateResult) []ua.StatusCode {
	out := make([]ua.StatusCode, len(items))
	slower, smaller := 0, 0
	for i, r := range results {
		switch {
		case r == nil:
			out[i] = ua.StatusBadUnknownResponse
		case value.IsBad(r.StatusCode):
			out[i] = r.StatusCode
		default:
			m.handles[items[i].Key], m.ids[items[i].Key] = handles[i], r.MonitoredItemID
			if r.RevisedSamplingInterval > 1.01*float64(items[i].Sampling)/float64(time.Millisecond) {
				slower++
			}
			if r.RevisedQueueSize < uint32(items[i].Queue) {
				smaller++
			}
			continue
		}
		m.unroute(handles[i])
	}
	if slower+smaller > 0 {
		m.hub.log.Info("the server samples less than asked", "slower", slower, "smaller_queue", smaller, "of", len(items))
	}
	return out
}

// route gives each item a client handle that leads to its key, before the
// server can use it.
func (m *Member) route(items []Watch) []uint32 {
	h := m.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	handles := make([]uint32, len(items))
	for i, w := range items {
		h.handle++
		handles[i] = h.handle
		h.routes[h.handle] = route{inbox: m.inbox, key: w.Key}
	}
	return handles
}

func (m *Member) unroute(handles ...uint32) {
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	for _, x := range handles {
		delete(m.hub.routes, x)
	}
}

// Drop stops monitoring one item. It does not wait for the server.
func (m *Member) Drop(key int) {
	id, exists := m.ids[key]
	if !exists {
		return
	}
	m.unroute(m.handles[key])
	delete(m.handles, key)
	delete(m.ids, key)
	m.remove([]uint32{id})
}

// Leave ends the membership; the last member ends the subscription. It does
// not wait for the server.
func (m *Member) Leave() {
	for _, x := range m.handles {
		m.unroute(x)
	}
	ids := make([]uint32, 0, len(m.ids))
	for id := range maps.Values(m.ids) {
		ids = append(ids, id)
	}
	h := m.hub
	h.mu.Lock()
	delete(m.sub.members, m)
	alive := h.subs[m.sub.id] == m.sub
	last := alive && len(m.sub.members) == 0
	if last {
		h.forgetLocked(m.sub)
	}
	h.mu.Unlock()
	switch {
	case last:
		h.async(func(ctx context.Context) {
			_, _ = h.s.Send(ctx, &ua.DeleteSubscriptionsRequest{SubscriptionIDs: []uint32{m.sub.id}}, h.limits.Timeout) // the end of the session does it too
		})
	case alive && len(ids) > 0:
		m.remove(ids)
	}
}

// remove deletes monitored items on the server; what fails is removed with
// the session.
func (m *Member) remove(ids []uint32) {
	h := m.hub
	n := h.perCall()
	h.async(func(ctx context.Context) {
		for len(ids) > 0 && ctx.Err() == nil {
			k := min(n, len(ids))
			req := &ua.DeleteMonitoredItemsRequest{SubscriptionID: m.sub.id, MonitoredItemIDs: ids[:k]}
			_, _ = h.s.Send(ctx, req, h.limits.Timeout)
			ids = ids[k:]
		}
	})
}
