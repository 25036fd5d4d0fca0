// Package backup keeps a second address of a link in hand: it tells which of
// the two to try first, and brings a link that runs on its backup back to the
// first address once a device answers there.
//
// A Link starts one goroutine while it runs on its backup; Close waits for it.
package backup

import (
	"context"
	"sync"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

// Choice remembers, from one connection of a link to the next, which address
// was no good. Its methods may be called by any goroutine.
type Choice struct {
	mu     sync.Mutex // guards the field below
	second bool       // the first address was no good the last time
}

// Order is the order in which to try two addresses.
func (c *Choice) Order() (first, then int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.second {
		return 1, 0
	}
	return 0, 1
}

// ended notes which address the next connection is to begin with: the other
// one, unless this one was good for an answer.
func (c *Choice) ended(which int, answered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.second = (which == 1) == answered
}

// Dial connects to the first address of a link.
type Dial func(ctx context.Context) (wire.Link, error)

// trial bounds one attempt to get an answer at the first address.
const trial = 10 * time.Second

// Link is a link that has two addresses. It uses one of them, and moves from
// the second to the first between two requests, once the first answers the
// request that the second answered last.
type Link struct {
	choice *Choice
	stop   context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	now      wire.Link
	which    int       // 0: on the first address
	better   wire.Link // answers at the first address; takes over when no request is under way
	under    int       // requests under way
	answered bool      // on the address in use
	last     question
	past     wire.Stats // of the link before
	closed   bool
}

// question is a read that was answered.
type question struct {
	unit byte
	req  frame.PDU
}

// New takes over a link that was made to one (0 or 1) of two addresses. While
// it is the second, the first is tried every so often.
func New(link wire.Link, which int, choice *Choice, every time.Duration, first Dial) *Link {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Link{choice: choice, stop: cancel, now: link, which: which}
	if which == 1 {
		l.wg.Go(func() { l.returnTo(ctx, every, first) })
	}
	return l
}

// Exchange asks at the address in use.
func (l *Link) Exchange(ctx context.Context, unit byte, req frame.PDU) (wire.Reply, error) {
	link := l.enter()
	reply, err := link.Exchange(ctx, unit, req)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.under--
	if err == nil {
		l.answered = true
		if req.Reads() {
			l.last = question{unit, req}
		}
	}
	return reply, err
}

// enter begins a request, on the better link where there is one.
func (l *Link) enter() wire.Link {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.better != nil && l.under == 0 {
		old := l.now
		l.past = l.past.Plus(old.Stats())
		l.now, l.better, l.which = l.better, nil, 0
		l.wg.Go(func() { _ = old.Close() }) // nothing is left to be said on it
	}
	l.under++
	return l.now
}

// Close ends the link.
func (l *Link) Close() error {
	l.stop()
	l.mu.Lock()
	links := []wire.Link{l.now, l.better}
	if !l.closed {
		l.choice.ended(l.which, l.answered)
	}
	l.better, l.closed = nil, true
	l.mu.Unlock()
	var err error
	for _, x := range links {
		if x != nil {
			err = x.Close()
		}
	}
	l.wg.Wait()
	return err
}

// Stats tells what has been seen at both addresses.
func (l *Link) Stats() wire.Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.past.Plus(l.now.Stats())
}

// returnTo tries the first address until it answers.
func (l *Link) returnTo(ctx context.Context, every time.Duration, first Dial) {
	for wire.Pause(ctx, every) {
		l.mu.Lock()
		q := l.last
		l.mu.Unlock()
		if q.req.Function == 0 {
			continue // nothing is known that could be asked there
		}
		if link := answers(ctx, q, first); link != nil {
			l.offer(link)
			return
		}
	}
}

// answers connects to the first address and asks there; nil without an answer.
func answers(ctx context.Context, q question, first Dial) wire.Link {
	ctx, cancel := context.WithTimeout(ctx, trial)
	defer cancel()
	link, err := first(ctx)
	if err != nil {
		return nil
	}
	if _, err := link.Exchange(ctx, q.unit, q.req); err != nil {
		_ = link.Close() // it is not used
		return nil
	}
	return link
}

// offer has the next request move to a link.
func (l *Link) offer(link wire.Link) {
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.better = link
	}
	l.mu.Unlock()
	if closed {
		_ = link.Close() // it came too late
	}
}
