package inspect

import (
	"cmp"
	"context"
	"slices"
	"time"

	"fieldferry/buffer/clock"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/inspect/counts"
	"fieldferry/buffer/segment"
)

// Tail is what the newest segments say of the log as a whole.
type Tail struct {
	Count   uint64 // samples appended, as far as the disk knows
	Next    uint64 // the sequence number behind the last one
	Epoch   uint32
	Clean   bool // the log was closed in order
	Known   bool // the accounts are complete
	Readers []Reader
	Dropped []frame.Count // samples gone before every reader had them, since the log was made
	Drops   []frame.Drop  // the records of them that are still there, oldest first
	Now     time.Duration // the log's own time of the last thing written

	clocks clock.Table
}

// Reader is the account of one reader as it was last durable.
type Reader struct {
	frame.Reader
	Beyond uint64 // samples settled ahead of its position
	Lag    uint64 // samples that it has not settled
}

// Tail reads the newest segment, and as many before it as it takes to know the
// readers.
func (d *Dir) Tail(ctx context.Context, l *Log) (Tail, error) {
	var chain []*Segment
	for _, s := range slices.Backward(l.Segments) {
		chain = append(chain, s)
		b := newLedger()
		if err := d.each(ctx, s, func(blk *segment.Block) { _, _ = b.take(blk) }); err != nil {
			return Tail{}, err
		}
		if b.complete() || len(chain) == 4 {
			break
		}
	}
	b := newLedger()
	for _, s := range slices.Backward(chain) {
		b.begin(s)
		if err := d.each(ctx, s, func(blk *segment.Block) { _, _ = b.take(blk) }); err != nil {
			return Tail{}, err
		}
	}
	return b.tail(), nil
}

// each calls use for each intact block of a segment that counts. A segment
// that cannot be opened has none.
func (d *Dir) each(ctx context.Context, s *Segment, use func(*segment.Block)) error {
	f, err := d.open(s)
	if err != nil {
		return nil
	}
	defer f.Close() // it was only read
	s.blocks(f, segment.HeaderSize, func(b *segment.Block) bool {
		if ctx.Err() != nil || s.void(b) {
			return false
		}
		use(b)
		return true
	})
	return ctx.Err()
}

// void says that a block counts for nothing: the next segment has its samples
// again.
func (s *Segment) void(b *segment.Block) bool {
	return b.Count > 0 && s.ends(b.FirstOrd+1)
}

// ends says that the segment has ended before count samples of the log: what
// it says of those is void.
func (s *Segment) ends(count uint64) bool { return !s.last && s.State != aside && count > s.until }

// ledger is what meta blocks say, up to the last one that was taken.
type ledger struct {
	count, next uint64
	epoch       uint32
	clean       bool
	now         time.Duration
	readers     map[string]frame.Reader
	dropped     []frame.Count
	drops       []frame.Drop
	recorded    map[dropKey]bool
	fresh       []frame.Drop // of the last block taken, for the first time
	snapshot    bool
	wanted      uint32
	clocks      clock.Table
}

// dropKey names a drop: it may be written again in a later snapshot.
type dropKey struct {
	id       uint64
	reason   string
	from, to uint64
}

func newLedger() *ledger {
	return &ledger{readers: map[string]frame.Reader{}, recorded: map[dropKey]bool{}}
}

// begin takes what the header of a segment says.
func (l *ledger) begin(s *Segment) {
	l.count, l.next = max(l.count, s.FirstOrd), max(l.next, s.FirstSeq)
	l.epoch, l.now = max(l.epoch, s.Epoch), max(l.now, s.Clock.Log)
	l.clean = false
}

// take takes a block, and returns the accounts in it.
func (l *ledger) take(b *segment.Block) (accounts []frame.Reader, err error) {
	l.fresh = nil
	l.epoch = max(l.epoch, b.Epoch)
	if isDict(b) {
		return nil, nil
	}
	l.clean = false
	if !isMeta(b) {
		l.count, l.next = max(l.count, b.End()), max(l.next, b.LastSeq+1)
		l.now = max(l.now, b.Time)
		return nil, nil
	}
	wanted := uint32(0)
	m := frame.Meta{
		Reader: func(r *frame.Reader) {
			accounts = append(accounts, *r)
			l.readers[r.Name] = *r
		},
		Drop: func(d *frame.Drop) {
			l.gap(frame.Gap{From: d.From, To: d.To, LastSeq: d.LastSeq, Reason: d.Reason})
			l.record(d)
		},
		Skip: l.gap,
		Clock: func(c *frame.Clock) {
			l.clocks.Note(*c)
			l.snapshot, l.wanted, l.now = true, wanted, max(l.now, c.Log)
		},
		State: func(s *frame.State) { l.dropped, wanted = s.Dropped, s.Readers },
		Footer: func(f *frame.Footer) {
			l.count, l.next = max(l.count, f.EndOrd), max(l.next, f.NextSeq)
			l.clean, l.now = f.Clean, max(l.now, f.Newest)
		},
	}
	err = m.Read(b.Payload)
	return accounts, err
}

// gap notes samples that follow the last ones and were never written.
func (l *ledger) gap(g frame.Gap) {
	if g.From == l.count {
		l.count, l.next = g.To, max(l.next, g.LastSeq+1)
	}
}

// record keeps a drop, once.
func (l *ledger) record(d *frame.Drop) {
	k := dropKey{d.ID, d.Reason, d.From, d.To}
	if !l.recorded[k] {
		l.recorded[k] = true
		l.drops, l.fresh = append(l.drops, *d), append(l.fresh, *d)
	}
}

func (l *ledger) complete() bool { return l.snapshot && len(l.readers) >= int(l.wanted) }

func (l *ledger) tail() Tail {
	t := Tail{
		Count: l.count, Next: l.next, Epoch: l.epoch, Clean: l.clean, Known: l.complete(), Now: l.now,
		Dropped: l.dropped, Drops: l.drops, clocks: l.clocks,
	}
	for _, r := range l.readers {
		t.Count = max(t.Count, r.Ord)
		if n := len(r.Ahead); n > 0 {
			t.Count = max(t.Count, r.Ahead[n-1].To)
		}
		if !r.Removed {
			t.Readers = append(t.Readers, Reader{Reader: r})
		}
	}
	for i := range t.Readers {
		r := &t.Readers[i]
		r.Beyond = counts.Ahead(&r.Reader)
		r.Lag = t.Count - r.Ord - r.Beyond
	}
	slices.SortFunc(t.Readers, func(x, y Reader) int { return cmp.Compare(x.Name, y.Name) })
	return t
}
