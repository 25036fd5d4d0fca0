package replay

import "testing"

func TestSentCountsWhatComesAgain(t *testing.T) {
	var s Sent
	for i, c := range []struct {
		live, history []uint64
		again         int // how many of them were sent before
		spans         int // that are remembered afterwards
	}{
		{[]uint64{1, 2, 4, 5}, nil, 0, 1},
		{[]uint64{4, 5, 6}, nil, 2, 1},              // a suffix comes again
		{[]uint64{20, 21}, []uint64{5, 6, 7}, 2, 2}, // live first: what lies between was never sent
		{[]uint64{30}, []uint64{7, 8, 20}, 2, 2},    // 7 again; 20 went out as live before
		{nil, []uint64{21, 22, 29, 30, 31}, 2, 1},
	} {
		s.Connected()
		again := 0
		for lane, seqs := range [...][]uint64{Live: c.live, History: c.history} {
			for _, seq := range seqs {
				if s.Again(seq, Lane(lane)) {
					again++
				}
			}
		}
		s.Connected()
		if again != c.again || len(s.spans) != c.spans {
			t.Errorf("connection %d, live %v, history %v: %d sent again, spans %v; want %d, and %d spans",
				i, c.live, c.history, again, s.spans, c.again, c.spans)
		}
	}
}
