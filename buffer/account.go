package buffer

import (
	"slices"

	"fieldferry/buffer/segment"
)

// account is what the log knows of one reader, open or not. Buffer.mu guards
// it. Ord counts samples of the log up to the reader's position; samples that
// were handed out, or passed over, beyond it are in spans.
type account struct {
	segment.Reader
	saved     segment.Reader // as it is durable in the log
	isSaved   bool
	version   uint64 // grows with every change
	savedVers uint64
	cell      int // its place in the ring
	open      *Reader

	spans []span
	marks []mark
}

// span is a run of samples beyond the position, adjacent to the one before.
type span struct {
	ord, n uint64
	seq    uint64 // of its first, for samples that were handed out
	kind   spanKind
	reason string // why they are lost
}

type spanKind uint8

const (
	spanData spanKind = iota // handed out
	spanLost                 // not there any more: dropped or damaged
	spanSkip                 // settled by the readers of their time, never written: not meant for this one
)

// mark says that handed out samples, by sequence number, were filtered, or
// put aside for a reason.
type mark struct {
	from, to uint64 // inclusive
	reason   string // empty: filtered
}

// push adds what Next has handed out or passed over.
func (a *account) push(s span) {
	if s.n == 0 {
		return
	}
	if k := len(a.spans); k > 0 {
		last := &a.spans[k-1]
		if last.kind == s.kind && last.reason == s.reason &&
			(s.kind != spanData || last.seq+last.n == s.seq) {
			last.n += s.n
			return
		}
	}
	a.spans = append(a.spans, s)
	a.passGone()
}

// passGone moves the position over what is gone: nobody has to settle it.
func (a *account) passGone() {
	for len(a.spans) > 0 && a.spans[0].kind != spanData {
		s := a.spans[0]
		if s.kind == spanSkip {
			a.Start += s.n
		} else {
			a.Dropped = addCount(a.Dropped, s.reason, s.n)
		}
		a.Ord += s.n
		a.spans = slices.Delete(a.spans, 0, 1)
		a.version++
	}
}

// settle moves the position to seq, and over what is gone behind it.
func (a *account) settle(seq uint64) {
	for len(a.spans) > 0 && a.spans[0].seq <= seq {
		s := &a.spans[0]
		k := min(s.n, seq-s.seq+1)
		a.count(s.seq, s.seq+k-1)
		a.Ord += k
		a.Seq = s.seq + k - 1
		a.version++
		if k < s.n {
			s.ord, s.seq, s.n = s.ord+k, s.seq+k, s.n-k
			return
		}
		a.spans = slices.Delete(a.spans, 0, 1)
		a.passGone()
	}
}

// count books the samples from up to and with to, now settled.
func (a *account) count(from, to uint64) {
	delivered := to - from + 1
	for len(a.marks) > 0 && a.marks[0].from <= to {
		m := &a.marks[0]
		n := min(m.to, to) - m.from + 1
		if m.reason == "" {
			a.Filtered += n
		} else {
			a.PutAside = addCount(a.PutAside, m.reason, n)
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

// mark notes the fate of one handed out sample until it is settled. Samples
// that are settled already, not handed out, or marked before stay as they are.
func (a *account) mark(seq uint64, reason string) {
	i := slices.IndexFunc(a.spans, func(s span) bool {
		return s.kind == spanData && s.seq <= seq && seq-s.seq < s.n
	})
	if i < 0 {
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

// rewind forgets what was handed out and not settled.
func (a *account) rewind() { a.spans, a.marks = a.spans[:0], a.marks[:0] }

// dropTo moves the position to ord over samples that were dropped; the last
// of them had the sequence number seq.
func (a *account) dropTo(ord, seq uint64, reason string) {
	if ord <= a.Ord {
		return
	}
	a.Dropped = addCount(a.Dropped, reason, ord-a.Ord)
	a.Ord, a.Seq = ord, max(a.Seq, seq)
	a.version++
	for len(a.spans) > 0 && a.spans[0].ord < ord {
		s := &a.spans[0]
		if k := ord - s.ord; k < s.n {
			s.ord, s.seq, s.n = s.ord+k, s.seq+k, s.n-k
			break
		}
		a.spans = slices.Delete(a.spans, 0, 1)
	}
	a.marks = slices.DeleteFunc(a.marks, func(m mark) bool { return m.to <= seq })
	a.passGone()
}

// maxReasons bounds the texts in an account.
const maxReasons = 16

func addCount(cs []segment.Count, reason string, n uint64) []segment.Count {
	if len(reason) > 64 {
		reason = reason[:64]
	}
	for i := range cs {
		if cs[i].Reason == reason {
			cs[i].N += n
			return cs
		}
	}
	if len(cs) >= maxReasons-1 && reason != otherReason {
		return addCount(cs, otherReason, n)
	}
	return append(cs, segment.Count{Reason: reason, N: n})
}

const otherReason = "other"

func copyReader(r *segment.Reader) segment.Reader {
	c := *r
	c.Dropped, c.PutAside = slices.Clone(r.Dropped), slices.Clone(r.PutAside)
	return c
}
