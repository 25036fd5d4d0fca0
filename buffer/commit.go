package buffer

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"fieldferry/buffer/disk"
	"fieldferry/buffer/segment"
)

// writer is the segment that is being written. Buffer.wmu guards it.
type writer struct {
	seg     *seg
	file    disk.File // nil: the next commit begins a segment
	off     int64     // where the next write goes
	durable int64     // what lies below it is durable
	out     []byte    // blocks that are not written yet
	dirty   bool      // something was written since the last sync
	next    uint64    // count of the log's samples at the end of out
	count   uint64    // samples in the segment
	oldest  time.Duration
	newest  time.Duration
	dict    []*entry // in the segment
	dictLen int      // and their size on disk

	lastID  uint32
	saving  []saving       // accounts in out
	drops   []segment.Drop // to be recorded
	doomed  []*seg         // to be deleted once the drops are recorded
	last    time.Duration  // when accounts were saved
	clock   disk.Clock
	retryAt time.Duration
	backoff time.Duration
	floorAt time.Duration // when the free space is looked at again
	kept    bool          // this run took over the ring of the one before
}

// saving is an account on its way to the disk.
type saving struct {
	a       *account
	state   segment.Reader
	version uint64
}

const (
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
	// bulk is how much is gathered for one write.
	bulk = 256 << 10
)

// tryCommit is commit, unless the disk failed only just now.
func (b *Buffer) tryCommit() error {
	b.mu.Lock()
	failing, now := b.health.failing, b.now
	b.mu.Unlock()
	if failing != nil && now < b.w.retryAt {
		return failing
	}
	return b.commit()
}

// commit makes everything durable that has been appended and settled. When it
// fails the segment is given up where it was last durable, and what was
// written since is still in the ring: the next commit writes it into a new
// segment. The file of a failed sync is never synced again.
func (b *Buffer) commit() error {
	err := b.writeAll(true)
	if err == nil {
		err = b.syncFile()
	}
	if err != nil {
		b.fail(err)
		return err
	}
	b.saved()
	b.unlink(false)
	return nil
}

// writeThrough writes what is pending into the log without a sync, where no
// shared memory keeps it: from then on the kernel does.
func (b *Buffer) writeThrough() {
	b.wmu.Lock()
	defer b.wmu.Unlock()
	b.mu.Lock()
	failing := b.health.failing
	b.mu.Unlock()
	if failing != nil {
		return
	}
	if err := b.writeAll(false); err != nil {
		b.fail(err)
	}
}

// writeAll writes all pending blocks and, with accounts, what the readers
// have settled.
func (b *Buffer) writeAll(accounts bool) error {
	if b.w.file == nil {
		if err := b.startSegment(); err != nil {
			return err
		}
	}
	for more := true; more; {
		var batch []*pending
		var end uint64
		batch, end, more = b.take(accounts)
		for _, p := range batch {
			if err := b.put(p); err != nil {
				return err
			}
		}
		if !more {
			b.putGap(end)
		}
	}
	if accounts {
		b.putAccounts()
	}
	return b.flush()
}

// take hands the oldest idle blocks to the writer, about bulk bytes of them.
// With the last ones it takes the accounts, so that no position can be
// durable before the samples below it.
func (b *Buffer) take(accounts bool) (batch []*pending, end uint64, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.freeSettledLocked()
	size := 0
	for _, p := range b.pending {
		if p.state == pendingWriting {
			continue
		}
		if size > bulk {
			return batch, 0, true
		}
		b.ring.Seal(p.rec)
		p.state = pendingWriting
		batch = append(batch, p)
		size += len(p.rec.Frames)
	}
	b.w.saving = b.w.saving[:0]
	for _, a := range b.accounts {
		if accounts && (!a.isSaved || a.version != a.savedVers) {
			b.w.saving = append(b.w.saving, saving{a: a, state: copyReader(&a.Reader), version: a.version})
		}
	}
	return batch, b.ord, false
}

