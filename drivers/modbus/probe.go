package modbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/frame"
)

// harmless are the functions that change nothing at a device: the four reads,
// report server id, and (as 43/14 alone) read device identification.
var harmless = []byte{1, 2, 3, 4, 17, 43}

// identification is the kind of function 43 that reads; another carries
// CANopen requests, which may write.
const identification = 14

// maxProbe bounds what one query may hold a link up.
const maxProbe = 10 * time.Second

// Probe sends one request that reads.
func (c *conn) Probe(ctx context.Context, q drivers.Query) (drivers.Answer, error) {
	req, err := probeRequest(q)
	if err != nil {
		return drivers.Answer{}, err
	}
	// The link gives a connection up on which nobody answers any more. A unit
	// that is not there is no sign of that, so the query ends ahead of the
	// link's own timeout, and is not counted among them.
	limit := min(q.Limit, c.timeout*9/10)
	pctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.AfterFunc(time.Hour, cancel)
	defer timer.Stop()
	began := func() { timer.Reset(limit + c.onWire(req)) }
	c.tap.sent.Store(&began)
	defer c.tap.sent.Store(nil)
	begin := time.Now()
	reply, err := c.link.Exchange(pctx, byte(q.Unit), req)
	a := drivers.Answer{Outcome: drivers.Answered, Data: reply.Data, At: reply.At, Took: time.Since(begin)}
	if err == nil {
		return a, nil
	}
	a.At, a.Data = time.Now().UTC(), nil
	e := asFrame(err)
	a.Text = e.Error()
	switch {
	case e.Kind == frame.Exception:
		a.Outcome, a.Code = drivers.Declined, int(e.Code)
	case e.Kind == frame.Timeout:
		a.Outcome = drivers.Silent
	case e.Kind == frame.Cancelled && e.Sent && ctx.Err() == nil:
		a.Outcome, a.Text = drivers.Silent, fmt.Sprintf("no answer within %v", limit)
	case e.Kind == frame.BadFrame && e.Sent:
		a.Outcome = drivers.Garbled
	case e.Kind == frame.LinkDown:
		return a, fmt.Errorf("%w: %w", drivers.ErrLinkDown, e)
	default:
		return a, e
	}
	return a, nil
}

// probeRequest checks a query.
func probeRequest(q drivers.Query) (frame.PDU, error) {
	switch {
	case q.Unit < 0 || q.Unit > 255:
		return frame.PDU{}, fmt.Errorf("unit id %d is outside 0-255", q.Unit)
	case q.Limit <= 0 || q.Limit > maxProbe:
		return frame.PDU{}, fmt.Errorf("a limit of %v is outside 0s to %v", q.Limit, maxProbe)
	case len(q.Request) == 0:
		return frame.PDU{}, errors.New("an empty request")
	}
	req := frame.PDU{Function: q.Request[0], Data: q.Request[1:]}
	if !slices.Contains(harmless, req.Function) || req.Function == 43 && (len(req.Data) == 0 || req.Data[0] != identification) {
		return req, fmt.Errorf("function %d is not asked here: it may change the device", req.Function)
	}
	if err := req.Validate(); err != nil {
		return req, err
	}
	return req, nil
}

// onWire is how long a request and its answer take on a serial line, however
// fast the device is.
func (c *conn) onWire(req frame.PDU) time.Duration {
	answer := req.RTUAnswer()
	if answer == 0 {
		answer = 256 // it depends on the device
	}
	return time.Duration(len(req.Data)+4+answer) * c.char
}
