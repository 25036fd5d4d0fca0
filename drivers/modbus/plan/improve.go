package plan

import "slices"

// promoteAll puts each item into the lane of the fastest item of its run, where
// the runs are the cheapest partition of all items in the order of addresses:
// a second place to begin improving from.
func (p *problem) promoteAll() []int {
	n := len(p.items)
	best, from, lane := make([]float64, n+1), make([]int, n+1), make([]int, n)
	for j := 1; j <= n; j++ {
		last, fastest := 0, len(p.lanes)-1
		for i := j - 1; i >= 0; i-- {
			p.work--
			last, fastest = max(last, p.items[i].end()), min(fastest, p.own[i])
			span := last - p.items[i].Start
			if i < j-1 && (span > p.longest || p.reach[i] < last) {
				break
			}
			cost := best[i] + (p.request+p.unit*float64(span))/rate(p.lanes[fastest])
			if i == j-1 || cost < best[j] {
				best[j], from[j] = cost, i
			}
		}
	}
	for j := n; j > 0; j = from[j] {
		fastest := slices.Min(p.own[from[j]:j])
		for i := from[j]; i < j; i++ {
			lane[i] = fastest
		}
	}
	return lane
}

// improve moves items, and whole blocks, between their own lane and faster
// ones as long as that makes the plan cheaper. A slow tag rides in a fast
// block where that costs less than a slow request of its own.
func (p *problem) improve(s solution) solution {
	for better := true; better && p.work > 0; {
		better = false
		for i := range p.items {
			better = p.try(&s, i) || better
		}
		for k := range s.blocks {
			if k < len(s.blocks) {
				better = p.tryBlock(&s, k) || better
			}
		}
	}
	return s
}

// try moves one item to the lane that makes the plan cheapest.
func (p *problem) try(s *solution, i int) (better bool) {
	for lane := 0; lane <= p.own[i] && p.work > 0; lane++ {
		if lane == s.lane[i] {
			continue
		}
		changed := slices.Clone(s.lane)
		changed[i] = lane
		better = p.accept(s, changed) || better
	}
	return better
}

// tryBlock moves all items of a block to another lane.
func (p *problem) tryBlock(s *solution, k int) bool {
	b := s.blocks[k]
	for lane := range p.lanes {
		if p.work <= 0 || p.lanes[lane] == b.Every {
			continue
		}
		changed := slices.Clone(s.lane)
		for i, it := range p.items {
			if b.Start <= it.Start && it.end() <= b.end() {
				changed[i] = min(lane, p.own[i])
			}
		}
		if p.accept(s, changed) {
			return true
		}
	}
	return false
}

// accept takes other lanes if they are cheaper by more than rounding.
func (p *problem) accept(s *solution, lane []int) bool {
	if next := p.evaluate(lane); next.cost < s.cost*(1-1e-9) {
		*s = next
		return true
	}
	return false
}
