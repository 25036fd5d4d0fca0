package acquire

import (
	"context"
	"errors"
	"fmt"

	"fieldferry/drivers"
	"fieldferry/tag"
)

// write is one request on the write lane.
type write struct {
	ctx   context.Context
	tag   *tag.Tag
	value tag.Value
	reply chan writeReply // capacity 1: the link's goroutine never waits for the asker
}

type writeReply struct {
	sample tag.Sample
	err    error
}

// Write writes v, in the device's own units, ahead of the next read, and
// returns what was read back. It blocks until the device has answered or ctx
// ends; ctx ending while the write is under way gives an error that wraps
// drivers.ErrOutcomeUnknown. Nothing is sent to a link that is down or a
// device that is dead. Safe for concurrent use.
func (r *Runner) Write(ctx context.Context, t *tag.Tag, v tag.Value) (tag.Sample, error) {
	s := r.session.Load()
	if s == nil {
		return tag.Sample{}, fmt.Errorf("write %s: %w", t.Path(), drivers.ErrLinkDown)
	}
	w := &write{ctx: ctx, tag: t, value: v, reply: make(chan writeReply, 1)}
	select {
	case s.writes <- w:
	case <-s.gone:
		return tag.Sample{}, fmt.Errorf("write %s: %w", t.Path(), drivers.ErrLinkDown)
	case <-ctx.Done():
		return tag.Sample{}, fmt.Errorf("write %s: the link was busy: %w", t.Path(), ctx.Err())
	}
	rep := <-w.reply
	return rep.sample, rep.err
}

// write carries one request out. Only a lost link is an error of the session.
func (s *session) write(ctx context.Context, w *write) error {
	s.wrote = true
	g, wr, err := s.writer(w.tag)
	if err == nil {
		err = w.ctx.Err()
	}
	if err != nil {
		w.reply <- writeReply{err: fmt.Errorf("write %s: %w", w.tag.Path(), err)}
		return nil
	}
	wctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	var got tag.Sample
	err = errors.New("no outcome")
	ferr := s.r.fence("write", func() error {
		got, err = wr.Write(wctx, w.tag, w.value)
		return nil
	})
	if ferr != nil { // a panic in mid-write: nobody knows how far it got
		err = fmt.Errorf("%w: %w", drivers.ErrOutcomeUnknown, ferr)
	}
	w.reply <- writeReply{sample: got, err: err}
	if err == nil && !got.Value.IsNull() {
		one := []tag.Sample{got}
		if g.stamp(one) == nil {
			s.r.accept(one)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, drivers.ErrLinkDown) {
		return err
	}
	return nil
}

// writer finds the group that can write a tag.
func (s *session) writer(t *tag.Tag) (*group, drivers.Writer, error) {
	for _, g := range s.groups {
		for _, x := range g.tags {
			if x != t {
				continue
			}
			wr, ok := g.g.(drivers.Writer)
			switch {
			case g.dev.dead:
				return nil, nil, &drivers.DeviceError{Device: g.dev.dev.Name, Reason: tag.ReasonDeviceDead, Err: errors.New("it does not answer; nothing was sent")}
			case g.g == nil || !ok:
				return nil, nil, fmt.Errorf("driver %s cannot write it", s.r.link.Driver)
			}
			return g, wr, nil
		}
	}
	return nil, nil, errors.New("no such tag on this link")
}
