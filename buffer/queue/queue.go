// Package queue holds the samples that are not durable in the log yet, as
// blocks in the making, in a ring that outlives the process where there is a
// directory in memory for it, together with the dictionary that they need.
//
// It also counts the samples of the log. Samples that are neither in the queue
// nor in the log are holes: settled by every reader before they were written,
// or lost.
//
// A Queue is not safe for concurrent use. It writes to the directory in
// memory, and to nothing else; nothing in it blocks.
package queue

import (
	"log/slog"
	"slices"
	"time"

	"fieldferry/buffer/dict"
	"fieldferry/buffer/disk"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/ring"
	"fieldferry/buffer/tally"
	"fieldferry/tag"
)

// Queue is the memory before the log.
type Queue struct {
	log     *slog.Logger
	side    side
	ring    *ring.Ring
	blocks  []*Block // the ring's records, oldest first
	spare   []*Block
	scratch []byte
	serial  uint64      // of the last block begun
	holes   []frame.Gap // oldest first
	dict    *dict.Dict
	size    int

	untouched bool
	counted   bool

	epoch uint32
	seq   uint64 // the last one given
	ord   uint64
}

// Block is one that is being filled, waits to be written, or is being
// written. Its fields are to be read only; Frames and Entries of one that
// Take returned stay as they are until it is durable or given back.
type Block struct {
	*ring.Record
	Serial  uint64
	Last    uint64        // sequence number of its last sample
	Entries []*dict.Entry // of the dictionary, that its samples use
	enc     frame.Encoder
	writing bool
}

// Origin is where the numbers of a run begin.
type Origin struct {
	Log   uint64
	Boot  [16]byte
	Epoch uint32
	Ord   uint64 // samples appended to the log
	Seq   uint64 // the last sequence number given to one of them
	Clean bool   // the log was closed in order, or is new
}

// New makes a queue for size bytes of blocks, in shared memory in dir. Where
// that is empty or there is none the queue is in memory of this process. Its
// tags count in counters, which it shares with the queues of other logs. It
// can be used after Recover or Reset.
func New(fs disk.FS, dir string, size int, counters *tally.Tally, log *slog.Logger) *Queue {
	q := &Queue{log: log, dict: dict.New(counters), size: size}
	q.side.open(fs, dir, ring.Size(size), log)
	return q
}

// Reset empties the queue; the numbers go on from o.
func (q *Queue) Reset(o Origin) {
	mem := q.side.memory()
	if mem == nil {
		mem = make([]byte, ring.Size(q.size))
	}
	id := ring.ID{Log: o.Log, Boot: o.Boot, Ring: q.side.renew()}
	q.ring = ring.New(mem, id, o.Ord)
	q.blocks, q.holes = q.blocks[:0], q.holes[:0]
	q.dict.Clear() // what is in the old one is not beside the new ring
	q.ord, q.seq = o.Ord, o.Seq
	q.ring.SetSeq(o.Seq)
	q.SetEpoch(o.Epoch)
}

// SetEpoch sets the epoch of the blocks to come.
func (q *Queue) SetEpoch(epoch uint32) {
	q.epoch = epoch
	q.ring.SetEpoch(epoch)
}

// Epoch returns the epoch of this run.
func (q *Queue) Epoch() uint32 { return q.epoch }

// Ord is the number of samples appended to the log.
func (q *Queue) Ord() uint64 { return q.ord }

// Seq is the last sequence number given to a sample of the log.
func (q *Queue) Seq() uint64 { return q.seq }

// Used is the number of bytes in use.
func (q *Queue) Used() int { return q.ring.Used() }

// Shared says that the queue outlives the process.
func (q *Queue) Shared() bool { return q.side.shared }

// Add appends one sample with the number seq, above all before. It reports
// false, and has changed nothing, when there is no room for it. Its text must
// fit into a block.
func (q *Queue) Add(s *tag.Sample, seq uint64, now time.Duration) bool {
	e, isNew := q.dict.Tag(s.Tag)
	if isNew {
		q.save(e)
	}
	why, isNew := q.dict.Reason(s.Quality.Reason)
	if isNew {
		q.save(why)
	}
	reason := uint32(0)
	if why != nil {
		reason = why.ID
	}
	n := e.Counter.N + 1 - e.Base
	for {
		if b := q.current(); b != nil {
			enc := b.enc
			q.scratch = enc.Append(q.scratch[:0], s, seq, e.ID, reason, n)
			if q.ring.Append(b.Record, q.scratch, 1) {
				b.enc = enc
				b.use(e)
				b.use(why)
				b.Last = seq
				q.count(seq)
				q.tell(e)
				return true
			}
			q.ring.Seal(b.Record)
		}
		var enc frame.Encoder
		enc.Begin(seq)
		q.scratch = enc.Append(q.scratch[:0], s, seq, e.ID, reason, n)
		if !q.begin(seq, now, len(q.scratch)) {
			return false
		}
	}
}

