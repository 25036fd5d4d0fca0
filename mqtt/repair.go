package mqtt

import (
	"maps"
	"sync"

	"fieldferry/mapping/payload"
)

// repairs remembers, per topic, the newest sample that was sent as history
// and that no current value has followed yet. It outlives connections.
type repairs struct {
	mu    sync.Mutex // guards the fields below
	open  map[string]payload.Item
	sent  map[string]payload.Item // being sent as current values, not yet acknowledged
	token uint64                  // of the last of them
	all   bool                    // all of them are sent
}

// behind notes a sample that was sent as history.
func (r *repairs) behind(topic string, it payload.Item) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = map[string]payload.Item{}
	}
	r.open[topic] = it
}

// current notes that a current value is being sent: nothing is left to repair.
func (r *repairs) current(topic string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, topic)
}

// take returns what has to be sent as current values.
func (r *repairs) take() map[string]payload.Item {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.open) == 0 || len(r.sent) > 0 {
		return nil // or wait until those before are acknowledged
	}
	r.sent, r.open, r.all, r.token = r.open, nil, false, 0
	return maps.Clone(r.sent)
}

// sentAs notes the token of one of them.
func (r *repairs) sentAs(token uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.token = token
}

// complete says that all of them were sent.
func (r *repairs) complete() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = true
}

// settled forgets them once the last one is acknowledged.
func (r *repairs) settled(token uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all && token >= r.token {
		r.sent = nil
	}
}

// lost says that the connection has ended: what was not acknowledged is to be
// sent again, unless something newer went out as history since.
func (r *repairs) lost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for topic, it := range r.sent {
		if _, newer := r.open[topic]; newer {
			continue
		}
		if r.open == nil {
			r.open = map[string]payload.Item{}
		}
		r.open[topic] = it
	}
	r.sent = nil
}
