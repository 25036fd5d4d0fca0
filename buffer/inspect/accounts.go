package inspect

import (
	"fmt"

	"fieldferry/buffer/frame"
	"fieldferry/buffer/inspect/counts"
	"fieldferry/buffer/segment"
)

// meta checks a block of accounts, drops, and whatever else has no samples.
func (v *verifier) meta(b *segment.Block) {
	before := v.book.dropped
	next, seq := beyond(v.expect, b)
	if v.seg.ends(next) {
		next, seq = v.expect, v.lastSeq
	}
	accounts, err := v.book.take(b)
	if err != nil {
		v.at(Fault, b.Off, 0, "the checksum is right, but what is in it is not: %v", err)
	}
	v.expect, v.lastSeq = next, max(v.lastSeq, seq)
	if isFooter(b) {
		v.footer(b)
	}
	for i := range accounts {
		v.account(b, &accounts[i])
	}
	for i := range v.book.fresh {
		v.drop(b, &v.book.fresh[i])
	}
	for _, c := range before {
		if now := counts.Of(v.book.dropped, c.Reason); now < c.N && !v.hurt {
			v.at(Fault, b.Off, 0, "the log has counted %d samples as dropped (%s), and now only %d", c.N, c.Reason, now)
		}
	}
}

// account checks that the account of a reader adds up, that no position is
// beyond the samples before it, and that nothing in it goes back.
func (v *verifier) account(b *segment.Block, r *frame.Reader) {
	ahead := counts.Ahead(r)
	if got := r.Start + r.Delivered + r.Filtered + counts.Sum(r.Dropped) + counts.Sum(r.PutAside); got != r.Ord+ahead {
		v.at(Fault, b.Off, 0, "the account of the reader %q does not add up: start %d + delivered %d + filtered %d + dropped %d + put aside %d = %d, but its position is %d, with %d settled ahead of it",
			r.Name, r.Start, r.Delivered, r.Filtered, counts.Sum(r.Dropped), counts.Sum(r.PutAside), got, r.Ord, ahead)
	}
	end := r.Ord
	for _, g := range r.Ahead {
		if g.From <= end || g.To <= g.From {
			v.at(Fault, b.Off, 0, "the account of the reader %q has samples settled ahead from %d to %d, behind %d", r.Name, g.From, g.To, end)
		}
		end = max(end, g.To)
	}
	if end > v.expect {
		v.harm(b.Off, "the reader %q has settled samples up to %d, but only %d were written before its account", r.Name, end, v.expect)
	}
	old, known := v.old[r.Name]
	if word := backwards(&old, r); known && word != "" && old.Start == r.Start && !old.Removed {
		v.harm(b.Off, "the account of the reader %q goes back: %s", r.Name, word)
	}
	v.old[r.Name] = *r
	if r.Removed {
		delete(v.old, r.Name)
	}
}

// backwards names a number of an account that is smaller than it was. What was
// dropped may get less: samples that were delivered count as dropped in the
// durable account, while that did not know of it.
func backwards(old, r *frame.Reader) string {
	for _, n := range []struct {
		name     string
		was, now uint64
	}{
		{"position", old.Ord, r.Ord},
		{"delivered", old.Delivered, r.Delivered},
		{"filtered", old.Filtered, r.Filtered},
		{"put aside", counts.Sum(old.PutAside), counts.Sum(r.PutAside)},
	} {
		if n.now < n.was {
			return fmt.Sprintf("%s %d after %d", n.name, n.now, n.was)
		}
	}
	return ""
}

// drop tells of samples that are recorded as dropped, and checks the record.
func (v *verifier) drop(b *segment.Block, d *frame.Drop) {
	n := d.N
	v.sum.Dropped += n
	v.dropped[d.Reason] += n
	text := fmt.Sprintf("recorded: %d samples were dropped before every reader had them (%s), sequence numbers %d to %d", n, d.Reason, d.FirstSeq, d.LastSeq)
	if len(d.Devices) > 0 {
		text += ", of " + counts.List(d.Devices)
	}
	v.at(Loss, b.Off, n, "%s", text)
	switch {
	case n == 0, d.To < d.From, n > d.To-d.From, d.LastSeq < d.FirstSeq, d.LastSeq-d.FirstSeq+1 < n && d.FirstSeq > 0:
		v.at(Fault, b.Off, 0, "the record of a drop is not possible: %d samples with the sequence numbers %d to %d", n, d.FirstSeq, d.LastSeq)
	case counts.Sum(d.Devices) > n:
		v.at(Fault, b.Off, 0, "the record of a drop of %d samples names devices with %d", n, counts.Sum(d.Devices))
	}
}

// footer compares what a footer says with what was read.
func (v *verifier) footer(b *segment.Block) {
	m := frame.Meta{Footer: func(f *frame.Footer) {
		if f.EndOrd != v.expect {
			v.harm(b.Off, "the footer says that the segment ends at sample %d of the log, but it ends at %d", f.EndOrd, v.expect)
		}
		if f.Count != v.samples+v.lost {
			v.harm(b.Off, "the footer says that the segment holds %d samples, but it holds %d", f.Count, v.samples+v.lost)
		}
		if f.NextSeq <= v.lastSeq {
			v.at(Fault, b.Off, 0, "the footer says that the next sequence number is %d, but %d was given", f.NextSeq, v.lastSeq)
		}
	}}
	_ = m.Read(b.Payload) // meta has told of its error
	v.ended = true
}

// finish checks the log as a whole.
func (v *verifier) finish() {
	t := v.book.tail()
	if !t.Known && len(v.log.Segments) > 0 {
		v.find(Finding{Level: Loss, File: v.log.dir, Offset: -1, Text: "the accounts of the readers are not complete: those that the configuration names begin at the oldest sample"})
	}
	if len(v.log.Segments) == 0 {
		return
	}
	first, most := v.log.Segments[0].FirstOrd, uint64(0)
	for i := range t.Readers {
		if r := &t.Readers[i]; r.Ord < first {
			most = max(most, first-r.Ord)
			v.find(Finding{Level: Loss, File: v.log.dir, Offset: -1, Samples: first - r.Ord, Text: fmt.Sprintf("the reader %q still waits for %d samples before the oldest segment: their files are not there", r.Name, first-r.Ord)})
		}
	}
	v.sum.Damaged += most
	for reason, n := range v.dropped {
		if total := counts.Of(t.Dropped, reason); total < n && t.Clean && !v.cut {
			v.find(Finding{Level: Fault, File: v.log.dir, Offset: -1, Text: fmt.Sprintf("%d samples are recorded as dropped (%s), but only %d are counted", n, reason, total)})
		}
	}
}
