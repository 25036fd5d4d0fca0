package plan

import (
	"slices"
	"sync"
	"time"

	"fieldferry/drivers/modbus/layout"
)

const (
	kept     = 64 // reads that a meter looks back on
	enough   = 16 // reads before it says anything
	farApart = 8  // registers between two reads that tell the cost of one
	pairs    = 128
)

// Meter measures what reads of one device cost, from the reads themselves. It
// looks back on the last 64 and takes medians, so that a stalled host or a
// device that is slow now and then moves nothing. Safe for concurrent use;
// Note does not allocate.
type Meter struct {
	prior Costs
	fixed bool // the cost of a register is known: it is the line's

	mu    sync.Mutex // guards the fields below
	ring  [kept]noted
	notes uint64
}

// noted is one read: the bits of its answer and what it took.
type noted struct {
	bits int
	took time.Duration
}

// NewMeter begins with what is assumed. On a serial line the cost of a
// register is that of its characters, and only the request is measured.
func NewMeter(prior Costs) *Meter { return &Meter{prior: prior} }

// NewLineMeter is NewMeter for a line whose costs of registers are known.
func NewLineMeter(prior Costs) *Meter { return &Meter{prior: prior, fixed: true} }

// Note takes down a read that was answered.
func (m *Meter) Note(t layout.Table, length int, took time.Duration) {
	if !t.Bits() {
		length *= 16
	}
	m.mu.Lock()
	m.ring[m.notes%kept] = noted{length, took}
	m.notes++
	m.mu.Unlock()
}

// Costs is the best estimate, and how many reads it rests on: 0 for what is
// assumed.
func (m *Meter) Costs() (Costs, uint64) {
	m.mu.Lock()
	ring, n := m.ring, m.notes
	m.mu.Unlock()
	if n < enough {
		return m.prior, 0
	}
	seen := ring[:min(n, kept)]
	bit := float64(m.prior.Register) / 16
	if !m.fixed {
		bit = slope(seen, bit)
	}
	var all [kept]float64
	rest := all[:0]
	for _, x := range seen {
		rest = append(rest, float64(x.took)-bit*float64(x.bits))
	}
	slices.Sort(rest)
	return Costs{
		Request:  max(time.Duration(rest[len(rest)/2]), time.Microsecond),
		Register: time.Duration(16 * bit), Bit: time.Duration(bit),
	}, n
}

// slope is the median of the slopes between reads of clearly different length
// (Theil and Sen); what was assumed, as long as there are too few of them.
func slope(seen []noted, assumed float64) float64 {
	var room [kept * kept / 2]float64
	all := room[:0]
	for i := range seen {
		for _, y := range seen[:i] {
			if d := seen[i].bits - y.bits; d >= 16*farApart || d <= -16*farApart {
				all = append(all, float64(seen[i].took-y.took)/float64(d))
			}
		}
	}
	if len(all) < pairs {
		return assumed
	}
	slices.Sort(all)
	return max(all[len(all)/2], 0)
}

// Notes is how many reads were noted.
func (m *Meter) Notes() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.notes
}

// Moved says that new costs are so far from the old that another plan may be
// better: the gap at which requests break even is a quarter longer or shorter,
// and not longer than any block both times.
func Moved(old, now Costs) bool {
	a, b := min(old.Even(), maxRegisters), min(now.Even(), maxRegisters)
	return b > 1.25*a || a > 1.25*b
}
