package modbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/sunspec"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/drivers/modbus/write"
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
		for t, found := range togetherFaults(dev) {
			add(dev, t, found...)
		}
	}
	return faults
}

// exchanger is a link of any framing.
type exchanger = wire.Link

// Open connects to a link.
func (d *driver) Open(ctx context.Context, l *tag.Link, log *slog.Logger) (drivers.Conn, error) {
	link, err := d.connect(ctx, l, log)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", drivers.ErrLinkDown, err)
	}
	return &conn{link: link, log: log, writers: map[*tag.Device]*write.Writer{}, chains: map[*tag.Device]*sunspec.Chain{}}, nil
}

// conn is an open link.
type conn struct {
	link exchanger
	log  *slog.Logger
	once sync.Once

	writers map[*tag.Device]*write.Writer // of the link's goroutine, as the next
	chains  map[*tag.Device]*sunspec.Chain
}

// Prepare plans the reading of some tags.
func (c *conn) Prepare(ctx context.Context, d *tag.Device, tags []*tag.Tag) (drivers.Group, error) {
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
	for i, t := range tags {
		if sunspec.Is(t.Address) {
			g.described.tags = append(g.described.tags, i)
		}
	}
	if err := g.describe(ctx); err != nil {
		return nil, err
	}
	g.locate()
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
