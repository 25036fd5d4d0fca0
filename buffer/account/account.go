// Package account keeps the account of one reader in one log: how far it is
// and what became of every sample that it was given. What is settled is all
// below a position, and a few ranges beyond it. At all times
//
//	Start + Delivered + Filtered + Dropped + PutAside = Ord + what is Ahead
//
// where Ord counts the samples of the log up to the position, and Start those
// of them that were never meant for the reader.
//
// An Account is not safe for concurrent use, and nothing in it blocks.
package account

import (
	"slices"
	"time"

	"fieldferry/buffer/frame"
)

// MaxAhead is how many ranges may be settled beyond the position.
const MaxAhead = 8

// Account is what the log knows of one reader. The embedded numbers are to be
// read only.
type Account struct {
	frame.Reader

	Cell int // its place in memory that outlives the process

	durable     frame.Reader // as it is in the log
	isDurable   bool
	saving      frame.Reader // as it is being written
	isSaving    bool
	version     uint64 // grows with every change
	savingVers  uint64
	durableVers uint64
	marks       []mark // in order
}

// Kind says what became of samples.
type Kind uint8

// The kinds.
const (
	Delivered Kind = iota // unless they were marked
	Lost                  // not there any more: dropped or damaged
	Skipped               // settled by the readers of their time, never written: not meant for this one
)

// mark says that samples, counted in the log, were filtered, or put aside for
// a reason.
type mark struct {
	frame.Range
	reason string // empty: filtered
}

func newAccount(r frame.Reader, durable bool) *Account {
	a := &Account{Reader: r, isDurable: durable}
	if durable {
		a.durable = clone(&r)
	} else {
		a.version = 1
	}
	return a
}

// replace sets the numbers anew.
func (a *Account) replace(r frame.Reader) {
	a.Reader = r
	a.marks = a.marks[:0]
	a.version++
}

// See notes that the reader is in use at a log time.
func (a *Account) See(now time.Duration) {
	if now > a.Seen {
		a.Seen = now
		a.version++
	}
}

// Remove marks the reader as gone for good.
func (a *Account) Remove() {
	a.Forget()
	a.Removed = true
	a.version++
}

func (a *Account) changed() bool { return !a.isDurable || a.version != a.durableVers }

func clone(r *frame.Reader) frame.Reader {
	c := *r
	c.Dropped, c.PutAside, c.Ahead = slices.Clone(r.Dropped), slices.Clone(r.PutAside), slices.Clone(r.Ahead)
	return c
}

// Settle says what became of the samples of g, for the reason that Lost has.
// Those that are settled stay what they are. Its caller sees to it that no
// more than MaxAhead ranges come to lie beyond the position.
func (a *Account) Settle(g frame.Range, kind Kind, reason string) {
	n := settle(&a.Reader, g, kind, reason, a.count)
	if n > 0 {
		a.version++
	}
	a.marks = slices.DeleteFunc(a.marks, func(m mark) bool { return m.From >= g.From && m.To <= g.To })
}

// settle returns how many samples of g were not settled before.
func settle(r *frame.Reader, g frame.Range, kind Kind, reason string, count func(g frame.Range)) (n uint64) {
	for from := g.From; from < g.To; {
		o, ok := nextOpen(r, from, g.To)
		if !ok {
			break
		}
		k := o.To - o.From
		switch kind {
		case Delivered:
			count(o)
		case Lost:
			r.Dropped = Add(r.Dropped, reason, k)
		case Skipped:
			r.Start += k
		}
		n += k
		from = o.To
	}
	if n > 0 {
		cover(r, g)
	}
	return n
}

// nextOpen is the first range from from on, up to to, that is not settled.
func nextOpen(r *frame.Reader, from, to uint64) (frame.Range, bool) {
	from = max(from, r.Ord)
	for _, g := range r.Ahead {
		if from < g.From {
			to = min(to, g.From)
			break
		}
		from = max(from, g.To)
	}
	return frame.Range{From: from, To: to}, from < to
}

