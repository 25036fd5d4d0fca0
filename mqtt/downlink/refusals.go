package downlink

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"fieldferry/command"
)

const (
	refusalRate   = 20  // refusals recorded one by one in a second; more are counted
	refusalQueue  = 256 // refusals that wait for a slow audit; more are counted
	refusalLength = 256 // bytes of a name or a reason in the audit
)

// refusals hands what is refused here to the audit. Whoever refuses does not
// wait for it, and a flood is recorded as a number: at most refusalRate and a
// sum per second.
type refusals struct {
	to     Commander
	source string
	wake   chan struct{} // capacity 1; sent to when there is something to do, never closed
	stop   chan struct{} // closed by end
	ended  chan struct{} // closed by run

	mu     sync.Mutex // guards the fields below
	queue  []refusal  // in the order of their arrival
	since  time.Time  // when the second under way began
	count  int        // of it, without those that are only counted
	more   int        // of it: only counted
	last   string     // why the last of them was refused
	closed bool       // run has ended or is about to
}

type refusal struct {
	req    command.Request
	reason string
}

func newRefusals(to Commander, source string) *refusals {
	return &refusals{to: to, source: source,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{})}
}

// add has a refusal recorded. It does not block, but after end.
func (r *refusals) add(req command.Request, reason string) {
	req.ID, req.Device, req.Tag = clip(req.ID), clip(req.Device), clip(req.Tag)
	if reason = clip(reason); !r.enter(req, reason) {
		r.to.Refuse(req, reason)
		return
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// enter returns false when nobody empties the queue any more.
func (r *refusals) enter(req command.Request, reason string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	now := time.Now()
	if now.Sub(r.since) >= time.Second {
		r.sumLocked(now)
		r.since, r.count = now, 0
	}
	if r.count >= refusalRate || len(r.queue) >= refusalQueue {
		r.more, r.last = r.more+1, reason
		return true
	}
	r.count++
	r.queue = append(r.queue, refusal{req, reason})
	return true
}

// sumLocked enters what was only counted, one for all.
func (r *refusals) sumLocked(now time.Time) {
	if r.more == 0 || len(r.queue) > refusalQueue {
		return // it is added to the next sum
	}
	r.queue = append(r.queue, refusal{command.Request{Source: r.source, Received: now},
		fmt.Sprintf("... and %d more refused, the last one because: %s", r.more, r.last)})
	r.more = 0
}

// take takes the queue, and tells how long a sum has yet to wait, 0 if there
// is none. At the end nothing waits.
func (r *refusals) take(end bool) ([]refusal, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	list := r.queue
	r.queue = nil
	if r.more == 0 {
		r.closed = end
		return list, 0
	}
	left := time.Second - now.Sub(r.since)
	if left > 0 && !end {
		return list, left
	}
	r.sumLocked(now)
	r.closed = end
	list = append(list, r.queue...)
	r.queue = nil
	return list, 0
}

// run records until end.
func (r *refusals) run() {
	defer close(r.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for last := false; !last; {
		select {
		case <-r.wake:
		case <-timer.C:
		case <-r.stop:
			last = true
		}
		list, left := r.take(last)
		for i := range list {
			r.to.Refuse(list[i].req, list[i].reason)
		}
		if left > 0 {
			timer.Reset(left)
		}
	}
}

// end records the rest and waits for it. It is called once.
func (r *refusals) end() {
	close(r.stop)
	<-r.ended
}

// clip shortens what a sender has made long.
func clip(s string) string {
	if len(s) <= refusalLength {
		return s
	}
	return strings.ToValidUTF8(s[:refusalLength], "") + "..."
}
