package poll

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/plan"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/tag"
)

// Group is the tags of one device that are read together: a lane of its
// station. Its methods are for the goroutine of the link.
type Group struct {
	c        *Line
	st       *station
	dev      *tag.Device
	interval time.Duration // between two reads; zero: never read
	tags     []*tag.Tag
	layouts  []layout.Layout // of tags, by index
	places   []Place         // of tags, by index

	blocks []*block // what is asked, in order
	rides  []ride   // the tags that a faster lane reads
	first  int      // index of the silent block that is asked first
	cycle  uint64   // counts calls of Read
	parted bool     // some blocks are parts of what was planned
}

// block is one request of a group.
type block struct {
	plan.Block
	req     frame.PDU
	cycle   uint64     // in which it was last asked
	ok      bool       // the last request was answered
	silent  bool       // the last request got no usable answer
	refused string     // why the device refused this tag; only a block of one has it
	retryAt time.Time  // when a refused tag is asked for again
	parts   []*block   // what it was taken apart into, in this cycle
	last    wire.Reply // kept for those who ride
}

// ride is the seat of a slow tag in the block of a faster lane.
type ride struct {
	plan.Item
	in    *block
	alone *block // asked when there is no fresh answer to ride in
}

// fresh says that the last answer is one that a read would bring just now. It
// is at most two turns of the fast lane old, or ten on a line that is behind
// its schedule, if that is little to the slow one.
func (r *ride) fresh(now time.Time) bool {
	most := max(2*r.in.Every, min(10*r.in.Every, r.Every/4))
	return !r.in.last.At.IsZero() && now.Sub(r.in.last.At) <= most
}

// The reasons of tags that were not asked for.
const (
	reasonWriteOnly = "write only"
	reasonSorting   = "not read yet: the device refused the block, which is being taken apart"
)

// what names the request for people.
func (b *block) what(unit byte) string {
	if b.Length == 1 {
		return fmt.Sprintf("read %s %d of unit %d", b.Table, b.Start, unit)
	}
	return fmt.Sprintf("read %ss %d-%d of unit %d", b.Table, b.Start, b.Start+b.Length-1, unit)
}

// Read asks for every block of the group.
func (g *Group) Read(ctx context.Context, dst []tag.Sample) ([]tag.Sample, error) {
	base, now := len(dst), time.Now().UTC()
	g.st.refresh(now)
	g.cycle++
	for _, t := range g.tags {
		q := tag.BadFor(tag.ReasonTimeout)
		if !t.Access.Readable() {
			q = tag.BadFor(reasonWriteOnly)
		}
		dst = append(dst, tag.Sample{Tag: t, Quality: q, Time: now})
	}
	r := round{g: g, out: dst[base:], now: now}
	defer r.begin(ctx)()
	err := r.run(ctx)
	if r.split {
		g.flatten()
	}
	g.c.keep()
	return dst, err
}

// flatten puts the parts of blocks that were taken apart in their places.
func (g *Group) flatten() {
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
	g.parted = len(flat) != len(g.blocks)
	g.blocks, g.first = flat, 0
	if at := time.Now().Add(remerge); g.parted && (g.st.until.IsZero() || at.Before(g.st.until)) {
		g.st.until = at
	}
}

// round is one call of Read.
type round struct {
	g        *Group
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
	if err := r.probe(ctx); err != nil {
		return err
	}
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
	return r.ride(ctx)
}

// probe asks a device that has fallen silent altogether for one tag alone,
// every second time: it may be a whole block that it does not answer, since it
// lacks a register of it.
func (r *round) probe(ctx context.Context) error {
	blocks := r.g.blocks
	if len(blocks) == 0 || r.g.cycle%2 == 0 || slices.ContainsFunc(blocks, func(b *block) bool { return !b.silent }) {
		return nil
	}
	b := blocks[r.g.first%len(blocks)]
	if len(b.Items) < 2 {
		return nil
	}
	it := b.Items[int(r.g.cycle/2)%len(b.Items)]
	return r.visit(ctx, r.g.st.newBlock(plan.Block{Table: it.Table, Start: it.Start, Length: it.Length, Every: b.Every, Items: []plan.Item{it}}))
}