// cover adds a range to what is settled.
func cover(r *frame.Reader, g frame.Range) {
	if g.From <= r.Ord {
		r.Ord = max(r.Ord, g.To)
	} else {
		i := 0
		for i < len(r.Ahead) && r.Ahead[i].To < g.From {
			i++
		}
		j := i
		for j < len(r.Ahead) && r.Ahead[j].From <= g.To {
			g.From, g.To = min(g.From, r.Ahead[j].From), max(g.To, r.Ahead[j].To)
			j++
		}
		if j == i+1 {
			r.Ahead[i] = g
			return
		}
		r.Ahead = slices.Replace(r.Ahead, i, j, g)
	}
	for len(r.Ahead) > 0 && r.Ahead[0].From <= r.Ord {
		r.Ord = max(r.Ord, r.Ahead[0].To)
		r.Ahead = slices.Delete(r.Ahead, 0, 1)
	}
}

// count books the samples of g as delivered, filtered or put aside.
func (a *Account) count(g frame.Range) {
	a.Delivered += g.To - g.From
	for i := range a.marks {
		m := &a.marks[i]
		from, to := max(m.From, g.From), min(m.To, g.To)
		if from >= to {
			continue
		}
		a.Delivered -= to - from
		if m.reason == "" {
			a.Filtered += to - from
		} else {
			a.PutAside = Add(a.PutAside, m.reason, to-from)
		}
	}
}

// Mark notes that the sample before which ord others came was put aside for a
// reason, or filtered if that is empty. It counts once the sample is settled.
// Samples that are settled or marked stay as they are.
func (a *Account) Mark(ord uint64, reason string) {
	if _, open := nextOpen(&a.Reader, ord, ord+1); !open {
		return
	}
	at := len(a.marks)
	for at > 0 && a.marks[at-1].From > ord {
		at--
	}
	if at > 0 {
		before := &a.marks[at-1]
		if before.To > ord {
			return
		}
		if before.To == ord && before.reason == reason {
			before.To++
			return
		}
	}
	a.marks = slices.Insert(a.marks, at, mark{frame.Range{From: ord, To: ord + 1}, reason})
}

// Forget forgets the marks of what is not settled.
func (a *Account) Forget() { a.marks = a.marks[:0] }

// DropTo moves the position to ord over samples that were dropped. What is
// durable or being written moves along: the record of the drop is written
// with it.
func (a *Account) DropTo(ord uint64, reason string) {
	g := frame.Range{To: ord}
	settle(&a.durable, g, Lost, reason, nil)
	if a.isSaving { // otherwise it shares its lists with durable
		settle(&a.saving, g, Lost, reason, nil)
	}
	a.Settle(g, Lost, reason)
}

// Pending is how many of the samples below end are not settled.
func (a *Account) Pending(end uint64) uint64 {
	n := end - min(a.Ord, end)
	for _, g := range a.Ahead {
		n -= min(g.To, end) - min(g.From, end)
	}
	return n
}

// Covers says that all samples of a range are settled.
func (a *Account) Covers(from, to uint64) bool {
	_, open := nextOpen(&a.Reader, from, to)
	return !open
}

const (
	// maxReasons bounds the reasons in a list of counts.
	maxReasons = 16
	// maxReason bounds the text of one.
	maxReason = 64
	// Other is the reason under which those beyond the bound are counted.
	Other = "other"
)

// Add adds n to the count of a reason. Beyond 16 reasons the rest is counted
// under Other.
func Add(cs []frame.Count, reason string, n uint64) []frame.Count {
	if len(reason) > maxReason {
		reason = reason[:maxReason]
	}
	for i := range cs {
		if cs[i].Reason == reason {
			cs[i].N += n
			return cs
		}
	}
	if len(cs) >= maxReasons-1 && reason != Other {
		return Add(cs, Other, n)
	}
	return append(cs, frame.Count{Reason: reason, N: n})
}

// ByReason adds the counts to a map, which is made if it is nil.
func ByReason(m map[string]uint64, cs []frame.Count) map[string]uint64 {
	if m == nil {
		m = make(map[string]uint64, len(cs))
	}
	for _, c := range cs {
		m[c.Reason] += c.N
	}
	return m
}
