package buffer

import (
	"errors"
	"syscall"
	"time"

	"fieldferry/buffer/disk"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/queue"
	"fieldferry/buffer/segment"
)

// writer is the state of the one who writes. Buffer.wmu guards it.
type writer struct {
	batch   []*queue.Block
	saving  int           // accounts that are being written
	drops   []frame.Drop  // to be recorded
	saved   time.Duration // when accounts were saved
	clock   disk.Clock
	retryAt time.Duration
	backoff time.Duration
	floorAt time.Duration // when the free space is looked at again
	kept    bool          // this run took over the memory of the one before
}

// health is how the disk does. Buffer.mu guards it.
type health struct {
	failing  error // nil: it works
	since    time.Duration
	failures uint64
}

const (
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
	// bulk is about how much is taken from the queue at once.
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
// written since is still in the queue: the next commit writes it into a new
// segment. The file of a failed sync is never synced again.
func (b *Buffer) commit() error {
	err := b.writeAll(true)
	if err == nil {
		err = b.store.Sync()
	}
	if err != nil {
		b.fail(err)
		return err
	}
	b.saved()
	b.store.Delete()
	return nil
}

// writeThrough writes what is pending into the log without a sync, where no
// shared memory keeps it: from then on the kernel does.
func (b *Buffer) writeThrough() {
	b.wmu.Lock()
	defer b.wmu.Unlock()
	b.mu.Lock()
	failing, closed := b.health.failing, b.closed
	b.mu.Unlock()
	if failing != nil || closed {
		return
	}
	if err := b.writeAll(false); err != nil {
		b.fail(err)
	}
}

// writeAll writes all pending blocks and, with accounts, what the readers
// have settled.
func (b *Buffer) writeAll(accounts bool) error {
	if !b.store.Writing() {
		if err := b.startSegment(); err != nil {
			return err
		}
	}
	for more := true; more; {
		var end uint64
		if end, more = b.take(accounts); !more {
			defer clear(b.w.batch)
		}
		for _, blk := range b.w.batch {
			if err := b.put(blk); err != nil {
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
	return b.store.Flush()
}

// take takes the oldest blocks from the queue. With the last ones it takes
// the accounts, so that no position can be durable before the samples below
// it, and returns where the log will end.
func (b *Buffer) take(accounts bool) (end uint64, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.freeSettledLocked()
	if b.w.batch, more = b.q.Take(b.w.batch[:0], bulk); more {
		return 0, true
	}
	if accounts {
		b.w.saving = b.book.Save()
	}
	return b.q.Ord(), false
}

// put adds one block, in a new segment where it does not fit.
func (b *Buffer) put(blk *queue.Block) error {
	if !b.store.Fits(len(blk.Frames), blk.Entries) {
		if err := b.roll(); err != nil {
			return err
		}
	}
	b.putGap(blk.Ord)
	return b.store.Put(&segment.Block{
		Count: blk.Count, FirstSeq: blk.Seq, FirstOrd: blk.Ord,
		Epoch: blk.Epoch, Time: blk.Time, Payload: blk.Frames,
	}, blk.Entries)
}

// putGap says what became of the samples up to to, which are not pending any
// more.
func (b *Buffer) putGap(to uint64) {
	next := b.store.Next()
	if to <= next {
		return
	}
	b.mu.Lock()
	holes, delta, now := b.q.Cover(next, to), b.q.Delta(), b.now
	b.mu.Unlock()
	b.store.PutGaps(holes, delta, now)
}

// putAccounts adds the accounts that take has taken, and the drops.
func (b *Buffer) putAccounts() {
	if b.w.saving == 0 && len(b.w.drops) == 0 {
		return
	}
	frames := b.dropFrames()
	b.mu.Lock()
	frames = append(frames, b.book.Frames()...)
	st := frame.State{Dropped: b.book.Dropped}
	frames = append(frames, st.Append(nil))
	b.mu.Unlock()
	b.store.PutFrames(frames, segment.FlagMeta)
}

func (b *Buffer) dropFrames() (frames [][]byte) {
	for i := range b.w.drops {
		frames = append(frames, b.w.drops[i].Append(nil))
	}
	return frames
}

// roll seals the segment and begins the next one.
func (b *Buffer) roll() error {
	if err := b.store.Seal(b.nextSeq()); err != nil {
		return err
	}
	b.mu.Lock()
	b.durableLocked()
	b.mu.Unlock()
	return b.startSegment()
}

// startSegment begins the next segment with the durable accounts of all
// readers, so that it can do without the segments before it, and with the
// drops that have to be recorded.
func (b *Buffer) startSegment() error {
	b.makeRoom()
	b.mu.Lock()
	b.q.Prune()
	h := segment.Header{Epoch: b.q.Epoch(), FirstSeq: b.store.Next() + b.q.Delta() + 1, Clock: frame.Clock{Log: b.now, Clock: b.w.clock}}
	accounts := b.book.Durable()
	st := frame.State{Readers: uint32(len(accounts)), Dropped: b.book.Dropped}
	snapshot := [][]byte{st.Append(nil)}
	b.mu.Unlock()
	snapshot = append(snapshot, h.Clock.Append(nil))
	snapshot = append(append(snapshot, b.dropFrames()...), accounts...)
	if err := b.store.Begin(h, snapshot); err != nil {
		return err
	}
	b.w.drops = nil
	b.store.Delete()
	return nil
}

// saved notes that everything written is durable.
func (b *Buffer) saved() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.durableLocked()
	if b.book.Saved(); b.w.saving > 0 {
		b.w.saved = b.now
	}
	b.w.saving, b.w.drops = 0, nil
	b.book.Forget(b.q.ClearCell)
	if b.health.failing != nil {
		b.log.Info("the buffer is on disk again", "down", b.now-b.health.since)
		b.health.failing = nil
	}
	b.w.backoff = 0
}

// durableLocked frees what is durable.
func (b *Buffer) durableLocked() {
	b.diskOrd = b.store.Next()
	b.q.Durable(b.diskOrd)
	b.roomLocked()
}

// fail gives the segment up. Blocks that are not durable stay in the queue.
func (b *Buffer) fail(err error) {
	b.w.backoff = min(max(2*b.w.backoff, minBackoff), maxBackoff)
	b.mu.Lock()
	b.store.GiveUp(b.diskOrd)
	b.q.GiveBack()
	b.w.retryAt = b.now + b.w.backoff
	b.health.failures++
	if b.health.failing == nil {
		b.health.since = b.now
		b.log.Error("the buffer cannot be written: samples wait in memory", "err", err)
	}
	b.health.failing = err
	b.roomLocked()
	b.mu.Unlock()
	if errors.Is(err, syscall.ENOSPC) {
		// Nothing can be recorded before something is deleted. Should the
		// power fail before it is, the samples count as missing.
		b.trim(true)
		b.store.Delete()
	}
}
