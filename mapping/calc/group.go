package calc

import (
	"context"
	"sync"
	"time"

	"fieldferry/live"
	"fieldferry/tag"
)

const (
	// gatherMax is the longest that a change waits for others: the answers
	// of one read cycle arrive one after the other.
	gatherMax = 50 * time.Millisecond

	// startLimit is how long a computed tag waits for the first read of all
	// its sources before it says that they are missing.
	startLimit = 5 * time.Second

	// minInterval bounds the work for a tag whatever its interval.
	minInterval = 10 * time.Millisecond
)

// group computes the tags of one device and sampling interval.
type group struct {
	conn     *conn
	interval time.Duration

	mu      sync.Mutex // guards readers: a read may come while Subscribe runs
	readers []*reader
}

// Read computes all tags of the group now.
func (g *group) Read(ctx context.Context, dst []tag.Sample) ([]tag.Sample, error) {
	if err := g.conn.down(); err != nil {
		return dst, err
	}
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.readers {
		dst = append(dst, r.compute(r.gather()))
	}
	return dst, nil
}

// Subscribes is always true: computed tags wake on their sources.
func (g *group) Subscribes() bool { return true }

// Subscribe computes tags when their sources change, until ctx ends or the
// link is closed.
func (g *group) Subscribe(ctx context.Context, emit func([]tag.Sample)) error {
	wake, stop := g.conn.store.Watch(g.cells())
	defer stop()
	interval := max(g.interval, minInterval)
	last := time.Now().Add(-interval)
	due, limit := time.NewTimer(0), time.NewTimer(startLimit)
	defer due.Stop()
	defer limit.Stop()
	var buf []tag.Sample
	compute := func(which need) {
		last = time.Now()
		if buf = g.changes(buf[:0], which); len(buf) > 0 {
			emit(buf)
		}
	}
	armed, which := true, allRead // armed: due will fire
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-g.conn.closed:
			return g.conn.down()
		case <-wake:
			if !armed {
				armed = true
				due.Reset(max(min(interval/4, gatherMax), time.Until(last.Add(interval))))
			}
		case <-due.C:
			armed = false
			compute(which)
		case <-limit.C:
			which = someRead
			compute(which)
		}
	}
}

// need is what a tag needs to be computed.
type need uint8

const (
	allRead  need = iota // every source was read since the start, well or badly
	someRead             // those never read count as bad
)

// changes computes the tags whose sources changed.
func (g *group) changes(dst []tag.Sample, which need) []tag.Sample {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.readers {
		version := r.sourceVersion() // first: a Set that comes in between is seen next time
		if version == r.version {
			continue
		}
		in := r.gather()
		if which == allRead && in.unread > 0 {
			continue
		}
		r.version = version
		dst = append(dst, r.compute(in))
	}
	return dst
}

// cells returns every source of the group once.
func (g *group) cells() []*live.Cell {
	seen := map[*live.Cell]bool{}
	var cells []*live.Cell
	for _, r := range g.readers {
		for _, c := range r.cells {
			if !seen[c] {
				seen[c] = true
				cells = append(cells, c)
			}
		}
	}
	return cells
}
