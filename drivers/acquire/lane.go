package acquire

import (
	"context"
	"errors"
	"fmt"

	"fieldferry/drivers"
	"fieldferry/tag"
)

// job is one request on the lane that goes ahead of the next read.
type job struct {
	ctx   context.Context
	tag   *tag.Tag // nil: it is about the link
	do    func(ctx context.Context, s *session, g *group) (tag.Sample, error)
	reply chan reply // capacity 1: the link's goroutine never waits for the asker
}

type reply struct {
	sample tag.Sample
	err    error
}

// Write writes v, in the device's own units, ahead of the next read, and
// returns what was read back. It blocks until the device has answered or ctx
// ends; ctx ending while the write is under way gives an error that wraps
// drivers.ErrOutcomeUnknown. Nothing is sent to a link that is down or a
// device that is dead. Safe for concurrent use.
func (r *Runner) Write(ctx context.Context, t *tag.Tag, v tag.Value) (tag.Sample, error) {
	return r.ask(ctx, "write "+t.Path(), t, func(ctx context.Context, s *session, g *group) (tag.Sample, error) {
		return s.write(ctx, g, t, v)
	})
}

// Read asks the device for one tag ahead of its schedule and returns what it
// answered, in the device's own units. The sample goes to the caller alone.
// It blocks like Write. Safe for concurrent use.
func (r *Runner) Read(ctx context.Context, t *tag.Tag) (tag.Sample, error) {
	return r.ask(ctx, "read "+t.Path(), t, func(ctx context.Context, s *session, g *group) (tag.Sample, error) {
		return s.readOne(ctx, g, t)
	})
}

func (r *Runner) ask(ctx context.Context, what string, t *tag.Tag, do func(context.Context, *session, *group) (tag.Sample, error)) (tag.Sample, error) {
	s := r.session.Load()
	if s == nil {
		return tag.Sample{}, fmt.Errorf("%s: %w", what, drivers.ErrLinkDown)
	}
	j := &job{ctx: ctx, tag: t, do: do, reply: make(chan reply, 1)}
	select {
	case s.jobs <- j:
	case <-s.gone:
		return tag.Sample{}, fmt.Errorf("%s: %w", what, drivers.ErrLinkDown)
	case <-ctx.Done():
		return tag.Sample{}, fmt.Errorf("%s: the link was busy: %w", what, ctx.Err())
	}
	rep := <-j.reply
	if rep.err != nil {
		return rep.sample, fmt.Errorf("%s: %w", what, rep.err)
	}
	return rep.sample, nil
}

// carry does one job. Only a lost link is an error of the session.
func (s *session) carry(ctx context.Context, j *job) error {
	s.carried = true
	var g *group
	var err error
	if j.tag != nil {
		g, err = s.groupOf(j.tag)
	}
	if err == nil {
		err = j.ctx.Err()
	}
	if err != nil {
		j.reply <- reply{err: err}
		return nil
	}
	jctx, cancel := context.WithCancel(j.ctx)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	got, err := j.do(jctx, s, g)
	j.reply <- reply{sample: got, err: err}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, drivers.ErrLinkDown) {
		return err
	}
	return nil
}

// groupOf finds the group of a tag whose device can be asked.
func (s *session) groupOf(t *tag.Tag) (*group, error) {
	for _, g := range s.groups {
		for _, x := range g.tags {
			if x != t {
				continue
			}
			if g.dev.dead {
				return nil, &drivers.DeviceError{Device: g.dev.dev.Name, Reason: tag.ReasonDeviceDead, Err: errors.New("it does not answer; nothing was sent")}
			}
			return g, nil
		}
	}
	return nil, errors.New("no such tag on this link")
}

// write writes one tag and delivers what was read back.
func (s *session) write(ctx context.Context, g *group, t *tag.Tag, v tag.Value) (tag.Sample, error) {
	wr, ok := g.g.(drivers.Writer)
	if !ok {
		return tag.Sample{}, fmt.Errorf("driver %s cannot write it", s.r.link.Driver)
	}
	var got tag.Sample
	var err error
	if ferr := s.r.call("write", func() error {
		got, err = wr.Write(ctx, t, v)
		return nil
	}); ferr != nil { // a panic in mid-write: nobody knows how far it got
		return got, fmt.Errorf("%w: %w", drivers.ErrOutcomeUnknown, ferr)
	}
	if err == nil && !got.Value.IsNull() {
		one := []tag.Sample{got}
		if err := g.stamp(one); err != nil {
			return tag.Sample{}, err
		}
		s.r.accept(one)
	}
	return got, err
}

// readOne plans and reads one tag by itself.
func (s *session) readOne(ctx context.Context, g *group, t *tag.Tag) (got tag.Sample, err error) {
	err = s.r.call("read", func() error {
		one, err := s.conn.Prepare(ctx, t.Device, []*tag.Tag{t})
		if err != nil {
			return err
		}
		all, err := one.Read(ctx, nil)
		if err != nil {
			return err
		}
		if len(all) != 1 {
			return fmt.Errorf("%w: the driver returned %d samples of one tag", drivers.ErrLinkDown, len(all))
		}
		if err := g.stamp(all); err != nil {
			return err
		}
		got = all[0]
		return nil
	})
	return got, err
}
