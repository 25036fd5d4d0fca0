package poll

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/learn"
	"fieldferry/drivers/modbus/plan"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/tag"
)

// A refusal is learnt from only after the same request was refused again,
// confirmAfter later. One that is granted then came too soon after the request
// before; a device that does so tooOften is given a pause from then on.
const (
	confirmAfter = 100 * time.Millisecond
	tooOften     = 3
)

// leastBudget is how long a block may be taken apart at least, in one round.
const leastBudget = 500 * time.Millisecond

// exception deals with a refusal. An exception says nothing about the single
// tags of a block, so a block of several is taken apart, within the time of
// this round, until those that the device refuses stand alone.
func (r *round) exception(ctx context.Context, b *block, e *frame.Error) error {
	if !refusal(e) {
		r.fill(b, tag.BadFor(frame.ExceptionText(e.Code)), time.Now().UTC())
		return nil
	}
	if len(b.Items) < 2 {
		r.refuse(b, e)
		return nil
	}
	r.part(b)
	if time.Since(r.now) > max(r.g.interval, leastBudget) {
		r.fill(b, tag.BadFor(reasonSorting), time.Now().UTC())
		return nil
	}
	for _, p := range b.parts {
		p.silent = false
		if err := r.visit(ctx, p); err != nil {
			return err
		}
	}
	if !b.parts[0].ok || !b.parts[1].ok {
		return nil // the cause is in there
	}
	return r.conclude(ctx, b, e)
}

// refusal says that an exception means what was asked for: illegal function,
// address or value. A busy or broken device says nothing about it, and one
// that may belong to an earlier request neither.
func refusal(e *frame.Error) bool {
	return e.Kind == frame.Exception && !e.Suspect && e.Code >= 1 && e.Code <= 3
}

// part takes a block apart in two; with nothing learnt they are put together
// again after a while.
func (r *round) part(b *block) {
	for _, p := range b.Split() {
		nb := r.g.st.newBlock(p)
		nb.silent, nb.cycle = b.silent, b.cycle
		b.parts = append(b.parts, nb)
	}
	r.split = r.split || b.parts != nil
}

// why is what is written beside a fact.
func why(e *frame.Error, r plan.Range) string {
	return fmt.Sprintf("exception %d (%s) to a read of %d at %d", e.Code, frame.ExceptionText(e.Code), r.Length, r.Start)
}

// reasonRefused is the reason of a tag, from why it was refused.
func reasonRefused(why string) string {
	if strings.HasPrefix(why, "exception 1 ") {
		return frame.ExceptionText(1)
	}
	return tag.ReasonBadAddress
}

// refuse leaves a tag that the device does not know alone for a while.
func (r *round) refuse(b *block, e *frame.Error) {
	t := r.tagOf(b)
	if b.refused == "" {
		r.g.c.Log.Warn("register refused by the device", "device", r.g.dev.Name, "tag", t.Name, "address", t.Address, "err", e)
	}
	text := why(e, b.Range())
	b.refused, b.retryAt = reasonRefused(text), r.g.st.facts.Hole(b.Range(), learn.OfTag, text, time.Now())
	r.fill(b, tag.BadFor(b.refused), time.Now().UTC())
}

// conclude finds out why a block was refused whose two parts were answered: it
// came too soon, it is too long, or something between the parts is not there.
func (r *round) conclude(ctx context.Context, b *block, e *frame.Error) error {
	st := r.g.st
	limits, _ := st.facts.Limits(st.limits, time.Now())
	if most := limits.Max[b.Table]; most > 0 && most < b.Length {
		return nil // that has been learnt a moment ago
	}
	if !wire.Pause(ctx, confirmAfter) {
		return nil
	}
	reply, err := st.exchange(ctx, b.Table, b.Length, b.req)
	if err == nil {
		r.take(b, reply)
		b.parts = nil
		st.toldTooSoon(why(e, b.Range()))
		return nil
	}
	if again := AsFrame(err); !refusal(again) {
		return r.noAnswer(again)
	}
	return r.blame(ctx, b, e)
}

// toldTooSoon counts a refusal that a pause cured.
func (s *station) toldTooSoon(why string) {
	if s.tooSoon++; s.tooSoon < tooOften {
		return
	}
	s.tooSoon = 0
	p := max(confirmAfter, 2*s.facts.Pause())
	s.facts.NeedsPause(p, why+", which was answered after a pause", time.Now())
	s.c.Log.Info("device needs a pause between requests", "device", s.dev.Name, "pause", p)
}

// blame asks across the border of the two parts, for as little as possible. If
// that is refused, it is what lies there; if not, the block is too long.
func (r *round) blame(ctx context.Context, b *block, e *frame.Error) error {
	st, p, q := r.g.st, &b.parts[0].Block, &b.parts[1].Block
	gap, apart := plan.Between(p, q)
	if !apart {
		return nil
	}
	bridge := plan.Bridge(p, q)
	there := st.answered[b.Table] >= b.Length // longer ones are answered: it is not the length
	switch {
	case there:
	case bridge == b.Range(): // it was just that
		there = e.Code == 2 && gap.Length > 0
	default:
		_, err := st.exchange(ctx, bridge.Table, bridge.Length, frame.Read(bridge.Table.ReadFunction(), bridge.Start, bridge.Length))
		if f := AsFrame(err); err != nil && !refusal(f) {
			return r.noAnswer(f)
		}
		there = err != nil
	}
	if there {
		st.facts.Hole(gap, learn.OfGap, why(e, b.Range()), time.Now())
	} else {
		st.facts.Limit(b.Table, st.answered[b.Table], b.Length, why(e, b.Range()), time.Now())
	}
	return nil
}

// noAnswer ends an attempt to learn; only a lost link or an ended context ends
// the round.
func (r *round) noAnswer(e *frame.Error) error {
	switch e.Kind {
	case frame.LinkDown:
		return fmt.Errorf("%w: %w", drivers.ErrLinkDown, e)
	case frame.Cancelled:
		return e
	}
	r.misses++
	return nil
}

// healed forgets what an answer disproves.
func (r *round) healed(b *block) {
	for _, id := range r.g.st.facts.Answered(b.Range()) {
		r.g.c.Log.Info("device answers what it refused", "device", r.g.dev.Name, "fact", id)
	}
}
