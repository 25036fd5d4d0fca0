package write

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/tag"
)

// The most that one request writes (Modbus Application Protocol V1.1b3 §6.11,
// §6.12).
const (
	MaxRegisters = 123
	MaxBits      = 1968
)

// ReasonNotReadBack is the reason of a sample whose tag was written and cannot
// be read.
const ReasonNotReadBack = "not read back"

// Line is what requests go through.
type Line interface {
	Exchange(ctx context.Context, unit byte, req frame.PDU) (wire.Reply, error)
}

// Device is one that is written to.
type Device struct {
	Name      string
	Unit      byte
	Multiple  bool // functions 15 and 16 even for one coil or register
	Bits      Bits
	Broadcast bool // it stands for every device of the line
}

// Writer writes to one device. It belongs to the goroutine of the link.
type Writer struct {
	line   Line
	dev    Device
	log    *slog.Logger
	noMask bool // the device has said that it does not know function 22
}

// New returns a writer to a device on a line.
func New(line Line, d Device, log *slog.Logger) *Writer {
	return &Writer{line: line, dev: d, log: log}
}

// Write writes a value to a tag. An error that wraps drivers.ErrOutcomeUnknown
// means that the device may or may not have taken it; any other that it has
// not.
func (w *Writer) Write(ctx context.Context, l *layout.Layout, v tag.Value) error {
	what := fmt.Sprintf("write %v to %s of unit %d", v, l.Address, w.dev.Unit)
	if !l.Table.Writable() {
		return fmt.Errorf("%s: a %s cannot be written", what, l.Table)
	}
	if l.Partial() && !l.Table.Bits() {
		return w.part(ctx, what, l, v)
	}
	v, err := w.unscale(ctx, l, v)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	data, err := l.Encode(v)
	if err != nil {
		return err
	}
	return w.send(ctx, what, w.request(l, data))
}

// unscale asks the device for its scale, where it has one.
func (w *Writer) unscale(ctx context.Context, l *layout.Layout, v tag.Value) (tag.Value, error) {
	number, scaled := l.Scaled()
	if !scaled {
		return v, nil
	}
	raw, err := w.register(ctx, l.Table, number)
	if err != nil {
		return tag.Value{}, err
	}
	return l.Unscale(v, raw)
}

// request makes the request that writes data: function 5 for a coil, 6 for
// one register, 15 and 16 for several, or in any case for a device that knows
// no others.
func (w *Writer) request(l *layout.Layout, data []byte) frame.PDU {
	switch {
	case l.Table.Bits() && (w.dev.Multiple || l.Count > 0):
		return frame.WriteCoils(l.Number, l.Length, data)
	case l.Table.Bits():
		return frame.WriteCoil(l.Number, data[0])
	case len(data) == 2 && !w.dev.Multiple:
		return frame.WriteRegister(l.Number, [2]byte(data))
	}
	return frame.WriteRegisters(l.Number, data)
}

// send sends a request that writes, once.
func (w *Writer) send(ctx context.Context, what string, req frame.PDU) error {
	if _, err := w.line.Exchange(ctx, w.dev.Unit, req); err != nil {
		return w.notWritten(what, asFrame(err))
	}
	if w.dev.Broadcast {
		return fmt.Errorf("%w: %s: it was sent to every device of the line, and none answers a broadcast", drivers.ErrOutcomeUnknown, what)
	}
	return nil
}

// part writes a piece of a register.
func (w *Writer) part(ctx context.Context, what string, l *layout.Layout, v tag.Value) error {
	mask, bits, err := l.Mask(v)
	if err != nil {
		return err
	}
	if w.dev.Bits == BitsRefuse {
		return fmt.Errorf("%s: %s is a part of a register, and write_bits: refuse forbids to write one", what, l.Address)
	}
	if w.dev.Bits == BitsReadModifyWrite || w.noMask {
		return w.readModifyWrite(ctx, what, l, mask, bits)
	}
	err = w.send(ctx, what, frame.MaskWrite(l.Number, ^mask, bits))
	var e *frame.Error
	if w.dev.Bits != BitsAuto || !errors.As(err, &e) || e.Kind != frame.Exception || e.Code != 1 || e.Suspect {
		return err
	}
	w.noMask = true
	w.log.Info("device has no mask write: parts of registers are read, changed and written", "device", w.dev.Name)
	return w.readModifyWrite(ctx, what, l, mask, bits)
}