// ride takes the tags that a faster lane reads out of its last answers, and
// asks for those alone whose answer is missing.
func (r *round) ride(ctx context.Context) error {
	for i := range r.g.rides {
		rd := &r.g.rides[i]
		if rd.fresh(r.now) {
			r.answered = true
			r.put(rd.Item, rd.in.last, rd.in.Start)
			continue
		}
		if err := r.visit(ctx, rd.alone); err != nil {
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
	b.cycle, b.ok = r.g.cycle, false
	if b.refused != "" && r.now.Before(b.retryAt) {
		r.fill(b, tag.BadFor(b.refused), r.now)
		return nil
	}
	reply, err := r.ask(ctx, b)
	if err != nil {
		return r.failed(ctx, b, AsFrame(err))
	}
	r.take(b, reply)
	return nil
}

// take takes the tags of the lane out of an answer, and keeps it for those who
// ride.
func (r *round) take(b *block, reply wire.Reply) {
	r.answered, b.ok, b.silent, b.last = true, true, false, reply
	for _, it := range b.Items {
		r.put(it, reply, b.Start)
	}
	if b.refused != "" {
		b.refused = ""
		r.g.c.Log.Info("register is there again", "device", r.g.dev.Name, "tag", r.tagOf(b).Name)
	}
	if r.g.st.watch {
		r.healed(b)
	}
}

// tagOf is the first tag of a block.
func (r *round) tagOf(b *block) *tag.Tag {
	ref := r.g.st.refs[b.Items[0].Tag]
	return ref.g.tags[ref.i]
}

// put takes an item out of an answer that begins with the register or bit
// start, if it is a tag of this lane.
func (r *round) put(it plan.Item, reply wire.Reply, start int) {
	ref := r.g.st.refs[it.Tag]
	if ref.g != r.g {
		return
	}
	for _, i := range r.g.places[ref.i].Members {
		Decode(&r.out[i], &r.g.layouts[i], reply, start)
	}
}

// fill marks every tag of a block that is one of the lane.
func (r *round) fill(b *block, q tag.Quality, at time.Time) {
	for _, it := range b.Items {
		ref := r.g.st.refs[it.Tag]
		if ref.g != r.g {
			continue
		}
		for _, i := range r.g.places[ref.i].Members {
			s := &r.out[i]
			s.Value, s.Quality, s.Time = tag.Value{}, q, at
		}
	}
}

// failed deals with a request that brought no values.
func (r *round) failed(ctx context.Context, b *block, e *frame.Error) error {
	what := b.what(r.g.st.unit)
	switch {
	case e.Kind == frame.LinkDown:
		return fmt.Errorf("%w: %s: %w", drivers.ErrLinkDown, what, e)
	case e.Kind == frame.Cancelled:
		return fmt.Errorf("%s: %w", what, e)
	case e.Kind == frame.Exception && !OfGateway(e.Code) && !e.Suspect:
		r.answered, b.silent = true, false
		return r.exception(ctx, b, e)
	}
	r.misses++
	again := b.silent
	b.silent = true
	reason := Reason(e)
	r.fill(b, tag.BadFor(reason), time.Now().UTC())
	if r.answered {
		if again {
			r.part(b)
		}
		return nil
	}
	return &drivers.DeviceError{Device: r.g.dev.Name, Reason: reason, Err: fmt.Errorf("%s: %w", what, e)}
}

// OfGateway says that an exception comes from a gateway, whose unit does
// not answer it either (Modbus Application Protocol V1.1b3 §7).
func OfGateway(code byte) bool { return code == 10 || code == 11 }

// Reason is what a bad sample says of a missing or unusable answer.
func Reason(e *frame.Error) string {
	switch {
	case e.Kind == frame.Timeout:
		return tag.ReasonTimeout
	case e.Kind == frame.Exception && OfGateway(e.Code):
		return frame.ExceptionText(e.Code)
	}
	return "bad answer"
}

// Decode takes a tag out of an answer that begins with the register or bit
// start.
func Decode(s *tag.Sample, l *layout.Layout, reply wire.Reply, start int) {
	v, err := l.Decode(reply.Data, l.Number-start)
	s.Value, s.Quality, s.Time = v, tag.OK(), reply.At
	switch {
	case err != nil && v.IsNull():
		s.Quality = tag.BadFor(layout.Reason(err))
	case err != nil:
		s.Quality = tag.UncertainFor(layout.ReasonParts)
	}
}
