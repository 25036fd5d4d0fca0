package publish

import (
	"sync"

	"github.com/gopcua/opcua/ua"
)

// Item is one value of a monitored item.
type Item struct {
	Key   int // the caller's name for it, given to Watch
	Value *ua.DataValue
}

// Part is what one message of a subscription has for one group.
type Part struct {
	Items []Item
	msg   *message
	hub   *Hub
}

// Done says that the group handed the part over. When all groups have, the
// server may forget the message.
func (p Part) Done() { p.hub.done(p.msg) }

// message counts the parts of a message that are not handed over.
type message struct {
	sub   *subscription
	seq   uint32
	parts int // guarded by Hub.mu
}

// Inbox is where the parts for one group wait. It never blocks the sender;
// its size is bounded by the hub, which stops asking.
type Inbox struct {
	wake chan struct{} // sent to by the hub, never closed; capacity 1

	mu    sync.Mutex // guards the fields below
	parts []Part
	err   error
}

// NewInbox returns an empty inbox.
func NewInbox() *Inbox { return &Inbox{wake: make(chan struct{}, 1)} }

// Wake is ready after something changed: parts, or an end.
func (b *Inbox) Wake() <-chan struct{} { return b.wake }

// Take removes the oldest part.
func (b *Inbox) Take() (Part, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.parts) == 0 {
		return Part{}, false
	}
	p := b.parts[0]
	b.parts[0] = Part{}
	if b.parts = b.parts[1:]; len(b.parts) == 0 {
		b.parts = nil
	}
	return p, true
}

// Err tells why no more parts will come; nil while they may.
func (b *Inbox) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// change runs f under the lock and wakes the group.
func (b *Inbox) change(f func()) {
	b.mu.Lock()
	f()
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
