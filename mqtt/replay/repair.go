package replay

import (
	"maps"
	"sync"

	"fieldferry/mapping/payload"
)

// Repairs remembers, per topic, the newest sample that was sent as history
// and that no current value has followed yet, nor gone before: what waits may
// be sent behind newer samples. It outlives connections.
type Repairs struct {
	mu    sync.Mutex        // guards the fields below
	top   map[string]uint64 // number of the newest sample that was sent as a current value
	open  map[string]payload.Item
	sent  map[string]payload.Item // being sent as current values, not yet acknowledged
	token uint64                  // of the last of them
	all   bool                    // all of them are sent
}

// Behind notes a sample that was sent as history. One that is older than what
// was sent is none to repair; the newest itself is, since it comes again only
// if the broker may not have it.
func (r *Repairs) Behind(topic string, it payload.Item) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if it.Seq < max(r.top[topic], r.open[topic].Seq) {
		return
	}
	if r.open == nil {
		r.open = map[string]payload.Item{}
	}
	r.open[topic] = it
}

// Current notes that a current value is being sent: nothing is left to repair.
func (r *Repairs) Current(topic string, seq uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[topic].Seq <= seq {
		delete(r.open, topic)
	}
	r.raiseLocked(topic, seq)
}

func (r *Repairs) raiseLocked(topic string, seq uint64) {
	if r.top == nil {
		r.top = map[string]uint64{}
	}
	r.top[topic] = max(r.top[topic], seq)
}

// Passed says that a newer sample was sent as the current value.
func (r *Repairs) Passed(topic string, seq uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return seq < r.top[topic]
}

// Take returns what has to be sent as current values.
func (r *Repairs) Take() map[string]payload.Item {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.open) == 0 || len(r.sent) > 0 {
		return nil // or wait until those before are acknowledged
	}
	r.sent, r.open, r.all, r.token = r.open, nil, false, 0
	return maps.Clone(r.sent)
}

// SentAs notes the token of one of them.
func (r *Repairs) SentAs(topic string, seq, token uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raiseLocked(topic, seq)
	r.token = token
}

// Complete says that all of them were sent.
func (r *Repairs) Complete() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = true
}

// Settled forgets them once the last one is acknowledged.
func (r *Repairs) Settled(token uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all && token >= r.token {
		r.sent = nil
	}
}

// Lost says that the connection has ended: what was not acknowledged is to be
// sent again, unless something newer went out as history since.
func (r *Repairs) Lost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for topic, it := range r.sent {
		if _, newer := r.open[topic]; newer || r.top[topic] > it.Seq {
			continue
		}
		if r.open == nil {
			r.open = map[string]payload.Item{}
		}
		r.open[topic] = it
	}
	r.sent = nil
}

// None says that nothing is left to repair.
func (r *Repairs) None() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)+len(r.sent) == 0
}
