package acquire

import (
	"context"
	"errors"
	"time"

	"fieldferry/drivers"
	"fieldferry/tag"
)

// subscribe lets the device push, in a goroutine that ends with ctx or with
// the subscription.
func (s *session) subscribe(ctx context.Context, g *group) {
	s.r.sinkMu.Lock()
	s.r.sink.Pushed(g.tags)
	s.r.sinkMu.Unlock()
	s.subs.Go(func() {
		told := false
		err := s.r.fence("subscribe", func() error {
			return g.sub.Subscribe(ctx, func(got []tag.Sample) {
				if !told {
					told = true
					s.tell(ctx, subEnd{g, nil})
				}
				s.pushed(g, got)
			})
		})
		if err == nil && ctx.Err() == nil {
			err = errors.New("the subscription ended without a reason")
		}
		if err != nil {
			s.tell(ctx, subEnd{g, err})
		}
	})
}

func (s *session) tell(ctx context.Context, e subEnd) {
	select {
	case s.ended <- e:
	case <-ctx.Done():
	}
}

// pushed takes what a device sent by itself.
func (s *session) pushed(g *group, got []tag.Sample) {
	if len(got) == 0 {
		return
	}
	if err := g.stamp(got); err != nil {
		panic(err) // caught by the fence; the link is opened anew
	}
	g.dev.stats.answered(time.Now(), 0)
	s.r.accept(got)
}

// subEnded decides what news of a subscription means.
func (s *session) subEnded(ctx context.Context, e subEnd) error {
	d, now := e.g.dev, time.Now()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(e.err, drivers.ErrLinkDown):
		return e.err
	case e.err == nil:
		s.alive(d, now, 0)
		return nil
	}
	// One lost subscription is a dead device at once: nothing else would
	// tell that its values stand still.
	e.g.subPaused = true
	s.missed(e.g, e.err)
	for !d.dead {
		s.missed(e.g, e.err)
	}
	return nil
}
