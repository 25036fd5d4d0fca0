package modbus

import (
	"sync"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/tag"
)

var _ drivers.Observer = (*driver)(nil)

// tally counts what all connections of a link have seen. Its methods may be
// called by any goroutine.
type tally struct {
	mu   sync.Mutex // guards the fields below
	open map[wire.Link]bool
	past wire.Stats // of those that are closed
}

// opened counts what a connection sees from now on.
func (t *tally) opened(l wire.Link) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = map[wire.Link]bool{}
	}
	t.open[l] = true
}

// closed keeps what a connection has seen.
func (t *tally) closed(l wire.Link) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[l] {
		t.past = t.past.Plus(l.Stats())
		delete(t.open, l)
	}
}

func (t *tally) sum() wire.Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.past
	for l := range t.open {
		s = s.Plus(l.Stats())
	}
	return s
}

// Observe tells what was seen on a link since the program began.
func (d *driver) Observe(l *tag.Link) (counts map[string]uint64, notes []string) {
	m := d.pastOf(l)
	s := m.seen.sum()
	counts = map[string]uint64{
		"requests": s.Requests, "answers": s.Answers, "exceptions": s.Exceptions, "timeouts": s.Timeouts, "damaged": s.BadFrames, "late": s.Late, "foreign": s.Foreign,
	}
	if d.serial() {
		counts["echoes"], counts["copies"], counts["noise_bytes"] = s.Echoes, s.Copies, s.Noise
	}
	return counts, m.others.Notes(time.Now())
}
