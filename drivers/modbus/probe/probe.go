// Package probe asks a Modbus link for what no tag names: one request that
// changes nothing, for ask.Prober. It blocks as that says, keeps nothing
// and starts no goroutine.
package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/ask"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

// harmless are the functions that change nothing at a device: the four reads,
// report server id, and (as 43/14 alone) read device identification.
var harmless = []byte{1, 2, 3, 4, 17, 43}

// identification is the kind of function 43 that reads; another carries
// CANopen requests, which may write.
const identification = 14

// maxProbe bounds what one query may hold a link up.
const maxProbe = 10 * time.Second

// Prober asks on an open link. Its fields are set once; it is used by one
// goroutine at a time.
type Prober struct {
	Link    wire.Link
	Tap     *Tap          // of the link
	Timeout time.Duration // of the link
	Char    time.Duration // what one byte takes on a serial port; 0 on TCP
}

// Probe sends one request that reads.
func (p *Prober) Probe(ctx context.Context, q ask.Query) (ask.Answer, error) {
	req, err := probeRequest(q)
	if err != nil {
		return ask.Answer{}, err
	}
	// The link gives a connection up on which nobody answers any more. A unit
	// that is not there is no sign of that, so the query ends ahead of the
	// link's own timeout, and is not counted among them.
	limit := min(q.Limit, p.Timeout*9/10)
	pctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.AfterFunc(time.Hour, cancel)
	defer timer.Stop()
	began := func() { timer.Reset(limit + p.onWire(req)) }
	p.Tap.sent.Store(&began)
	defer p.Tap.sent.Store(nil)
	begin := time.Now()
	reply, err := p.Link.Exchange(pctx, byte(q.Unit), req)
	a := ask.Answer{Outcome: ask.Answered, Data: reply.Data, At: reply.At, Took: time.Since(begin)}
	if err == nil {
		return a, nil
	}
	a.At, a.Data = time.Now().UTC(), nil
	var e *frame.Error
	if !errors.As(err, &e) {
		return a, err
	}
	a.Text = e.Error()
	switch {
	case e.Kind == frame.Exception:
		a.Outcome, a.Code = ask.Declined, int(e.Code)
	case e.Kind == frame.Timeout:
		a.Outcome = ask.Silent
	case e.Kind == frame.Cancelled && e.Sent && ctx.Err() == nil:
		a.Outcome, a.Text = ask.Silent, fmt.Sprintf("no answer within %v", limit)
	case e.Kind == frame.BadFrame && e.Sent:
		a.Outcome = ask.Garbled
	case e.Kind == frame.LinkDown:
		return a, fmt.Errorf("%w: %w", drivers.ErrLinkDown, e)
	default:
		return a, e
	}
	return a, nil
}

// probeRequest checks a query.
func probeRequest(q ask.Query) (frame.PDU, error) {
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
func (p *Prober) onWire(req frame.PDU) time.Duration {
	answer := req.RTUAnswer()
	if answer == 0 {
		answer = 256 // it depends on the device
	}
	return time.Duration(len(req.Data)+4+answer) * p.Char
}
