package modbus

import (
	"fieldferry/drivers/modbus/option"
	"fieldferry/drivers/modbus/poll"
)

// places finds the places of the tags of the group.
func (g *group) places() []poll.Place {
	sets := option.Sets(g.dev)
	first := map[*option.Set]int{}
	places := make([]poll.Place, len(g.tags))
	for i, t := range g.tags {
		s := sets[t]
		if g.described.missing[i] != "" {
			continue // it lies nowhere
		}
		if s == nil {
			start, n := g.layouts[i].Span()
			places[i] = poll.Place{Start: start, Length: n, Members: []int{i}}
			continue
		}
		leader, taken := first[s]
		if !taken {
			leader, first[s] = i, i
			places[i] = poll.Place{Start: s.Span().Start, Length: s.Span().Length}
		}
		places[leader].Members = append(places[leader].Members, i)
	}
	return places
}
