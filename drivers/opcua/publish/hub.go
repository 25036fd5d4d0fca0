package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"

	"fieldferry/drivers"
	"fieldferry/drivers/opcua/value"
	"fieldferry/drivers/opcua/wire"
)

// Session is what the hub needs of a session.
type Session interface {
	Send(ctx context.Context, req ua.Request, timeout time.Duration) (ua.Response, error)
	Down() <-chan struct{}
	Err() error
	RoundTrip() time.Duration
}

// Limits are what the hub keeps to.
type Limits struct {
	Timeout      time.Duration // of every request but Publish; above zero
	ItemsPerCall int           // monitored items in one request; 0: no limit of the server's
}

// Stats count what happened since the hub was made.
type Stats struct {
	Messages  uint64 // notifications handed to groups
	Refetched uint64 // that were missing and fetched again
	Lost      uint64 // that were missing and could not be fetched: values are lost
	Unusable  uint64 // answers that could not be decoded or understood
}

const (
	inFlight     = 3                      // Publish requests waiting at the server, at least
	mostInFlight = 20                     // at most
	maxBacklog   = 64                     // messages not handed over at which we stop asking
	maxOrphans   = 64                     // answers kept for a subscription that is being made
	patience     = 250 * time.Millisecond // until a message that is out of sequence counts as missed
	tick         = 250 * time.Millisecond
	holdOff      = time.Second     // after a refusal of Publish
	publishWait  = 2 * time.Minute // timeout of a Publish request, beyond what its keep-alives take
	lifetime     = time.Minute     // the server keeps a subscription that nobody asks for
)

// Hub is the publish loop of one session.
type Hub struct {
	s      Session
	log    *slog.Logger
	limits Limits
	kick   chan struct{} // sent to by whoever changes what Run looks at; capacity 1, never closed
	work   sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	ctx      context.Context
	subs     map[uint32]*subscription
	byParams map[Params]*subscription
	routes   map[uint32]route // by client handle
	handle   uint32           // the last one given out
	acks     []*ua.SubscriptionAcknowledgement
	creating int // subscriptions being made
	orphans  []*ua.PublishResponse
	flying   int       // Publish requests under way
	limit    int       // most of them that the server takes
	holdTill time.Time // no Publish before this
	backlog  int       // messages not handed over
	born     uint64    // numbers subscriptions in the order they were made
	stats    Stats
}

// route is where the values of a client handle go.
type route struct {
	inbox *Inbox
	key   int
}

// New returns a hub for an activated session. Nothing is sent before Run.
func New(s Session, l Limits, log *slog.Logger) *Hub {
	return &Hub{
		s: s, log: log, limits: l, kick: make(chan struct{}, 1), limit: mostInFlight,
		subs: map[uint32]*subscription{}, byParams: map[Params]*subscription{}, routes: map[uint32]route{},
	}
}

// Run publishes until ctx ends (then it returns nil) or the session is lost:
// the error wraps drivers.ErrLinkDown and may be the watchdog's own, after
// which the caller closes the session. It waits for what it started.
func (h *Hub) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer h.work.Wait()
	defer h.stop()
	defer cancel()
	h.mu.Lock()
	h.ctx = ctx
	h.mu.Unlock()
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		h.fill()
		if err := h.silent(time.Now()); err != nil {
			return err
		}
		h.mend(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-h.s.Down():
			return h.s.Err()
		case <-h.kick:
		case <-t.C:
		}
	}
}

// Stats returns the counters.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stats
}

// stop forbids further goroutines.
func (h *Hub) stop() {
	h.mu.Lock()
	h.ctx = nil
	h.mu.Unlock()
}

func (h *Hub) nudge() {
	select {
	case h.kick <- struct{}{}:
	default:
	}
}

// async runs f beside Run, which waits for it; not at all when Run is over.
func (h *Hub) async(f func(ctx context.Context)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx := h.ctx; ctx != nil {
		h.work.Go(func() { f(ctx) })
	}
}

