package mqtt

import (
	"sync"
	"time"
)

// ripe is the age, unless tests shorten it, at which a sample that waits for a connection becomes
// history.
const ripe = 5 * time.Second

// marks remembers where the head of the buffer was lately, so that "appended
// more than five seconds ago" is known without any timestamp of a sample.
type marks struct {
	mu    sync.Mutex // guards the fields below
	list  []mark     // oldest first, one in a fifth of ripe at most; the first is the newest that is ripe
	until uint64     // what was historical before
	ripe  time.Duration
}

type mark struct {
	at   time.Time // monotonic
	head uint64
}

// begin says that everything up to head is from an earlier run, and when the
// rest becomes history.
func (m *marks) begin(head uint64, ripe time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.until, m.ripe = head, ripe
}

// note remembers the head.
func (m *marks) note(now time.Time, head uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.list); n > 0 && now.Sub(m.list[n-1].at) < m.ripe/5 {
		return
	}
	m.list = append(m.list, mark{now, head})
	for len(m.list) > 1 && now.Sub(m.list[1].at) >= m.ripe {
		m.list = m.list[1:]
	}
}

// boundary returns the highest number that is history for a connection made
// at now. It never moves back.
func (m *marks) boundary(now time.Time) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.list {
		if now.Sub(k.at) >= m.ripe {
			m.until = max(m.until, k.head)
		}
	}
	return m.until
}