// tell counts a sample of the tag. The ring has it already: when the process
// ends here the next one counts it too.
func (q *Queue) tell(e *dict.Entry) {
	e.Counter.N++
	q.ring.SetCount(e.ID, e.Counter.N)
}

// Lose counts a sample of the tag that could not be added as lost.
func (q *Queue) Lose(t *tag.Tag, seq uint64, reason string) {
	q.Hole(frame.Gap{From: q.ord, To: q.ord + 1, FirstSeq: seq, LastSeq: seq, Reason: reason})
	q.count(seq)
	e, isNew := q.dict.Tag(t)
	if isNew {
		q.save(e)
	}
	q.tell(e)
}

func (q *Queue) count(seq uint64) {
	q.ord++
	q.seq = seq
	q.ring.SetSeq(seq)
	q.ring.SetOrd(q.ord)
}

// current is the block that is being filled, or nil.
func (q *Queue) current() *Block {
	if n := len(q.blocks); n > 0 && !q.blocks[n-1].Sealed() {
		return q.blocks[n-1]
	}
	return nil
}

func (q *Queue) begin(seq uint64, now time.Duration, need int) bool {
	rec := q.ring.Begin(seq, q.ord, q.epoch, now, need)
	if rec == nil {
		return false
	}
	q.push(rec).enc.Begin(seq)
	return true
}

func (q *Queue) push(rec *ring.Record) *Block {
	b := new(Block)
	if n := len(q.spare); n > 0 {
		b, q.spare = q.spare[n-1], q.spare[:n-1]
	}
	q.serial++
	*b = Block{Record: rec, Entries: b.Entries[:0], Serial: q.serial}
	q.blocks = append(q.blocks, b)
	return b
}

// use notes that a sample of b needs e.
func (b *Block) use(e *dict.Entry) {
	if e != nil && e.Block != b.Serial {
		e.Block = b.Serial
		b.Entries = append(b.Entries, e)
	}
}

// Oldest is the oldest block, nil if there is none.
func (q *Queue) Oldest() *Block {
	if len(q.blocks) == 0 {
		return nil
	}
	return q.blocks[0]
}

// FreeSettled frees the oldest blocks as long as settled says so of their
// samples, and they were not taken to be written, and returns how many
// samples those were.
func (q *Queue) FreeSettled(settled func(from, to uint64) bool) (n uint64) {
	for len(q.blocks) > 0 {
		b := q.blocks[0]
		if b.writing || !settled(b.Ord, b.End()) {
			break
		}
		q.Hole(b.gap(""))
		n += uint64(b.Count)
		q.free()
	}
	return n
}

// DropOldest drops the oldest block for a reason, unless it is being written.
func (q *Queue) DropOldest(reason string) (frame.Gap, bool) {
	if len(q.blocks) == 0 || q.blocks[0].writing {
		return frame.Gap{}, false
	}
	b := q.blocks[0]
	h := b.gap(reason)
	q.Hole(h)
	q.free()
	return h, true
}

func (b *Block) gap(reason string) frame.Gap {
	return frame.Gap{From: b.Ord, To: b.End(), FirstSeq: b.Seq, LastSeq: b.Last, Reason: reason}
}

// free gives up the oldest block.
func (q *Queue) free() {
	b := q.blocks[0]
	q.ring.Seal(b.Record)
	q.ring.Free()
	copy(q.blocks, q.blocks[1:])
	q.blocks = q.blocks[:len(q.blocks)-1]
	b.Record = nil
	q.spare = append(q.spare, b)
}

// Take seals the oldest blocks that were not taken yet and appends them to
// dst, about limit bytes of them, and says whether there are more.
func (q *Queue) Take(dst []*Block, limit int) (blocks []*Block, more bool) {
	size := 0
	for _, b := range q.blocks {
		if b.writing {
			continue
		}
		if size > limit {
			return dst, true
		}
		q.ring.Seal(b.Record)
		b.writing = true
		dst = append(dst, b)
		size += len(b.Frames)
	}
	return dst, false
}