// put adds one block, with the dictionary that it needs, and begins a new
// segment where it does not fit.
func (b *Buffer) put(p *pending) error {
	w := &b.w
	need := segment.BlockSize(len(p.rec.Frames)) + w.missing(p)
	if w.count > 0 && w.off+int64(len(w.out)+need+w.closing()) > b.lim.segment {
		if err := b.roll(); err != nil {
			return err
		}
	}
	b.putGap(p.rec.Ord)
	w.putDict(p)
	if w.count == 0 {
		w.oldest = p.rec.Time
	}
	w.newest = p.rec.Time
	w.block(&segment.Block{
		Count: p.rec.Count, FirstSeq: p.rec.Seq, FirstOrd: p.rec.Ord,
		Epoch: p.rec.Epoch, Time: p.rec.Time, Payload: p.rec.Frames,
	})
	w.next = p.rec.End()
	w.count += uint64(p.rec.Count)
	if len(w.out) >= bulk {
		return b.flush()
	}
	return nil
}

// missing is about the size of the dictionary blocks that p needs.
func (w *writer) missing(p *pending) int {
	n := 0
	for _, e := range p.entries {
		if e.seg != w.seg.ID {
			n += len(e.append(nil))
		}
	}
	if n == 0 {
		return 0
	}
	return n + (n/segment.MaxPayload+1)*2*segment.BlockHeader
}

// closing is the room that sealing the segment takes.
func (w *writer) closing() int { return w.dictLen + segment.FooterSize }

// putDict adds the dictionary entries of p that the segment does not hold.
func (w *writer) putDict(p *pending) {
	var frames []byte
	for _, e := range p.entries {
		if e.seg == w.seg.ID {
			continue
		}
		e.seg = w.seg.ID
		w.dict = append(w.dict, e)
		frames = w.frame(frames, e.append(nil), segment.FlagDict)
	}
	w.dictLen += w.frames(frames, segment.FlagDict)
}

// frame adds a frame to frames, which becomes a block when it is full.
func (w *writer) frame(frames, frame []byte, f segment.Flags) []byte {
	if len(frames)+len(frame) > segment.MaxPayload {
		w.dictLen += w.frames(frames, f)
		frames = frames[:0]
	}
	return append(frames, frame...)
}

// frames adds a block of frames without samples and returns its size.
func (w *writer) frames(frames []byte, f segment.Flags) int {
	if len(frames) == 0 {
		return 0
	}
	w.block(&segment.Block{Flags: f, FirstOrd: w.next, Payload: frames})
	return segment.BlockSize(len(frames))
}

func (w *writer) block(blk *segment.Block) {
	blk.Durable = uint32(w.durable)
	w.out = segment.AppendBlock(w.out, w.seg.Key(), blk)
}

// putGap says what became of the samples from w.next up to to, which are
// not pending any more.
func (b *Buffer) putGap(to uint64) {
	if to <= b.w.next {
		return
	}
	b.mu.Lock()
	var frames []byte
	for _, g := range cover(b.holes, b.w.next, to) {
		if g.reason == "" {
			frames = segment.AppendSkip(frames, segment.Skip{From: g.from, To: g.to})
			continue
		}
		frames = segment.AppendDrop(frames, &segment.Drop{
			Reason: g.reason, From: g.from, To: g.to,
			FirstSeq: g.from + b.delta + 1, LastSeq: g.to + b.delta, Oldest: b.now, Newest: b.now,
		})
	}
	b.mu.Unlock()
	b.w.frames(frames, segment.FlagMeta)
	b.w.next = to
}

// cover cuts the range from up to to into the holes it consists of. What no
// hole names was settled by everybody.
func cover(holes []hole, from, to uint64) []hole {
	var out []hole
	for _, h := range holes {
		if h.to <= from || h.from >= to {
			continue
		}
		if h.from > from {
			out = append(out, hole{from: from, to: h.from})
		}
		h.from, h.to = max(h.from, from), min(h.to, to)
		out = append(out, h)
		from = h.to
	}
	if from < to {
		out = append(out, hole{from: from, to: to})
	}
	return out
}

