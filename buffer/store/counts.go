package store

import "fieldferry/buffer/tally"

// counts gathers the counters of all tags from the blocks of a segment: those
// of its start, and then those of its end.
type counts struct {
	tally *tally.Tally
	at    uint64 // samples of the log before the blocks
	want  uint64
}

// add takes one block, the payload of which is p, with at samples of the log
// before it.
func (c *counts) add(at uint64, p []byte) {
	if c.tally == nil || c.at != at {
		*c = counts{tally: new(tally.Tally), at: at}
	}
	n, err := c.tally.Load(p)
	c.want = max(c.want, n)
	if err != nil {
		c.want = ^uint64(0)
	}
}

// all returns the counters, nil if some are missing. Those of a clean end must
// be from behind all samples, where ord of the log had come.
func (c *counts) all(clean bool, ord uint64) *tally.Tally {
	if c.tally == nil || uint64(c.tally.Len()) < c.want || clean && c.at != ord {
		return nil
	}
	return c.tally
}
