package modbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/sunspec"
	"fieldferry/tag"
)

// Reasons of tags that a device does not describe.
const (
	reasonNoSunSpec = "no SunSpec device" // it has no chain of models, or a broken one
	reasonNoPoint   = "no such SunSpec point"
)

// sunspecLayout stands for the layout of a tag that is found by the device's
// own description, until it is.
func sunspecLayout(t *tag.Tag) (layout.Layout, tag.Faults) {
	var faults tag.Faults
	fault := func(path, hint, text string) { faults = append(faults, tag.Fault{Path: path, Text: text, Hint: hint}) }
	if _, err := sunspec.ParseRef(t.Address); err != nil {
		fault("address", sunspec.Hint, err.Error())
	}
	o := tagOptions(t)
	for _, x := range []struct {
		path string
		used bool
	}{{"type", t.Type != ""}, {"length", o.Length != 0}, {"scale_from", o.ScaleFrom != ""}, {"invalid", len(o.Invalid) > 0}, {"read_together", len(o.ReadTogether) > 0}} {
		if x.used {
			fault(x.path, "leave it out", fmt.Sprintf("the device's own description says it for %s", t.Address))
		}
	}
	if t.Access != tag.AccessRead {
		fault("access", "use access: read, or name the register", "a tag that is found by the device's description is read only")
	}
	return layout.Layout{Address: layout.Address{Table: layout.HoldingRegisters}, Type: layout.Uint16, Length: 1}, faults
}

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
			g.c.log.Warn("SunSpec point not there", "device", g.dev.Name, "tag", g.tags[i].Name, "err", ferr)
		}
		d.missing[i] = reason
	}
	if len(d.missing) > 0 {
		d.retryAt = time.Now().Add(retryRefused)
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
		return nil, describeError(d, asFrame(err))
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
	case e.Kind == frame.Exception && !gatewayFault(e.Code) && !e.Suspect:
		return e
	}
	return &drivers.DeviceError{Device: d.Name, Reason: reasonOf(e), Err: e}
}

// again plans anew where something has changed since the last read: a refused
// tag is there again, or the device is to be asked once more what it has.
func (g *group) again(ctx context.Context) error {
	if at := g.described.retryAt; !at.IsZero() && !time.Now().Before(at) {
		if err := g.describe(ctx); err != nil {
			return err
		}
		g.locate()
		g.stale = true
	}
	if g.stale {
		g.replan()
	}
	return nil
}