// fill sends as many Publish requests as are wanted.
func (h *Hub) fill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.ctx != nil && h.flying < h.wantLocked(time.Now()) {
		h.flying++
		ctx := h.ctx
		h.work.Go(func() { h.publisher(ctx) })
	}
}

// wantLocked is how many Publish requests should be under way: enough that
// one is always waiting at the server while answers travel.
func (h *Hub) wantLocked(now time.Time) int {
	if len(h.subs) == 0 || h.backlog >= maxBacklog || now.Before(h.holdTill) {
		return 0
	}
	want := max(inFlight, len(h.subs)+1)
	for _, s := range h.subs {
		want = max(want, int(h.s.RoundTrip()/s.publishing)+3)
	}
	return min(want, h.limit, mostInFlight)
}

// publisher sends Publish requests one after the other as long as it is
// wanted.
func (h *Hub) publisher(ctx context.Context) {
	defer h.nudge()
	for {
		req, born, timeout := h.request()
		resp, err := wire.Call[*ua.PublishResponse](ctx, h.s, req, timeout)
		if err == nil {
			h.receive(resp, time.Now())
		}
		if !h.again(ctx, req, born, err) {
			return
		}
	}
}

// request makes a Publish request with all acknowledgements that are due.
func (h *Hub) request() (req *ua.PublishRequest, born uint64, timeout time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	req = &ua.PublishRequest{SubscriptionAcknowledgements: h.acks}
	if h.acks == nil {
		req.SubscriptionAcknowledgements = []*ua.SubscriptionAcknowledgement{}
	}
	h.acks = nil
	timeout = publishWait
	for _, s := range h.subs {
		timeout = max(timeout, publishWait+mostInFlight*s.keepAlive)
	}
	return req, h.born, timeout
}

// again looks at what became of a Publish request and says whether its
// publisher goes on.
func (h *Hub) again(ctx context.Context, req *ua.PublishRequest, born uint64, err error) bool {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.failedLocked(req, born, err, now)
	}
	down := ctx.Err() != nil || errors.Is(err, drivers.ErrLinkDown)
	if down || h.flying > h.wantLocked(now) {
		h.flying--
		return false
	}
	return true
}

func (h *Hub) failedLocked(req *ua.PublishRequest, born uint64, err error, now time.Time) {
	var status ua.StatusCode
	switch {
	case errors.Is(err, drivers.ErrLinkDown), errors.Is(err, context.Canceled):
	case errors.Is(err, wire.ErrTimeout):
		// The server forgot the request; silent() decides whether it is well.
	case errors.As(err, &status):
		h.acks = append(req.SubscriptionAcknowledgements, h.acks...)
		h.refusedLocked(status, born, now)
	default:
		h.stats.Unusable++
		h.log.Warn("a notification cannot be decoded", "err", err)
	}
}

func (h *Hub) refusedLocked(status ua.StatusCode, born uint64, now time.Time) {
	switch status {
	case ua.StatusBadTooManyPublishRequests:
		h.limit = max(1, h.flying-1)
	case ua.StatusBadNoSubscription:
		for _, s := range h.subs {
			if s.born <= born { // a younger one may not have been there yet
				h.dieLocked(s, status)
			}
		}
	default:
		h.holdTill = now.Add(holdOff)
		h.log.Warn("the server refuses to publish", "err", value.StatusName(status))
	}
}

// silent is the watchdog: every subscription must be heard of, by data or by
// a keep-alive, while a Publish request waits.
func (h *Hub) silent(now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.subs {
		if h.flying == 0 {
			s.heard = now // nobody asked
			continue
		}
		if quiet := now.Sub(s.heard); quiet > 3*s.keepAlive+2*time.Second+h.s.RoundTrip() {
			return fmt.Errorf("%w: subscription %d silent for %s, its keep-alive is %s",
				drivers.ErrLinkDown, s.id, quiet.Round(time.Millisecond), s.keepAlive)
		}
	}
	return nil
}
