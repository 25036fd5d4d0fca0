package publish

import (
	"time"

	"github.com/gopcua/opcua/ua"
)

// maxGap is the largest number of messages that are fetched again; a server
// that jumps further is believed to have lost them.
const maxGap = 1000

// order puts the messages of one subscription into the sequence in which the
// server made them. Answers to several Publish requests reach us out of
// order: by the network not, but by our own goroutines.
type order struct {
	next  uint32                             // the sequence number that comes next; the first is 1
	held  map[uint32]*ua.NotificationMessage // messages that came too early
	upTo  uint32                             // messages before this one exist: a keep-alive told; 0: unknown
	since time.Time                          // when next was first seen to be missing; zero: nothing is missing
}

func newOrder() order {
	return order{next: 1, held: map[uint32]*ua.NotificationMessage{}}
}

// after is the sequence number behind n: 0 is never used (Part 4, 7.26).
func after(n uint32) uint32 {
	if n++; n == 0 {
		return 1
	}
	return n
}

// ahead is how many messages lie between next and n; negative when n is past.
func (o *order) ahead(n uint32) int64 {
	d := int64(int32(n - o.next))
	if d > 0 && n < o.next { // 0 was skipped
		d--
	}
	return d
}

// take accepts a message and returns those that are now in sequence. known
// says that it had been here before.
func (o *order) take(m *ua.NotificationMessage, now time.Time) (ready []*ua.NotificationMessage, known bool) {
	switch d := o.ahead(m.SequenceNumber); {
	case d < 0 || o.held[m.SequenceNumber] != nil:
		return nil, true
	case d > 0:
		o.held[m.SequenceNumber] = m
		o.miss(now)
		return nil, false
	}
	o.next = after(o.next)
	return append([]*ua.NotificationMessage{m}, o.release(now)...), false
}

// release returns what follows in sequence now that next moved on.
func (o *order) release(now time.Time) (ready []*ua.NotificationMessage) {
	for m := o.held[o.next]; m != nil; m = o.held[o.next] {
		delete(o.held, o.next)
		ready = append(ready, m)
		o.next = after(o.next)
	}
	if o.upTo != 0 && o.ahead(o.upTo) <= 0 {
		o.upTo = 0
	}
	o.since = time.Time{}
	if len(o.held) > 0 || o.upTo != 0 {
		o.since = now
	}
	return ready
}

// keepAlive takes the number that the server will use next: everything before
// it was sent.
func (o *order) keepAlive(next uint32, now time.Time) {
	if d := o.ahead(next); d > 0 && (o.upTo == 0 || d > o.ahead(o.upTo)) {
		o.upTo = next
		o.miss(now)
	}
}

func (o *order) miss(now time.Time) {
	if o.since.IsZero() {
		o.since = now
	}
}

// missing says which message is missing for longer than a time.
func (o *order) missing(now time.Time, patience time.Duration) (uint32, bool) {
	return o.next, !o.since.IsZero() && now.Sub(o.since) >= patience
}

// skip gives the message next up and returns what follows and how many
// messages are lost: more than one when the gap is too large to be fetched.
func (o *order) skip(now time.Time) (ready []*ua.NotificationMessage, lost int64) {
	if gap := o.gap(); gap > maxGap {
		lost = gap
		o.next = o.resume()
	} else {
		lost = 1
		o.next = after(o.next)
	}
	return o.release(now), lost
}

// resume is the first number at or behind next that is not missing.
func (o *order) resume() uint32 {
	best, at := int64(-1), o.next
	for n := range o.held {
		if d := o.ahead(n); best < 0 || d < best {
			best, at = d, n
		}
	}
	if best < 0 && o.upTo != 0 {
		at = o.upTo
	}
	return at
}

// gap is how many messages are missing before the first one held.
func (o *order) gap() int64 { return o.ahead(o.resume()) }
