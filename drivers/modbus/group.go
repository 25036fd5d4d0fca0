package modbus

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/plan"
	"fieldferry/tag"
)

// group is the tags of one device that are read together.
type group struct {
	c       *conn
	dev     *tag.Device
	unit    byte
	limits  plan.Limits
	tags    []*tag.Tag
	layouts []layout.Layout // of tags, by index
	spots   []spot          // of tags, by index

	described described // tags that the device tells the place of

	blocks []*block // what is asked, in order
	first  int      // index of the silent block that is asked first
	cycle  uint64   // counts calls of Read
	stale  bool     // a refused tag is back: plan anew
}

// block is one request of a group.
type block struct {
	plan.Block
	req     frame.PDU
	cycle   uint64    // in which it was last asked
	silent  bool      // the last request got no usable answer
	refused string    // why the device refused this tag; only a block of one has it
	retryAt time.Time // when a refused tag is asked for again
	parts   []*block  // what it was taken apart into, in this cycle
}

// retryRefused is how long a tag that the device refused is left alone. A
// device that is still starting may refuse what it grants a minute later.
const retryRefused = time.Minute

// reasonWriteOnly is the reason of a tag that is asked for and may not be.
const reasonWriteOnly = "write only"

// replan puts all tags into as few blocks as the plan sees fit.
func (g *group) replan() {
	var items []plan.Item
	for i, l := range g.layouts {
		if p := g.spots[i]; len(p.members) > 0 && g.tags[i].Access.Readable() {
			items = append(items, plan.Item{Table: l.Table, Start: p.start, Length: p.length, Tag: i})
		}
	}
	g.blocks, g.first, g.stale = nil, 0, false
	char := 11 * time.Second / 9600
	for _, b := range plan.Blocks(items, g.limits, plan.Serial(char, 7*char/2, 5*time.Millisecond, 1)) {
		g.blocks = append(g.blocks, newBlock(b))
	}
}

func newBlock(b plan.Block) *block {
	return &block{Block: b, req: frame.Read(b.Table.ReadFunction(), b.Start, b.Length)}
}

// what names the request for people.
func (b *block) what(unit byte) string {
	if b.Length == 1 {
		return fmt.Sprintf("read %s %d of unit %d", b.Table, b.Start, unit)
	}
	return fmt.Sprintf("read %ss %d-%d of unit %d", b.Table, b.Start, b.Start+b.Length-1, unit)
}

// Read asks for every block of the group.
func (g *group) Read(ctx context.Context, dst []tag.Sample) ([]tag.Sample, error) {
	if err := g.again(ctx); err != nil {
		return dst, err
	}
	g.cycle++
	base, now := len(dst), time.Now().UTC()
	for i, t := range g.tags {
		q := tag.BadFor(tag.ReasonTimeout)
		if reason := g.described.missing[i]; reason != "" {
			q = tag.BadFor(reason)
		} else if !t.Access.Readable() {
			q = tag.BadFor(reasonWriteOnly)
		}
		dst = append(dst, tag.Sample{Tag: t, Quality: q, Time: now})
	}
	r := round{g: g, out: dst[base:], now: now}
	err := r.run(ctx)
	if r.split {
		g.flatten()
	}
	return dst, err
}

// flatten puts the parts of blocks that were taken apart in their spots.
func (g *group) flatten() {
	var flat []*block
	var add func(b *block)
	add = func(b *block) {
		if b.parts == nil {
			flat = append(flat, b)
		}
		for _, p := range b.parts {
			add(p)
		}
	}
	for _, b := range g.blocks {
		add(b)
	}
	g.blocks, g.first = flat, 0
}

// round is one call of Read.
type round struct {
	g        *group
	out      []tag.Sample // by the index of the tag
	now      time.Time
	answered bool // the device answered something that can be used
	misses   int  // requests without a usable answer
	split    bool // a block was taken apart
}

