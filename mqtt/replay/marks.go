package replay

import (
	"sync"
	"time"
)

// Ripe is the age at which a sample that waits for a connection becomes
// history, unless tests shorten it.
const Ripe = 5 * time.Second

// Marks remembers where the head of the buffer was lately, so that "appended
// more than five seconds ago" is known without any timestamp of a sample.
type Marks struct {
	mu    sync.Mutex // guards the fields below
	list  []mark     // oldest first, one in a fifth of ripe at most; the first is the newest that is ripe
	until uint64     // what was historical before
	ripe  time.Duration
}

type mark struct {
	at   time.Time // monotonic
	head uint64
}

// Begin says that everything up to head is from an earlier run, and when the
// rest becomes history.
func (m *Marks) Begin(head uint64, ripe time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.until, m.ripe = head, ripe
}

// Note remembers the head of the buffer.
func (m *Marks) Note(now time.Time, head uint64) {
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

// Boundary returns the highest number that is history for a connection made
// at now. It never moves back.
func (m *Marks) Boundary(now time.Time) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.list {
		if now.Sub(k.at) >= m.ripe {
			m.until = max(m.until, k.head)
		}
	}
	return m.until
}
