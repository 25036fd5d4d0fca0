// Package ahead has several requests of one reader under way at once on a link
// that can do that, while the reader still takes the answers one by one.
//
// A Link starts up to as many goroutines as requests may be under way; Close
// waits for them.
package ahead

import (
	"context"
	"sync"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

// Question is a request that will be asked for.
type Question struct {
	Unit byte
	PDU  frame.PDU
}

// Link answers questions that were announced from what has already been asked.
// Exchange is called by one goroutine.
type Link struct {
	link   wire.Link
	stop   context.CancelFunc
	wg     sync.WaitGroup
	coming []*answer
}

// answer is one that is on its way.
type answer struct {
	q     Question
	done  chan struct{} // closed when the rest is set
	reply wire.Reply
	err   error
}

// New begins to ask, with so many requests under way at once.
func New(ctx context.Context, link wire.Link, depth int, questions []Question) *Link {
	l := &Link{link: link, stop: func() {}}
	if depth < 2 || len(questions) < 2 {
		return l
	}
	ctx, l.stop = context.WithCancel(ctx)
	for _, q := range questions {
		l.coming = append(l.coming, &answer{q: q, done: make(chan struct{})})
	}
	next := make(chan *answer, len(l.coming))
	for _, a := range l.coming {
		next <- a
	}
	close(next)
	for range min(depth, len(l.coming)) {
		l.wg.Go(func() {
			for a := range next {
				a.reply, a.err = link.Exchange(ctx, a.q.Unit, a.q.PDU)
				close(a.done)
			}
		})
	}
	return l
}

// Exchange returns the answer to a question that was announced, each once; any
// other request is made now.
func (l *Link) Exchange(ctx context.Context, unit byte, req frame.PDU) (wire.Reply, error) {
	for i, a := range l.coming {
		if a.q.Unit != unit || a.q.PDU.Function != req.Function || string(a.q.PDU.Data) != string(req.Data) {
			continue
		}
		l.coming = append(l.coming[:i], l.coming[i+1:]...)
		select {
		case <-a.done:
			return a.reply, a.err
		case <-ctx.Done():
			return wire.Reply{}, wire.Cancelled(ctx)
		}
	}
	return l.link.Exchange(ctx, unit, req)
}

// Close gives up what nobody has taken, and waits for it to end.
func (l *Link) Close() {
	l.stop()
	l.wg.Wait()
}
