package classlog

import (
	"slices"

	"fieldferry/buffer/frame"
)

// ledger is what was dropped of the log: the last drops one by one. It
// belongs to the writer; older ones are in the book's sum alone.
type ledger struct {
	last  uint64 // number of the last drop
	drops []frame.Drop
}

// ledgerLen is how many drops are kept one by one.
const ledgerLen = 64

// note gives a drop its number and keeps it. One whose record could not be
// written comes again, and keeps its number.
func (g *ledger) note(d frame.Drop) frame.Drop {
	for i := range g.drops {
		if o := &g.drops[i]; o.From == d.From && o.Reason == d.Reason {
			d.ID = o.ID
			*o = d
			return d
		}
	}
	g.last++
	d.ID = g.last
	g.drops = append(g.drops, d)
	if n := len(g.drops) - ledgerLen; n > 0 {
		g.drops = slices.Delete(g.drops, 0, n)
	}
	return d
}

func (g *ledger) frames() (frames [][]byte) {
	for i := range g.drops {
		frames = append(frames, g.drops[i].Append(nil))
	}
	return frames
}

// DropsLocked returns the last 64 drops, oldest first. They are to be read
// only.
func (l *Log) DropsLocked() []frame.Drop { return l.drops }

// tellDropsLocked lets everybody see what the writer has noted.
func (l *Log) tellDropsLocked() { l.drops = slices.Clone(l.w.ledger.drops) }
