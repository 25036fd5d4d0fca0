package replay

// Lane is one of the two ways that samples go.
type Lane uint8

// The lanes.
const (
	Live Lane = iota
	History
)

// span is the numbers from one to another that were sent one after the other.
type span struct{ from, to uint64 }

// Sent remembers which numbers were ever sent, so that those sent again can
// be counted. Numbers grow within a lane of one connection, and what comes
// again on the next one overlaps what was sent before: there are few spans. It is
// for one goroutine at a time.
type Sent struct {
	spans []span  // of earlier connections, in any order
	lanes [2]span // of the connection under way; to is 0 before the first
}

// Connected begins anew for both lanes.
func (s *Sent) Connected() {
	for i, x := range s.lanes {
		if x.to > 0 {
			s.keep(x)
		}
		s.lanes[i] = span{}
	}
}

// keep adds a span, and joins those that it touches.
func (s *Sent) keep(x span) {
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

// Again notes that a number is being sent in a lane, and says whether it was
// sent before, in any.
func (s *Sent) Again(seq uint64, lane Lane) bool {
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
