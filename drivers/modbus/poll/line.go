// Package poll reads the tags of the devices on one open link: it keeps the
// plan of each device (package plan), sends its requests, takes the tags out
// of the answers (package layout), and finds out why a device refuses what it
// refuses (package learn).
//
// A block that the device refuses is never marked bad: it is taken apart
// within the time of the cycle, and what lies behind the refusal is learnt.
// Nothing is learnt from silence, from a busy device, or from an answer that
// may belong to an earlier request. A block that a device leaves unanswered
// while it answers others is taken apart too, for a while, and forgotten.
//
// Groups are read by the goroutine of the link; Close may come from anywhere.
// What was learnt is written to the disk in the goroutine of the link: a few
// times in the life of a device.
package poll

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/learn"
	"fieldferry/drivers/modbus/plan"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/tag"
)

// Setup is what a line is made of. All fields are set once.
type Setup struct {
	Link  wire.Link
	Log   *slog.Logger
	Facts *learn.Store
	Costs Prior
	Depth int // requests under way at once; less than two: one after the other
}

// Prior is what reads are expected to cost.
type Prior struct {
	plan.Costs
	Serial   bool // the line is ours: what a register costs is known, and not measured
	Measured bool // on a run before
}

// Expected is what reads of a device are expected to cost, by what was
// measured when it was last read.
func Expected(p Prior, facts learn.Device) Prior {
	known, n := facts.Costs()
	if n == 0 {
		return p
	}
	p.Request, p.Measured = known.Request, true
	if !p.Serial {
		p.Register, p.Bit = known.Register, known.Bit
	}
	return p
}

// Line is an open link whose devices are polled.
type Line struct {
	Setup
	replans atomic.Uint64

	mu       sync.Mutex // guards stations: Close may come from anywhere
	stations map[*tag.Device]*station

	// The rest belongs to the link's goroutine.
	kept    uint64 // version of the facts that was written last
	keepErr error  // why it could not be written
}

// New makes a line of an open link, which stays the caller's to close.
func New(s Setup) *Line {
	return &Line{Setup: s, stations: map[*tag.Device]*station{}, kept: s.Facts.Version()}
}

// Device is a device of a line.
type Device struct {
	Device *tag.Device
	Unit   int
	Limits plan.Limits // as configured
	Sleeps bool        // a request that it does not answer is made once more
}

// Place is what is read for a tag: from Start on, so many registers or bits.
// Members are the indices of the tags that are taken out of it. Tags that must
// be read together share the place of one of them: the others have no members.
type Place struct {
	Start, Length int
	Members       []int
}

// Group plans the reading of some tags of a device, with their layouts and
// places by index. The first group of each interval is a lane of the device,
// which is planned together with the others; a further one is planned alone,
// and asks for what the device refuses too: it is a person who wants to know.
func (c *Line) Group(d Device, tags []*tag.Tag, layouts []layout.Layout, places []Place) *Group {
	g := &Group{c: c, dev: d.Device, interval: intervalOf(tags), tags: tags, layouts: layouts, places: places}
	c.station(d).join(g)
	return g
}

// Replace gives the tags of the group other places, after their layouts have
// changed.
func (g *Group) Replace(places []Place) {
	g.places, g.st.stale = places, true
}

// intervalOf is the shortest interval of some tags that are read; zero where
// none is.
func intervalOf(tags []*tag.Tag) time.Duration {
	shortest := time.Duration(0)
	for _, t := range tags {
		if t.Access.Readable() && (shortest == 0 || t.Interval < shortest) {
			shortest = t.Interval
		}
	}
	return shortest
}

// Replans is how many plans were made anew because costs had moved. Safe for
// concurrent use.
func (c *Line) Replans() uint64 { return c.replans.Load() }

// keep writes what was learnt. That it cannot be written is told once.
func (c *Line) keep() {
	version := c.Facts.Version()
	if version == c.kept {
		return
	}
	c.kept = version
	err := c.Facts.Save()
	if err != nil && c.keepErr == nil {
		c.Log.Warn("learnt facts are not kept", "err", err)
	}
	c.keepErr = err
}

// Close keeps what was measured and learnt. It blocks for as long as the disk
// does, and may be called from any goroutine.
func (c *Line) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.stations {
		if costs, n := s.meter.Costs(); n > 0 {
			s.facts.Keep(costs, n)
		}
	}
	return c.Facts.Save()
}

// AsFrame is the link layer's account of an error.
func AsFrame(err error) *frame.Error {
	var e *frame.Error
	if !errors.As(err, &e) {
		e = &frame.Error{Kind: frame.Invalid, Err: err}
	}
	return e
}
