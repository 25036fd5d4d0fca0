package mqtt

// span is the numbers from one to another that were sent one after the other.
type span struct{ from, to uint64 }

// sent remembers which numbers were ever sent, so that those sent again can
// be counted. Numbers grow within a lane of one connection, and what comes
// again on the next one overlaps what was sent before: there are few spans.
type sent struct {
	spans []span  // of earlier connections, in any order
	lanes [2]span // of the connection under way: live, and history; to is 0 before the first
}

// connected begins anew for both lanes.
func (s *sent) connected() {
	for i, x := range s.lanes {
		if x.to > 0 {
			s.keep(x)
		}
		s.lanes[i] = span{}
	}
}

// keep adds a span, and joins those that it touches.
func (s *sent) keep(x span) {
	rest := s.spans[:0]
	for _, y := range s.spans {
		if y.from <= x.to+1 && x.from <= y.to+1 {
			x = span{min(x.from, y.from), max(x.to, y.to)}
		} else {
			rest = append(rest, y)
		}
	}
	s.spans = append(rest, x)
}

// again notes that a number is being sent, as history or not, and says
// whether it was before.
func (s *sent) again(seq uint64, historical bool) bool {
	lane := 0
	if historical {
		lane = 1
	}
	l := &s.lanes[lane]
	if l.to == 0 {
		l.from = seq
	}
	l.to = max(l.to, seq)
	for _, x := range s.spans {
		if x.from <= seq && seq <= x.to {
			return true
		}
	}
	return false
}