// readModifyWrite changes some bits of a register. Nothing of ours can come
// between its requests, but the device itself or another master can: a
// register that moves is not written, and one that does not hold afterwards
// what was written into it leaves the outcome unknown.
func (w *Writer) readModifyWrite(ctx context.Context, what string, l *layout.Layout, mask, bits uint16) error {
	old, err := w.register(ctx, l.Table, l.Number)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	again, err := w.register(ctx, l.Table, l.Number)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if again != old {
		return fmt.Errorf("%s: refused: the register went from 0x%04X to 0x%04X by itself, and a write would undo that", what, old, again)
	}
	data := binary.BigEndian.AppendUint16(nil, old&^mask|bits)
	req := frame.WriteRegister(l.Number, [2]byte(data))
	if w.dev.Multiple {
		req = frame.WriteRegisters(l.Number, data)
	}
	if err := w.send(ctx, what, req); err != nil {
		return err
	}
	now, err := w.register(ctx, l.Table, l.Number)
	if err != nil {
		return fmt.Errorf("%w: %s: the register could not be read back: %w", drivers.ErrOutcomeUnknown, what, err)
	}
	if (now^old)&^mask != 0 {
		return fmt.Errorf("%w: %s: the rest of the register was 0x%04X before and is 0x%04X now: something else wrote to it, too",
			drivers.ErrOutcomeUnknown, what, old&^mask, now&^mask)
	}
	return nil
}

// register reads one register, before anything is written.
func (w *Writer) register(ctx context.Context, t layout.Table, number int) (uint16, error) {
	reply, err := w.line.Exchange(ctx, w.dev.Unit, frame.Read(t.ReadFunction(), number, 1))
	if err != nil {
		return 0, w.silent(asFrame(err), fmt.Errorf("read %s %d first: %w", t, number, err))
	}
	if len(reply.Data) != 2 {
		return 0, fmt.Errorf("read %s %d first: %d bytes", t, number, len(reply.Data))
	}
	return binary.BigEndian.Uint16(reply.Data), nil
}

// silent tells a device or a link that is gone by the kind of the error.
func (w *Writer) silent(e *frame.Error, err error) error {
	switch e.Kind {
	case frame.LinkDown:
		return fmt.Errorf("%w: %w", drivers.ErrLinkDown, err)
	case frame.Timeout, frame.BadFrame:
		reason := "bad answer"
		if e.Kind == frame.Timeout {
			reason = tag.ReasonTimeout
		}
		return &drivers.DeviceError{Device: w.dev.Name, Reason: reason, Err: err}
	}
	return err
}

// notWritten tells what an error means for the outcome of a write; nil where
// it means that the device has taken the value and is still at it.
func (w *Writer) notWritten(what string, e *frame.Error) error {
	err := fmt.Errorf("%s: %w", what, e)
	if !e.Sent {
		return w.silent(e, err)
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

// ReadBack reads what a tag holds after a write, from the start of its span;
// false when it cannot be read.
func (w *Writer) ReadBack(ctx context.Context, l *layout.Layout) (wire.Reply, bool) {
	start, n := l.Span()
	reply, err := w.line.Exchange(ctx, w.dev.Unit, frame.Read(l.Table.ReadFunction(), start, n))
	if err != nil {
		w.log.Debug("written but not read back", "device", w.dev.Name, "address", l.String(), "err", err)
	}
	return reply, err == nil
}

// asFrame is the link layer's account of an error.
func asFrame(err error) *frame.Error {
	var e *frame.Error
	if !errors.As(err, &e) {
		e = &frame.Error{Kind: frame.Invalid, Err: err}
	}
	return e
}
