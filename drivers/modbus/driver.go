package modbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/tag"
)

func init() {
	drivers.Register("modbus-tcp", newDriver(overTCP))
	drivers.Register("modbus-rtu", newDriver(overRTU))
	drivers.Register("modbus-ascii", newDriver(overASCII))
}

// Options returns the defaults.
func (d *driver) Options() drivers.Options {
	dev := defaultDevice()
	o := drivers.Options{Device: &dev, Tag: &TagOptions{}}
	if d.serial() {
		link := d.lineDefaults()
		o.Link = &link
	} else {
		link := defaultTCP()
		o.Link = &link
	}
	return o
}

// Check tells every fault of a link.
func (d *driver) Check(l *tag.Link) []drivers.Fault {
	var faults []drivers.Fault
	add := func(dev *tag.Device, t *tag.Tag, found ...tag.Fault) {
		for _, f := range found {
			faults = append(faults, drivers.Fault{Device: dev, Tag: t, Fault: f})
		}
	}
	add(nil, nil, d.linkFaults(l)...)
	for _, dev := range l.Devices {
		add(dev, nil, deviceOptions(dev).faults()...)
		for _, t := range dev.Tags {
			_, found := layoutOf(t)
			add(dev, t, found...)
		}
	}
	return faults
}

// layoutOf tells where a tag lies, or everything that is wrong with it.
func layoutOf(t *tag.Tag) (layout.Layout, tag.Faults) {
	o := tagOptions(t)
	l, faults := layout.Spec{Address: t.Address, Type: t.Type, Order: o.ByteOrder, Length: o.Length}.Parse()
	most := deviceOptions(t.Device).MaxRegisters
	if len(faults) > 0 {
		return l, faults
	}
	if !l.Table.Bits() && l.Length > most && most > 0 {
		faults = append(faults, tag.Fault{Path: "address", Text: fmt.Sprintf("%s takes %d registers, more than the %d that max_registers allows in one read", l.Address, l.Length, most),
			Hint: "a value read in two halves may be torn: raise max_registers, or use a shorter type"})
	}
	if !t.Access.Writable() {
		return l, faults
	}
	switch {
	case !l.Table.Writable():
		faults = append(faults, tag.Fault{Path: "access", Text: fmt.Sprintf("%ss cannot be written", l.Table), Hint: "use access: read; coils and holding registers can be written"})
	case l.Partial():
		faults = append(faults, tag.Fault{Path: "access", Text: fmt.Sprintf("%s is a part of a register, and a part alone cannot be written", l.Address),
			Hint: "use access: read, or write the whole register as uint16"})
	case l.Length > maxWrite:
		faults = append(faults, tag.Fault{Path: "access", Text: fmt.Sprintf("%d registers cannot be written at once", l.Length), Hint: fmt.Sprintf("Modbus writes %d at most", maxWrite)})
	}
	return l, faults
}

// maxWrite is the most registers of one write (Modbus Application Protocol
// V1.1b3 §6.12).
const maxWrite = 123

// exchanger is a link of any framing.
type exchanger = wire.Link

// Open connects to a link.
func (d *driver) Open(ctx context.Context, l *tag.Link, log *slog.Logger) (drivers.Conn, error) {
	link, err := d.connect(ctx, l, log)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", drivers.ErrLinkDown, err)
	}
	return &conn{link: link, log: log, tap: &d.pastOf(l).tap, timeout: d.common(l).Timeout, char: d.char(l)}, nil
}

// char is how long one character takes on a serial port; 0 on TCP.
func (d *driver) char(l *tag.Link) time.Duration {
	if e, fault := d.endpoint(l.Endpoint); fault != nil || e.port == "" {
		return 0
	}
	char, _ := of(l.Options, d.lineDefaults).Serial.Timing()
	return char
}

// conn is an open link.
type conn struct {
	link    exchanger
	log     *slog.Logger
	tap     *tap
	timeout time.Duration // of a request
	char    time.Duration // what one character takes on a serial port; 0 on TCP
	once    sync.Once
}

// Prepare plans the reading of some tags.
func (c *conn) Prepare(_ context.Context, d *tag.Device, tags []*tag.Tag) (drivers.Group, error) {
	g := &group{c: c, dev: d, unit: byte(deviceOptions(d).UnitID), limits: deviceOptions(d).limits(), tags: tags}
	for _, f := range deviceOptions(d).faults() {
		return nil, fmt.Errorf("device %s: %w", d.Name, f)
	}
	for _, t := range tags {
		l, faults := layoutOf(t)
		if len(faults) > 0 {
			return nil, fmt.Errorf("tag %s: %w", t.Path(), faults)
		}
		g.layouts = append(g.layouts, l)
	}
	g.replan()
	return g, nil
}

// Close ends the link and logs what it has seen.
func (c *conn) Close() error {
	err := c.link.Close()
	c.once.Do(func() {
		s := c.link.Stats()
		c.log.Debug("modbus link closed", "requests", s.Requests, "answers", s.Answers, "exceptions", s.Exceptions,
			"timeouts", s.Timeouts, "bad_frames", s.BadFrames, "late", s.Late, "foreign", s.Foreign, "noise_bytes", s.Noise)
	})
	return err
}

// asFrame is the link layer's account of an error.
func asFrame(err error) *frame.Error {
	var e *frame.Error
	if !errors.As(err, &e) {
		e = &frame.Error{Kind: frame.Invalid, Err: err}
	}
	return e
}
