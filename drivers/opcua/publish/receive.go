package publish

import (
	"context"
	"errors"
	"time"

	"github.com/gopcua/opcua/ua"

	"fieldferry/drivers"
	"fieldferry/drivers/opcua/value"
	"fieldferry/drivers/opcua/wire"
)

// receive takes the answer to a Publish request.
func (h *Hub) receive(resp *ua.PublishResponse, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.subs[resp.SubscriptionID]
	if s == nil {
		// The answer may overtake the one that tells us of the
		// subscription: they are handled by different goroutines.
		if h.creating > 0 && len(h.orphans) < maxOrphans {
			h.orphans = append(h.orphans, resp)
		}
		return
	}
	h.acceptLocked(s, resp.NotificationMessage, now)
}

// acceptLocked takes a message of a subscription, as published or as fetched
// again.
func (h *Hub) acceptLocked(s *subscription, m *ua.NotificationMessage, now time.Time) {
	s.heard = now
	switch {
	case m == nil:
		h.stats.Unusable++
	case len(m.NotificationData) == 0:
		s.order.keepAlive(m.SequenceNumber, now)
	default:
		ready, known := s.order.take(m, now)
		if known {
			h.ackLocked(s, m.SequenceNumber)
		}
		h.deliverLocked(s, ready)
	}
}

// deliverLocked hands messages to the groups, in order.
func (h *Hub) deliverLocked(s *subscription, ready []*ua.NotificationMessage) {
	for _, m := range ready {
		parts := map[*Inbox][]Item{}
		for _, x := range m.NotificationData {
			h.sortLocked(s, x, parts)
		}
		h.stats.Messages++
		msg := &message{sub: s, seq: m.SequenceNumber, parts: len(parts)}
		if len(parts) == 0 {
			h.ackLocked(s, msg.seq)
			continue
		}
		h.backlog++
		for inbox, items := range parts {
			inbox.change(func() { inbox.parts = append(inbox.parts, Part{Items: items, msg: msg, hub: h}) })
		}
	}
}

// sortLocked sorts the values of one notification by the groups they go to.
// Handles that nobody knows belong to items that were just removed.
func (h *Hub) sortLocked(s *subscription, x *ua.ExtensionObject, parts map[*Inbox][]Item) {
	if x == nil {
		h.stats.Unusable++
		return
	}
	switch n := x.Value.(type) {
	case *ua.DataChangeNotification:
		for _, i := range n.MonitoredItems {
			if i == nil {
				h.stats.Unusable++
				continue
			}
			if r, known := h.routes[i.ClientHandle]; known {
				parts[r.inbox] = append(parts[r.inbox], Item{Key: r.key, Value: i.Value})
			}
		}
	case *ua.StatusChangeNotification:
		if value.IsBad(n.Status) {
			h.dieLocked(s, n.Status)
		}
	default:
		h.stats.Unusable++
		h.log.Warn("the server sent a notification of an unknown kind", "subscription", s.id)
	}
}

// done is called by groups for each part.
func (h *Hub) done(m *message) {
	h.mu.Lock()
	if m.parts--; m.parts == 0 {
		h.backlog--
		h.ackLocked(m.sub, m.seq)
	}
	again := h.backlog == maxBacklog-1
	h.mu.Unlock()
	if again {
		h.nudge()
	}
}

// ackLocked lets the server forget a message, with the next Publish request.
// Servers drop the connection over acknowledgements for a subscription that
// is gone (gopcua #899): those are not sent.
func (h *Hub) ackLocked(s *subscription, seq uint32) {
	if s.err == nil && h.subs[s.id] == s {
		h.acks = append(h.acks, &ua.SubscriptionAcknowledgement{SubscriptionID: s.id, SequenceNumber: seq})
	}
}

// mend fetches messages again that were missed.
func (h *Hub) mend(ctx context.Context) {
	for {
		s, seq := h.gap(time.Now())
		if s == nil || ctx.Err() != nil {
			return
		}
		resp, err := wire.Call[*ua.RepublishResponse](ctx, h.s,
			&ua.RepublishRequest{SubscriptionID: s.id, RetransmitSequenceNumber: seq}, h.limits.Timeout)
		if errors.Is(err, drivers.ErrLinkDown) || ctx.Err() != nil {
			return
		}
		h.mended(s, seq, resp, err)
	}
}

// gap finds a subscription with a missing message.
func (h *Hub) gap(now time.Time) (*subscription, uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.subs {
		if seq, missing := s.order.missing(now, patience); missing {
			return s, seq
		}
	}
	return nil, 0
}

// mended takes the answer to a Republish request. What cannot be fetched is
// counted and given up, so that what follows is not held back for ever.
func (h *Hub) mended(s *subscription, seq uint32, resp *ua.RepublishResponse, err error) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.order.next != seq || h.subs[s.id] != s {
		return // it came by itself meanwhile
	}
	// Whatever is missing behind it has waited as long: fetch it at once.
	defer func(since time.Time) {
		if !s.order.since.IsZero() {
			s.order.since = since
		}
	}(s.order.since)
	if err == nil && resp.NotificationMessage != nil && resp.NotificationMessage.SequenceNumber == seq &&
		len(resp.NotificationMessage.NotificationData) > 0 {
		h.stats.Refetched++
		h.acceptLocked(s, resp.NotificationMessage, now)
		return
	}
	if errors.Is(err, ua.StatusBadSubscriptionIDInvalid) {
		h.dieLocked(s, ua.StatusBadSubscriptionIDInvalid)
		return
	}
	ready, lost := s.order.skip(now)
	h.stats.Lost += uint64(lost)
	h.log.Warn("notifications are lost: the server no longer has them", "subscription", s.id, "from", seq, "count", lost, "err", err)
	h.deliverLocked(s, ready)
}
