package modbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/poll"
	"fieldferry/drivers/modbus/sunspec"
	"fieldferry/tag"
)

// Reasons of tags that a device does not describe.
const (
	reasonNoSunSpec = "no SunSpec device" // it has no chain of models, or a broken one
	reasonNoPoint   = "no such SunSpec point"
)

// retryDescribe is how long a device is left alone that does not describe what
// is asked for. One that is still starting may do so a minute later.
const retryDescribe = time.Minute

// described are the tags of a group that the device itself tells the whereabouts of.
type described struct {
	tags    []int          // their indices
	missing map[int]string // those that it has not told, with the reason
	retryAt time.Time      // when it is asked again; zero: everything is told
}

// describe asks the device where the tags lie that are named by SunSpec. A
// device that is silent is an error, one that does not know them makes the
// tags bad until it is asked again.
func (g *group) describe(ctx context.Context) error {
	d := &g.described
	if len(d.tags) == 0 {
		return nil
	}
	chain, err := g.c.chain(ctx, g.dev)
	var gone *drivers.DeviceError
	if errors.As(err, &gone) || errors.Is(err, drivers.ErrLinkDown) || ctx.Err() != nil {
		return err
	}
	d.missing, d.retryAt = map[int]string{}, time.Time{}
	for _, i := range d.tags {
		reason := reasonNoSunSpec
		if err == nil {
			var ferr error
			if g.layouts[i], ferr = placeOf(chain, g.tags[i]); ferr == nil {
				continue
			}
			reason = reasonNoPoint
			g.c.log.Warn("point not described by the device", "device", g.dev.Name, "tag", g.tags[i].Name, "err", ferr)
		}
		d.missing[i] = reason
	}
	if len(d.missing) > 0 {
		d.retryAt = time.Now().Add(retryDescribe)
	}
	if err != nil {
		g.c.log.Warn("device does not describe itself", "device", g.dev.Name, "err", err)
	}
	return nil
}

// placeOf finds one tag in the chain.
func placeOf(chain *sunspec.Chain, t *tag.Tag) (layout.Layout, error) {
	ref, err := sunspec.ParseRef(t.Address)
	if err != nil {
		return layout.Layout{}, err
	}
	spec, err := chain.Find(ref)
	if err != nil {
		return layout.Layout{}, err
	}
	l, faults := spec.Parse()
	if err := faults.Err(); err != nil {
		return layout.Layout{}, fmt.Errorf("%s: %w", t.Address, err)
	}
	if _, n := l.Span(); n > deviceOptions(t.Device).MaxRegisters {
		return layout.Layout{}, fmt.Errorf("%s: the value and its scale factor span %d registers, more than max_registers allows", t.Address, n)
	}
	return l, nil
}

// chain walks the models of a device, once for a connection.
func (c *conn) chain(ctx context.Context, d *tag.Device) (*sunspec.Chain, error) {
	if known := c.chains[d]; known != nil {
		return known, nil
	}
	unit := byte(deviceOptions(d).UnitID)
	chain, err := sunspec.Walk(ctx, func(ctx context.Context, address, n int) ([]byte, error) {
		reply, err := c.link.Exchange(ctx, unit, frame.Read(layout.HoldingRegisters.ReadFunction(), address, n))
		if err == nil {
			return reply.Data, nil
		}
		return nil, describeError(d, poll.AsFrame(err))
	})
	if err != nil {
		return nil, err
	}
	c.chains[d] = chain
	c.log.Info("device describes itself", "device", d.Name, "base", chain.Base, "models", len(chain.Blocks))
	return chain, nil
}

// describeError tells a register that is not there from a device or a link
// that is gone.
func describeError(d *tag.Device, e *frame.Error) error {
	switch {
	case e.Kind == frame.Exception && !e.Suspect && (e.Code == 2 || e.Code == 3):
		return fmt.Errorf("%w: %w", sunspec.ErrAbsent, e)
	case e.Kind == frame.LinkDown:
		return fmt.Errorf("%w: %w", drivers.ErrLinkDown, e)
	case e.Kind == frame.Cancelled:
		return e
	case e.Kind == frame.Exception && !poll.OfGateway(e.Code) && !e.Suspect:
		return e
	}
	return &drivers.DeviceError{Device: d.Name, Reason: poll.Reason(e), Err: e}
}

// again asks a device once more for what it did not tell, when it is time.
func (g *group) again(ctx context.Context) error {
	if at := g.described.retryAt; at.IsZero() || time.Now().Before(at) {
		return nil
	}
	if err := g.describe(ctx); err != nil {
		return err
	}
	g.Replace(g.places())
	return nil
}
