package modbus

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/option"
	"fieldferry/drivers/modbus/poll"
	"fieldferry/drivers/modbus/probe"
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
	dev := option.DefaultDevice()
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
		add(dev, nil, deviceOptions(dev).Faults()...)
		for _, t := range dev.Tags {
			_, found := layoutOf(t)
			add(dev, t, found...)
		}
		for t, found := range option.TogetherFaults(dev) {
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
	c := newConn(link, log, poll.Setup{Link: link, Log: log, Facts: d.store(l, log), Costs: d.prior(l), Depth: d.depth(l)})
	c.seen = &d.pastOf(l).seen
	c.seen.opened(link)
	c.Prober = probe.Prober{Link: link, Tap: &d.pastOf(l).tap, Timeout: d.common(l).Timeout, Char: d.char(l)}
	return c, nil
}

func newConn(link exchanger, log *slog.Logger, s poll.Setup) *conn {
	return &conn{link: link, log: log, line: poll.New(s), seen: &tally{}, writers: map[*tag.Device]*write.Writer{}, chains: map[*tag.Device]*sunspec.Chain{}}
}

// char is how long one byte takes on a serial port, two characters of it in
// ASCII; 0 on TCP.
func (d *driver) char(l *tag.Link) time.Duration {
	if e, fault := d.endpoint(l.Endpoint); fault != nil || e.port == "" {
		return 0
	}
	char, _ := of(l.Options, d.lineDefaults).Serial.Timing()
	if d.framing == overASCII {
		char *= 2
	}
	return char
}

// conn is an open link.
type conn struct {
	probe.Prober // what may be asked beyond the tags

	link exchanger
	log  *slog.Logger
	line *poll.Line
	seen *tally // of the link
	once sync.Once

	writers map[*tag.Device]*write.Writer // of the link's goroutine, as the next
	chains  map[*tag.Device]*sunspec.Chain
}

// group is the tags of one device that are read together.
type group struct {
	*poll.Group
	c       *conn
	dev     *tag.Device
	tags    []*tag.Tag
	layouts []layout.Layout // of tags, by index

	described described // tags that the device tells the place of
}

// Read asks for every tag of the group.
func (g *group) Read(ctx context.Context, dst []tag.Sample) ([]tag.Sample, error) {
	if err := g.again(ctx); err != nil {
		return dst, err
	}
	base := len(dst)
	dst, err := g.Group.Read(ctx, dst)
	for i, reason := range g.described.missing {
		dst[base+i].Quality = tag.BadFor(reason)
	}
	return dst, err
}

// Prepare plans the reading of some tags.
func (c *conn) Prepare(ctx context.Context, d *tag.Device, tags []*tag.Tag) (drivers.Group, error) {
	g := &group{c: c, dev: d, tags: tags}
	for _, f := range deviceOptions(d).Faults() {
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
	o := deviceOptions(d)
	g.Group = c.line.Group(poll.Device{Device: d, Unit: o.UnitID, Limits: o.Limits(), Sleeps: o.Sleeps}, tags, g.layouts, g.places())
	return g, nil
}

// Close ends the link and logs what it has seen.
func (c *conn) Close() error {
	err := c.link.Close()
	c.once.Do(func() {
		if err := c.line.Close(); err != nil {
			c.log.Warn("learnt facts are not kept", "err", err)
		}
		c.seen.closed(c.link)
		s := c.link.Stats()
		c.log.Debug("modbus link closed", "requests", s.Requests, "answers", s.Answers, "exceptions", s.Exceptions,
			"timeouts", s.Timeouts, "bad_frames", s.BadFrames, "late", s.Late, "foreign", s.Foreign, "echoes", s.Echoes, "copies", s.Copies, "noise_bytes", s.Noise, "replans", c.line.Replans())
	})
	return err
}
