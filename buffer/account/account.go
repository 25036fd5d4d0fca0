// Package account keeps the account of one reader: how far it is, what was
// handed out to it and is not settled yet, and what became of every sample
// that was. At all times
//
//	Start + Delivered + Filtered + Dropped + PutAside = Ord
//
// where Ord counts the samples of the log up to the reader's position, and
// Start those of them that were never meant for it.
//
// An Account is not safe for concurrent use, and nothing in it blocks.
package account

import (
	"slices"

	"fieldferry/buffer/frame"
)

// Account is what the log knows of one reader. The embedded numbers are to be
// read only.
type Account struct {
	frame.Reader

	Owner any // who uses it; nobody looks into it here
	Cell  int // its place in memory that outlives the process

	durable     frame.Reader // as it is in the log
	isDurable   bool
	saving      frame.Reader // as it is being written
	isSaving    bool
	version     uint64 // grows with every change
	savingVers  uint64
	durableVers uint64
	spans       []Span
	marks       []mark
}

// Span is a run of samples beyond the position, adjacent to the one before.
type Span struct {
	Ord, N uint64
	Seq    uint64 // of its first, for samples that were handed out
	Kind   Kind
	Reason string // why they are lost
}

// Kind says what the samples of a span are.
type Kind uint8

// The kinds.
const (
	Data    Kind = iota // handed out
	Lost                // not there any more: dropped or damaged
	Skipped             // settled by the readers of their time, never written: not meant for this one
)

// mark says that handed out samples, by sequence number, were filtered, or
// put aside for a reason.
type mark struct {
	from, to uint64 // inclusive
	reason   string // empty: filtered
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
	a.version++
}

// Remove marks the reader as gone for good.
func (a *Account) Remove() {
	a.Rewind()
	a.Owner = nil
	a.Removed = true
	a.version++
}

func (a *Account) changed() bool { return !a.isDurable || a.version != a.durableVers }

func clone(r *frame.Reader) frame.Reader {
	c := *r
	c.Dropped, c.PutAside = slices.Clone(r.Dropped), slices.Clone(r.PutAside)
	return c
}

// Push adds what has been handed out or passed over. The position moves over
// what is gone at once: nobody has to settle it.
func (a *Account) Push(s Span) {
	if s.N == 0 {
		return
	}
	if k := len(a.spans); k > 0 {
		last := &a.spans[k-1]
		if last.Kind == s.Kind && last.Reason == s.Reason && (s.Kind != Data || last.Seq+last.N == s.Seq) {
			last.N += s.N
			return
		}
	}
	a.spans = append(a.spans, s)
	a.passGone()
}

func (a *Account) passGone() {
	for len(a.spans) > 0 && a.spans[0].Kind != Data {
		s := a.spans[0]
		if s.Kind == Skipped {
			a.Start += s.N
		} else {
			a.Dropped = Add(a.Dropped, s.Reason, s.N)
		}
		a.Ord += s.N
		a.spans = slices.Delete(a.spans, 0, 1)
		a.version++
	}
}

// Settle moves the position to seq, as far as that was handed out, and over
// what is gone behind it.
func (a *Account) Settle(seq uint64) {
	for len(a.spans) > 0 && a.spans[0].Seq <= seq {
		s := &a.spans[0]
		k := min(s.N, seq-s.Seq+1)
		a.count(s.Seq, s.Seq+k-1)
		a.Ord += k
		a.Seq = s.Seq + k - 1
		a.version++
		if k < s.N {
			s.Ord, s.Seq, s.N = s.Ord+k, s.Seq+k, s.N-k
			return
		}
		a.spans = slices.Delete(a.spans, 0, 1)
		a.passGone()
	}
}

// count books the samples from up to and with to, now settled.
func (a *Account) count(from, to uint64) {
	delivered := to - from + 1
	for len(a.marks) > 0 && a.marks[0].from <= to {
		m := &a.marks[0]
		n := min(m.to, to) - m.from + 1
		if m.reason == "" {
			a.Filtered += n
		} else {
			a.PutAside = Add(a.PutAside, m.reason, n)
		}
		delivered -= n
		if m.to > to {
			m.from = to + 1
			break
		}
		a.marks = slices.Delete(a.marks, 0, 1)
	}
	a.Delivered += delivered
}

// Mark notes that one handed out sample was put aside for a reason, or
// filtered if that is empty. It counts once the sample is settled. Samples
// that are settled, not handed out, or marked before stay as they are.
func (a *Account) Mark(seq uint64, reason string) {
	if !a.holds(seq) {
		return
	}
	at := len(a.marks)
	for at > 0 && a.marks[at-1].from > seq {
		at--
	}
	if at > 0 {
		before := &a.marks[at-1]
		if before.to >= seq {
			return
		}
		if before.to+1 == seq && before.reason == reason {
			before.to = seq
			return
		}
	}
	a.marks = slices.Insert(a.marks, at, mark{from: seq, to: seq, reason: reason})
}

func (a *Account) holds(seq uint64) bool {
	for _, s := range a.spans {
		if s.Kind == Data && s.Seq <= seq && seq-s.Seq < s.N {
			return true
		}
	}
	return false
}

// Rewind forgets what was handed out and not settled.
func (a *Account) Rewind() { a.spans, a.marks = a.spans[:0], a.marks[:0] }

// DropTo moves the position to ord over samples that were dropped; the last
// of them had the sequence number seq. What is durable or being written moves
// along: the record of the drop is written with it.
func (a *Account) DropTo(ord, seq uint64, reason string) {
	dropTo(&a.durable, ord, seq, reason)
	if a.isSaving { // otherwise it shares its lists with durable
		dropTo(&a.saving, ord, seq, reason)
	}
	if !dropTo(&a.Reader, ord, seq, reason) {
		return
	}
	a.version++
	for len(a.spans) > 0 && a.spans[0].Ord < ord {
		s := &a.spans[0]
		if k := ord - s.Ord; k < s.N {
			s.Ord, s.Seq, s.N = s.Ord+k, s.Seq+k, s.N-k
			break
		}
		a.spans = slices.Delete(a.spans, 0, 1)
	}
	a.marks = slices.DeleteFunc(a.marks, func(m mark) bool { return m.to <= seq })
	a.passGone()
}

func dropTo(r *frame.Reader, ord, seq uint64, reason string) bool {
	if ord <= r.Ord {
		return false
	}
	r.Dropped = Add(r.Dropped, reason, ord-r.Ord)
	r.Ord, r.Seq = ord, max(r.Seq, seq)
	return true
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

// ByReason returns the counts as a map of its own.
func ByReason(cs []frame.Count) map[string]uint64 {
	m := make(map[string]uint64, len(cs))
	for _, c := range cs {
		m[c.Reason] += c.N
	}
	return m
}
