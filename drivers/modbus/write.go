package modbus

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/tag"
)

// Write writes one tag and reads it back. What was written and acknowledged
// but cannot be read back gives a sample without a value that says so.
func (g *group) Write(ctx context.Context, t *tag.Tag, v tag.Value) (tag.Sample, error) {
	i := slices.Index(g.tags, t)
	if i < 0 {
		return tag.Sample{}, fmt.Errorf("tag %s is not of this group", t.Path())
	}
	if !t.Access.Writable() {
		return tag.Sample{}, fmt.Errorf("tag %s has access: %s", t.Path(), t.Access)
	}
	l := &g.layouts[i]
	req, err := writeRequest(l, v, deviceOptions(g.dev).WriteMultiple)
	if err != nil {
		return tag.Sample{}, err
	}
	what := fmt.Sprintf("write %v to %s of unit %d", v, l.Address, g.unit)
	if _, err := g.c.link.Exchange(ctx, g.unit, req); err != nil {
		if err := g.notWritten(what, asFrame(err)); err != nil {
			return tag.Sample{}, err
		}
	}
	return g.readBack(ctx, t, l)
}

// writeRequest makes the request that writes v: function 5 for a coil, 6 for
// one register, 16 for several; 15 and 16 in any case for a device that knows
// no others.
func writeRequest(l *layout.Layout, v tag.Value, multiple bool) (frame.PDU, error) {
	if l.Partial() || !l.Table.Writable() {
		return frame.PDU{}, fmt.Errorf("%s cannot be written alone", l.Address)
	}
	data, err := l.Encode(v)
	if err != nil {
		return frame.PDU{}, err
	}
	switch {
	case l.Table.Bits() && multiple:
		return frame.WriteCoils(l.Number, 1, data), nil
	case l.Table.Bits():
		return frame.WriteCoil(l.Number, data[0]), nil
	case len(data) == 2 && !multiple:
		return frame.WriteRegister(l.Number, [2]byte(data)), nil
	}
	return frame.WriteRegisters(l.Number, data), nil
}

// notWritten tells what an error means for the outcome of a write; nil where
// it means that the device has taken the value and is still at it.
func (g *group) notWritten(what string, e *frame.Error) error {
	err := fmt.Errorf("%s: %w", what, e)
	if !e.Sent {
		switch e.Kind {
		case frame.LinkDown:
			return fmt.Errorf("%w: %w", drivers.ErrLinkDown, err)
		case frame.Timeout, frame.BadFrame:
			return &drivers.DeviceError{Device: g.dev.Name, Reason: reasonOf(e), Err: err}
		}
		return err
	}
	if e.Kind == frame.Exception && !e.Suspect {
		switch e.Code {
		case 5: // acknowledge: taken, and takes its time
			return nil
		case 1, 2, 3, 6, 10: // refused, busy, or never passed on
			return err
		}
	}
	if e.Kind == frame.LinkDown {
		return fmt.Errorf("%w: %w: %w", drivers.ErrOutcomeUnknown, drivers.ErrLinkDown, err)
	}
	return fmt.Errorf("%w: %w", drivers.ErrOutcomeUnknown, err)
}

// reasonNotReadBack is the reason of a sample whose tag was written and
// cannot be read.
const reasonNotReadBack = "not read back"

// readBack reads a tag that has just been written.
func (g *group) readBack(ctx context.Context, t *tag.Tag, l *layout.Layout) (tag.Sample, error) {
	s := tag.Sample{Tag: t, Quality: tag.UncertainFor(reasonNotReadBack), Time: time.Now().UTC()}
	if !t.Access.Readable() {
		return s, nil
	}
	reply, err := g.c.link.Exchange(ctx, g.unit, frame.Read(l.Table.ReadFunction(), l.Number, l.Length))
	if err != nil {
		g.c.log.Debug("written but not read back", "device", g.dev.Name, "tag", t.Name, "err", err)
		return s, nil
	}
	decode(&s, l, reply, 0)
	return s, nil
}