// Durable frees the blocks that were taken and whose samples are all below
// ord, and forgets the holes there.
func (q *Queue) Durable(ord uint64) {
	for len(q.blocks) > 0 && q.blocks[0].writing && q.blocks[0].End() <= ord {
		q.free()
	}
	q.holes = slices.DeleteFunc(q.holes, func(h frame.Gap) bool { return h.To <= ord })
}

// GiveBack makes the blocks that were taken wait again.
func (q *Queue) GiveBack() {
	for _, b := range q.blocks {
		b.writing = false
	}
}

// Find returns the block that holds the sample before which ord others came,
// nil if none does.
func (q *Queue) Find(ord uint64) *Block {
	for i := len(q.blocks) - 1; i >= 0; i-- {
		if b := q.blocks[i]; b.Ord <= ord {
			if ord < b.End() {
				return b
			}
			return nil
		}
	}
	return nil
}

// Waiting returns the bytes of the blocks with samples from ord on, and the
// log time when the oldest of them was begun, if there is one.
func (q *Queue) Waiting(ord uint64) (bytes int64, since time.Duration, ok bool) {
	for _, b := range q.blocks {
		if b.End() <= ord {
			continue
		}
		bytes += int64(len(b.Frames))
		if !ok {
			since, ok = b.Time, true
		}
	}
	return bytes, since, ok
}

// Hole notes that the samples of g are in neither queue nor log.
func (q *Queue) Hole(g frame.Gap) {
	i := len(q.holes)
	for i > 0 && q.holes[i-1].From > g.From {
		i--
	}
	if i > 0 && q.holes[i-1].To == g.From && q.holes[i-1].Reason == g.Reason {
		q.holes[i-1].To, q.holes[i-1].LastSeq = g.To, g.LastSeq
		return
	}
	q.holes = slices.Insert(q.holes, i, g)
}

// Cover cuts the range from up to to, where no block is, into the holes that
// it consists of. What none names was settled by everybody.
func (q *Queue) Cover(from, to uint64) []frame.Gap {
	var out []frame.Gap
	for _, h := range q.holes {
		if h.To <= from || h.From >= to {
			continue
		}
		if h.From > from {
			out = append(out, frame.Gap{From: from, To: h.From})
		}
		h.From, h.To = max(h.From, from), min(h.To, to)
		out = append(out, h)
		from = h.To
	}
	if from < to {
		out = append(out, frame.Gap{From: from, To: to})
	}
	return out
}

// Tag returns the tag that was appended under a number, in this run or in the
// one whose blocks were recovered.
func (q *Queue) Tag(id uint32) *tag.Tag {
	if e := q.dict.TagByID(id); e != nil {
		return e.Tag
	}
	return nil
}

// Reason returns the reason that was appended under a number.
func (q *Queue) Reason(id uint32) (string, bool) {
	if e := q.dict.ReasonByID(id); e != nil {
		return e.Reason, true
	}
	return "", false
}

// Known returns one pointer for equal tags of all runs; see dict.Dict.
func (q *Queue) Known(fields frame.Fields) *tag.Tag { return q.dict.Known(fields) }

// Untouched says that nothing was appended since the log was closed in order,
// or was made: the ring, of this start of the machine, tells.
func (q *Queue) Untouched() bool { return q.untouched }

// Prune forgets tags that nobody uses any more.
func (q *Queue) Prune() {
	oldest := q.serial + 1
	if len(q.blocks) > 0 {
		oldest = q.blocks[0].Serial
	}
	q.dict.Prune(oldest, q.serial)
}

// SetCell keeps the account of reader number i beside the ring, so that it
// outlives the process; ClearCell forgets it. Numbers go up to ring.Cells.
func (q *Queue) SetCell(i int, r *frame.Reader) {
	if q.side.mapping != nil && i < ring.Cells {
		q.ring.SetCell(i, r)
	}
}

// ClearCell forgets the account of reader number i.
func (q *Queue) ClearCell(i int) {
	if q.side.mapping != nil && i < ring.Cells {
		q.ring.ClearCell(i)
	}
}

// Close lets go of the memory; the queue must not be used any more. When
// everything in it is durable it is also deleted.
func (q *Queue) Close(durable bool) error { return q.side.close(durable) }