// putAccounts adds the accounts that take has taken, and the drops.
func (b *Buffer) putAccounts() {
	w := &b.w
	if len(w.saving) == 0 && len(w.drops) == 0 {
		return
	}
	var frames []byte
	for i := range w.drops {
		frames = w.frame(frames, segment.AppendDrop(nil, &w.drops[i]), segment.FlagMeta)
	}
	for i := range w.saving {
		frames = w.frame(frames, segment.AppendReader(nil, &w.saving[i].state), segment.FlagMeta)
	}
	st := b.state()
	frames = w.frame(frames, segment.AppendState(nil, &st), segment.FlagMeta)
	w.frames(frames, segment.FlagMeta)
}

func (b *Buffer) state() segment.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return segment.State{Dropped: append([]segment.Count(nil), b.dropped...)}
}

// flush writes what was gathered.
func (b *Buffer) flush() error {
	w := &b.w
	if len(w.out) == 0 {
		return nil
	}
	n, err := w.file.WriteAt(w.out, w.off)
	if err != nil {
		return fmt.Errorf("write %d bytes to segment %q: %w", len(w.out), w.seg.name, err)
	}
	w.off += int64(n)
	w.out = w.out[:0]
	w.dirty = true
	b.mu.Lock()
	b.count.written += uint64(n)
	w.seg.used, w.seg.size = w.off, max(w.seg.size, w.off)
	b.mu.Unlock()
	return nil
}

// syncFile makes durable what was flushed.
func (b *Buffer) syncFile() error {
	if !b.w.dirty {
		return nil
	}
	begin := time.Now()
	if err := b.w.file.Sync(); err != nil {
		return fmt.Errorf("sync segment %q: %w", b.w.seg.name, err)
	}
	took := time.Since(begin)
	b.w.dirty = false
	b.w.durable = b.w.off
	b.mu.Lock()
	b.count.syncs++
	b.health.lastSync, b.health.maxSync = took, max(b.health.maxSync, took)
	b.mu.Unlock()
	return nil
}

// saved notes that everything written is durable.
func (b *Buffer) saved() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.durableLocked()
	for _, s := range b.w.saving {
		s.a.saved, s.a.savedVers, s.a.isSaved = s.state, s.version, true
	}
	if len(b.w.saving) > 0 {
		b.w.last = b.now
	}
	b.w.saving = b.w.saving[:0]
	b.w.drops = nil
	b.forgetRemovedLocked()
	if b.health.failing != nil {
		b.log.Info("the buffer is on disk again", "down", b.now-b.health.since)
		b.health.failing = nil
	}
	b.w.backoff = 0
}

// durableLocked frees the blocks that are durable.
func (b *Buffer) durableLocked() {
	b.diskOrd = b.w.next
	b.w.seg.end = b.w.next
	for len(b.pending) > 0 && b.pending[0].state == pendingWriting && b.pending[0].rec.End() <= b.diskOrd {
		b.freeLocked()
	}
	for len(b.holes) > 0 && b.holes[0].to <= b.diskOrd {
		b.holes = b.holes[1:]
	}
}

// fail gives the segment up. Blocks that are not durable stay in the ring.
func (b *Buffer) fail(err error) {
	w := &b.w
	if w.file != nil {
		_ = w.file.Close() // whatever it says, the file is not used again
		w.file = nil
	}
	w.out, w.dirty = w.out[:0], false
	w.backoff = min(max(2*w.backoff, minBackoff), maxBackoff)
	b.mu.Lock()
	w.next = b.diskOrd
	for _, p := range b.pending {
		p.state = pendingIdle
	}
	w.retryAt = b.now + w.backoff
	b.count.failures++
	if b.health.failing == nil {
		b.health.since = b.now
		b.log.Error("the buffer cannot be written: samples wait in memory", "err", err)
	}
	b.health.failing = err
	b.roomLocked()
	b.mu.Unlock()
	if errors.Is(err, syscall.ENOSPC) {
		b.trim(true)
		b.unlink(true)
	}
}

// health is how the disk does. Buffer.mu guards it.
type health struct {
	failing  error // nil: it works
	since    time.Duration
	lastSync time.Duration
	maxSync  time.Duration
}
