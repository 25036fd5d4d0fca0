package plan

import (
	"slices"
	"time"

	"fieldferry/drivers/modbus/layout"
)

// problem is the items of one table, sorted by address, none of which has to
// be alone.
type problem struct {
	items   []Item
	limits  *Limits
	longest int
	request float64         // cost of a request
	unit    float64         // cost of a register or bit
	reach   []int           // by item: where the first wall behind its start begins
	lanes   []time.Duration // the intervals, shortest first
	own     []int           // by item: its lane
	work    int             // steps left to be spent on improving
}

// improveWork bounds the search for better lanes, in steps of the inner loop:
// some tens of milliseconds on a small machine.
const improveWork = 10_000_000

func newProblem(items []Item, t layout.Table, l *Limits, c Costs) *problem {
	p := &problem{items: items, limits: l, longest: l.longest(t), request: float64(c.Request), unit: float64(c.Register), work: improveWork}
	if t.Bits() {
		p.unit = float64(c.Bit)
	}
	if p.request <= 0 || l.Mode == Gap { // as few requests as the gaps allow
		p.request, p.unit = 1, 0
	}
	for _, it := range items {
		p.lanes = append(p.lanes, it.Every)
		p.reach = append(p.reach, reach(it, l.Walls))
	}
	slices.Sort(p.lanes)
	p.lanes = slices.Compact(p.lanes)
	for _, it := range items {
		lane, _ := slices.BinarySearch(p.lanes, it.Every)
		p.own = append(p.own, lane)
	}
	return p
}

// reach is where the first wall behind an item begins.
func reach(it Item, walls []Range) int {
	first := 1 << 30
	for _, w := range walls {
		if w.Table == it.Table && w.Start >= it.end() {
			first = min(first, w.Start)
		}
	}
	return first
}

// solve finds the blocks.
func (p *problem) solve() []Block {
	s := p.evaluate(p.own)
	if len(p.lanes) > 1 && p.limits.Mode == Auto {
		s = p.improve(s)
		if other := p.improve(p.evaluate(p.promoteAll())); other.cost < s.cost {
			s = other
		}
	}
	return s.blocks
}

// solution is the blocks that come of reading each item in a lane: its own or
// a faster one.
type solution struct {
	lane   []int
	blocks []Block
	cost   float64 // per second where there are lanes, else of one round
}

// evaluate plans lane after lane, the fastest first: what lies in the block of
// a faster one costs nothing more.
func (p *problem) evaluate(lane []int) solution {
	s := solution{lane: lane}
	covered := make([]bool, len(p.items))
	var mine []int
	for k, every := range p.lanes {
		mine = mine[:0]
		for i := range p.items {
			if lane[i] == k && !covered[i] {
				mine = append(mine, i)
			}
		}
		for _, r := range p.partition(mine) {
			s.cost += (p.request + p.unit*float64(r.Length)) / rate(every)
			s.blocks = append(s.blocks, p.take(r, every, covered))
		}
	}
	return s
}

// rate is what the cost of one read is divided by.
func rate(every time.Duration) float64 {
	if every <= 0 {
		return 1
	}
	return float64(every)
}

// take makes the block of a range, with every item in it that nobody has yet
// and that may wait as long.
func (p *problem) take(r Range, every time.Duration, covered []bool) Block {
	b := Block{Table: r.Table, Start: r.Start, Length: r.Length, Every: every}
	for i, it := range p.items {
		if !covered[i] && it.Every >= every && r.holds(it.Range()) {
			covered[i] = true
			b.Items = append(b.Items, it)
		}
	}
	return b
}

// partition covers some items with ranges at the least cost. Items within
// others are free; of the rest both starts and ends go up, so that an optimum
// of runs in this order is an optimum of all: best[j] is the least over i of
// best[i] and one range from i to j.
func (p *problem) partition(items []int) []Range {
	outer := items[:0:0]
	end := -1
	for _, i := range items { // sorted by start, the longer first
		if p.items[i].end() > end {
			outer = append(outer, i)
			end = p.items[i].end()
		}
	}
	n := len(outer)
	best, from := make([]float64, n+1), make([]int, n+1)
	for j := 1; j <= n; j++ {
		last := p.items[outer[j-1]].end()
		for i := j - 1; i >= 0; i-- {
			p.work--
			first := outer[i]
			span := last - p.items[first].Start
			if i < j-1 && (span > p.longest || p.reach[first] < last || p.gapped(outer[i], outer[i+1])) {
				break // and so for every range that begins earlier
			}
			cost := best[i] + p.request + p.unit*float64(span)
			if i == j-1 || cost < best[j] {
				best[j], from[j] = cost, i
			}
		}
	}
	return p.ranges(outer, from)
}

// gapped says that two neighbours may not share a block because of the gap
// between them.
func (p *problem) gapped(a, b int) bool {
	return p.limits.Mode == Gap && p.items[b].Start-p.items[a].end() > max(p.limits.Gap, 0)
}

func (p *problem) ranges(outer, from []int) []Range {
	var out []Range
	for j := len(outer); j > 0; j = from[j] {
		first, last := p.items[outer[from[j]]], p.items[outer[j-1]]
		out = append(out, Range{first.Table, first.Start, last.end() - first.Start})
	}
	slices.Reverse(out)
	return out
}
