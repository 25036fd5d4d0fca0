package opcua

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"fieldferry/drivers"
	"fieldferry/drivers/opcua/node"
	"fieldferry/drivers/opcua/publish"
	"fieldferry/drivers/opcua/value"
	"fieldferry/drivers/opcua/wire"
	"fieldferry/tag"
)

// session is what a conn needs of wire.Session.
type session interface {
	publish.Session
	Fail(cause error)
	Timeout() time.Duration
	Close() error
}

// conn is an open link.
type conn struct {
	link *tag.Link
	opt  *LinkOptions
	log  *slog.Logger
	s    session
	hub  *publish.Hub

	// Set by introduce and not changed.
	namespaces []string
	perRead    int // nodes in one Read, above zero

	narrow   atomic.Int64 // nodes in one Read that the server took after refusing more; 0: perRead
	overflow atomic.Uint64
	state    atomic.Uint32 // ServerState, as last seen

	stop    context.CancelFunc // ends the goroutines of start
	running sync.WaitGroup
}

func newConn(l *tag.Link, s session, log *slog.Logger) *conn {
	return &conn{link: l, opt: linkOptions(l), log: log, s: s, stop: func() {}}
}

// introduce reads what must be known of the server after each connection.
func (c *conn) introduce(ctx context.Context) error {
	ids := []*ua.NodeID{
		ua.NewNumericNodeID(0, id.Server_NamespaceArray),
		ua.NewNumericNodeID(0, id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead),
		ua.NewNumericNodeID(0, id.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall),
		ua.NewNumericNodeID(0, id.Server_ServerStatus_State),
	}
	values := make([]*ua.DataValue, len(ids))
	for i := range ids { // one by one: a server with a limit of one is possible, and it tells nobody before
		got, err := c.readOnce(ctx, ids[i:i+1], ua.AttributeIDValue)
		if errors.Is(err, drivers.ErrLinkDown) || ctx.Err() != nil {
			return c.asLinkDown("read the server's limits", err)
		}
		if err == nil {
			values[i] = got[0]
		}
	}
	namespaces, ok := content(values[0]).([]string)
	if !ok {
		c.log.Warn("the server does not tell its namespaces: addresses by URI cannot be read")
	}
	c.namespaces = namespaces
	c.perRead = limit(content(values[1]), mostNodesPerRead)
	c.hub = publish.New(c.s, publish.Limits{Timeout: c.opt.Timeout, ItemsPerCall: limit(content(values[2]), 0)}, c.log)
	c.noteState(content(values[3]))
	return nil
}

// content is the value of a good reading, else nil.
func content(dv *ua.DataValue) any {
	if dv == nil || dv.Value == nil || value.IsBad(dv.Status) {
		return nil
	}
	return dv.Value.Value()
}

// limit is an operation limit of the server, most where it names none or a
// larger one; 0 for most means none.
func limit(v any, most int) int {
	n, ok := v.(uint32)
	if !ok || n == 0 || most > 0 && int64(n) > int64(most) || n > 1<<30 {
		return most
	}
	return int(n)
}

// noteState logs when the server says that it is not running, and when it is
// again.
func (c *conn) noteState(v any) {
	n, ok := v.(int32)
	if !ok || n < 0 {
		return
	}
	if old := c.state.Swap(uint32(n)); old != uint32(n) {
		c.log.Warn("server state changed", "state", ua.ServerState(n).String())
	}
}

// start begins the publish loop and the heartbeat. Close ends them.
func (c *conn) start() {
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	c.guard(ctx, c.hub.Run)
	c.guard(ctx, c.heartbeat)
}

// guard runs f until it returns; an error or a panic of it ends the link.
func (c *conn) guard(ctx context.Context, f func(context.Context) error) {
	c.running.Go(func() {
		defer c.recovered("background")
		if err := f(ctx); err != nil && ctx.Err() == nil {
			c.s.Fail(err)
		}
	})
}

// recovered turns a panic into a lost link. It is deferred.
func (c *conn) recovered(where string) {
	if p := recover(); p != nil {
		c.s.Fail(fmt.Errorf("panic in %s: %v", where, p))
	}
}

// heartbeat reads the server's state, so that a session without traffic stays
// alive and a dead connection is noticed between two polls.
func (c *conn) heartbeat(ctx context.Context) error {
	every := heartbeatInterval
	if t := c.s.Timeout(); t > 0 {
		every = min(every, max(t/3, time.Second))
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	ids := []*ua.NodeID{ua.NewNumericNodeID(0, id.Server_ServerStatus_State)}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.s.Down():
			return nil
		case <-ticker.C:
		}
		got, err := c.readOnce(ctx, ids, ua.AttributeIDValue)
		if err == nil {
			c.noteState(content(got[0]))
		}
	}
}

// Close ends the session in order and interrupts what is under way.
func (c *conn) Close() error {
	c.stop()
	err := c.s.Close()
	c.running.Wait()
	return err
}

// Lost counts, since the link was opened, what the server dropped before we
// could fetch it: values that overflowed its queues, and messages that it no
// longer had.
func (c *conn) Lost() (overflows, messages uint64) {
	return c.overflow.Load(), c.hub.Stats().Lost
}

// Prepare resolves the addresses of tags. It does no I/O.
func (c *conn) Prepare(_ context.Context, d *tag.Device, tags []*tag.Tag) (drivers.Group, error) {
	if err := c.s.Err(); err != nil {
		return nil, err
	}
	g := &group{c: c, device: d, points: make([]point, len(tags)), index: make(map[*tag.Tag]int, len(tags))}
	for i, t := range tags {
		g.points[i] = c.point(t)
		g.index[t] = i
		if !subscribes(t) {
			g.polled = append(g.polled, i)
		}
	}
	return g, nil
}

// point prepares one tag; what is wrong with it becomes its quality.
func (c *conn) point(t *tag.Tag) point {
	p := point{tag: t, pushed: subscribes(t)}
	typ, err := value.ParseType(t.Type)
	if err != nil {
		p.broken = "unknown type"
	}
	p.reader = value.Reader{Type: typ, Namespaces: c.namespaces}
	a, err := node.Parse(t.Address, c.opt.Namespaces)
	if err != nil {
		p.broken = tag.ReasonBadAddress
		return p
	}
	if p.node, err = a.Resolve(c.namespaces); err != nil {
		p.broken = "unknown namespace"
		c.log.Warn("a tag's namespace is not on the server", "tag", t.Path(), "err", err)
	}
	return p
}

// asLinkDown makes err a lost link.
func (c *conn) asLinkDown(doing string, err error) error {
	if errors.Is(err, drivers.ErrLinkDown) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%w: %s: %w", drivers.ErrLinkDown, doing, err)
}

// deviceError sorts an error of a request made for a device.
func (c *conn) deviceError(d *tag.Device, err error) error {
	var status ua.StatusCode
	reason := "protocol error"
	switch {
	case errors.Is(err, drivers.ErrLinkDown), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, wire.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		reason = tag.ReasonTimeout
	case errors.As(err, &status):
		reason = value.StatusName(status)
	}
	return &drivers.DeviceError{Device: d.Name, Reason: reason, Err: err}
}
