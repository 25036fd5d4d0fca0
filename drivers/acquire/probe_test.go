package acquire

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/ask"
	"fieldferry/tag"
)

// lent is a fake whose link can be asked.
type lent struct {
	*fake
	probe func(ctx context.Context) error
}

type lentConn struct {
	drivers.Conn
	l *lent
}

func (l *lent) Open(ctx context.Context, link *tag.Link, log *slog.Logger) (drivers.Conn, error) {
	c, err := l.fake.Open(ctx, link, log)
	return lentConn{c, l}, err
}

func (c lentConn) Probe(ctx context.Context, q ask.Query) (ask.Answer, error) {
	c.l.mu.Lock()
	c.l.order = append(c.l.order, "probe")
	c.l.mu.Unlock()
	if err := c.l.probe(ctx); err != nil {
		return ask.Answer{}, err
	}
	return ask.Answer{Outcome: ask.Silent, Code: q.Unit}, nil
}

// TestProbesTakeTurns: a scan over silent units, each of which takes longer
// than the devices' interval, holds no read up for longer than one query.
func TestProbesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &lent{fake: newFake(), probe: sleep(300 * time.Millisecond)}
		f.set("d1", sleep(10*time.Millisecond))
		b := &box{}
		r := New(newLink(1, 200*time.Millisecond), f, b, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := r.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		time.Sleep(time.Second)
		for range 3 { // three people at once
			wg.Go(func() {
				for i := range 20 {
					if a, err := r.Probe(ctx, ask.Query{Unit: i}); err != nil || a.Code != i {
						t.Errorf("probe %d: got %+v, %v", i, a, err)
					}
				}
			})
		}
		time.Sleep(30 * time.Second)
		cancel()
		wg.Wait()
		probes := 0
		for i, what := range f.order {
			if what != "probe" {
				continue
			}
			if probes++; i > 0 && f.order[i-1] == "probe" {
				t.Fatalf("two probes in a row at %d, with a read due: %q", i, f.order)
			}
		}
		if probes != 60 {
			t.Errorf("%d probes, want 60", probes)
		}
		if n := b.count("d1", tag.Bad); n != 0 {
			t.Errorf("%d bad samples, want none", n)
		}
	})
}

// TestProbeFailures: a link that cannot be asked says so, a panic and a lost
// link end the connection and are told, and the schedule goes on.
func TestProbeFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, stop := start(t, newLink(1, time.Second), newFake())
		time.Sleep(time.Millisecond)
		if _, err := r.Probe(t.Context(), ask.Query{}); err == nil || !strings.Contains(err.Error(), "driver fake cannot be asked") {
			t.Errorf("a driver without probes: %v", err)
		}
		stop()
		if _, err := r.Probe(t.Context(), ask.Query{}); !errors.Is(err, drivers.ErrLinkDown) {
			t.Errorf("a stopped link: %v, want ErrLinkDown", err)
		}
	})
	for _, probe := range []func(context.Context) error{
		func(context.Context) error { panic("bug") },
		func(context.Context) error { return drivers.ErrLinkDown },
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &lent{fake: newFake(), probe: probe}
			r := New(newLink(1, time.Second), f, &box{}, slog.New(slog.DiscardHandler))
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { _ = r.Run(ctx) })
			time.Sleep(time.Millisecond)
			if _, err := r.Probe(ctx, ask.Query{}); !errors.Is(err, drivers.ErrLinkDown) {
				t.Errorf("got %v, want ErrLinkDown", err)
			}
			time.Sleep(5 * time.Second)
			cancel()
			wg.Wait()
			if f.opens != 2 || f.count("d1") < 5 {
				t.Errorf("%d connections, %d reads, want 2 and 5 or more", f.opens, f.count("d1"))
			}
		})
	}
}