// run asks for the blocks that answered last time, then for those that did
// not, beginning with another of these each time. A device that answers
// nothing costs one timeout; one that leaves single blocks unanswered costs
// one timeout in each round, and the other blocks are read.
func (r *round) run(ctx context.Context) error {
	n := len(r.g.blocks)
	for i := range n {
		if b := r.g.blocks[i]; !b.silent {
			if err := r.visit(ctx, b); err != nil {
				return err
			}
		}
	}
	start := r.g.first
	for i := range n {
		at := (start + i) % n
		b := r.g.blocks[at]
		if !b.silent || b.cycle == r.g.cycle || r.misses > 0 {
			continue
		}
		r.g.first = (at + 1) % n
		if err := r.visit(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// visit asks for one block. Its error ends the round: the device is silent or
// the link is gone.
func (r *round) visit(ctx context.Context, b *block) error {
	if r.misses > 1 {
		return nil // it has fallen silent: the rest would only wait
	}
	b.cycle = r.g.cycle
	if b.refused != "" && r.now.Before(b.retryAt) {
		r.fill(b, tag.BadFor(b.refused), r.now)
		return nil
	}
	reply, err := r.g.c.link.Exchange(ctx, r.g.unit, b.req)
	if err != nil {
		return r.failed(ctx, b, asFrame(err))
	}
	r.answered, b.silent = true, false
	if b.refused != "" {
		b.refused = ""
		r.g.stale = true
		r.g.c.log.Info("register is there again", "device", r.g.dev.Name, "tag", r.g.tags[b.Items[0].Tag].Name)
	}
	for _, it := range b.Items {
		for _, i := range r.g.spots[it.Tag].members {
			decode(&r.out[i], &r.g.layouts[i], reply, b.Start)
		}
	}
	return nil
}

// fill marks every tag of a block.
func (r *round) fill(b *block, q tag.Quality, at time.Time) {
	for _, it := range b.Items {
		for _, i := range r.g.spots[it.Tag].members {
			s := &r.out[i]
			s.Value, s.Quality, s.Time = tag.Value{}, q, at
		}
	}
}

// failed deals with a request that brought no values.
func (r *round) failed(ctx context.Context, b *block, e *frame.Error) error {
	what := b.what(r.g.unit)
	switch {
	case e.Kind == frame.LinkDown:
		return fmt.Errorf("%w: %s: %w", drivers.ErrLinkDown, what, e)
	case e.Kind == frame.Cancelled:
		return fmt.Errorf("%s: %w", what, e)
	case e.Kind == frame.Exception && !gatewayFault(e.Code) && !e.Suspect:
		r.answered, b.silent = true, false
		return r.exception(ctx, b, e)
	}
	r.misses++
	b.silent = true
	reason := reasonOf(e)
	r.fill(b, tag.BadFor(reason), time.Now().UTC())
	if r.answered {
		return nil
	}
	return &drivers.DeviceError{Device: r.g.dev.Name, Reason: reason, Err: fmt.Errorf("%s: %w", what, e)}
}

// gatewayFault says that an exception comes from a gateway, whose unit does
// not answer it either (Modbus Application Protocol V1.1b3 §7).
func gatewayFault(code byte) bool { return code == 10 || code == 11 }

// reasonOf is what a bad sample says of a missing or unusable answer.
func reasonOf(e *frame.Error) string {
	switch {
	case e.Kind == frame.Timeout:
		return tag.ReasonTimeout
	case e.Kind == frame.Exception && gatewayFault(e.Code):
		return frame.ExceptionText(e.Code)
	}
	return "bad answer"
}

// exception deals with a refusal. An exception says nothing about the single
// tags of a block, so a block of several is taken apart, within this round,
// until those that the device refuses stand alone.
func (r *round) exception(ctx context.Context, b *block, e *frame.Error) error {
	refusal := []byte{1, 2, 3} // illegal function, address, value
	if !slices.Contains(refusal, e.Code) {
		r.fill(b, tag.BadFor(frame.ExceptionText(e.Code)), time.Now().UTC())
		return nil
	}
	parts := b.Split()
	if len(parts) == 0 {
		r.refuse(b, e)
		return nil
	}
	r.split = true
	for _, p := range parts {
		b.parts = append(b.parts, newBlock(p))
	}
	for _, p := range b.parts {
		if err := r.visit(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// refuse leaves a tag that the device does not know alone for a while.
func (r *round) refuse(b *block, e *frame.Error) {
	reason := tag.ReasonBadAddress
	if e.Code == 1 {
		reason = frame.ExceptionText(e.Code)
	}
	t := r.g.tags[b.Items[0].Tag]
	if b.refused == "" {
		r.g.c.log.Warn("register refused by the device", "device", r.g.dev.Name, "tag", t.Name, "address", t.Address, "err", e)
	}
	b.refused, b.retryAt = reason, time.Now().Add(retryRefused)
	r.fill(b, tag.BadFor(reason), time.Now().UTC())
}
