package classlog

import (
	"errors"
	"syscall"
	"time"

	"fieldferry/buffer/frame"
	"fieldferry/buffer/queue"
	"fieldferry/buffer/segment"
	"fieldferry/buffer/store"
)

// writer is the state of the one who writes. the writer guards it.
type writer struct {
	batch   []*queue.Block
	saving  int           // accounts that are being written
	drops   []frame.Drop  // to be recorded
	saved   time.Duration // when accounts were saved
	retryAt time.Duration
	backoff time.Duration
	spareAt time.Duration // when the next segment may be allocated again
	ledger  ledger
	kept    bool          // this run took over the memory of the one before
	lookAt  time.Duration // when to look again whether the segment is there
	must    bool          // a segment must be begun, though there is nothing to write
}

// health is how the disk does. Common.Mu guards it.
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
	// lookEvery is how long it takes at most, by the log's own time, to notice
	// that the segment which is being written has vanished.
	lookEvery = 5 * time.Second
)

// Look notices at times that the segment which is being written has vanished,
// though nothing is written to it.
func (l *Log) Look() {
	l.c.Mu.Lock()
	now := l.c.Now
	l.c.Mu.Unlock()
	if now < l.w.lookAt {
		return
	}
	l.w.lookAt = now + lookEvery
	if err := l.store.Present(); err != nil {
		l.fail(err)
	}
}

// TryCommit is Commit, unless the disk failed only just now.
func (l *Log) TryCommit() error {
	l.c.Mu.Lock()
	failing, now := l.health.failing, l.c.Now
	l.c.Mu.Unlock()
	if failing != nil && now < l.w.retryAt {
		return failing
	}
	return l.Commit()
}

// Commit makes everything durable that has been appended and settled. When it
// fails the segment is given up where it was last durable, and what was
// written since is still in the queue: the next Commit writes it into a new
// segment. The file of a failed sync is never synced again.
//
// A log that has nothing to say is left alone, in particular one that was
// never used.
func (l *Log) Commit() error {
	if l.idle() {
		l.recovered()
		return nil
	}
	err := l.writeAll(true)
	if err == nil {
		err = l.store.Sync()
	}
	if err != nil {
		l.fail(err)
		return err
	}
	l.saved()
	l.store.Delete()
	return nil
}

// idle says that no segment is open and there is nothing to write.
func (l *Log) idle() bool {
	if l.store.Writing() || l.w.must || len(l.w.drops) > 0 {
		return false
	}
	l.c.Mu.Lock()
	defer l.c.Mu.Unlock()
	l.freeSettledLocked()
	return l.q.Oldest() == nil && (l.q.Ord() == 0 || !l.book.Changed())
}

// WriteThrough writes what is pending into the log without a sync, where no
// shared memory keeps it: from then on the kernel does.
func (l *Log) WriteThrough() {
	l.c.Mu.Lock()
	failing, closed, empty := l.health.failing, l.c.Closed, l.q.Oldest() == nil
	l.c.Mu.Unlock()
	if failing != nil || closed || empty {
		return
	}
	if err := l.writeAll(false); err != nil {
		l.fail(err)
	}
}

// writeAll writes all pending blocks and, with accounts, what the readers
// have settled.
func (l *Log) writeAll(accounts bool) error {
	if !l.store.Writing() {
		if err := l.startSegment(); err != nil {
			return err
		}
	}
	for more := true; more; {
		var end uint64
		if end, more = l.take(accounts); !more {
			defer clear(l.w.batch)
		}
		for _, blk := range l.w.batch {
			if err := l.put(blk); err != nil {
				return err
			}
		}
		if !more {
			l.putGap(end)
		}
	}
	if accounts {
		l.putAccounts()
	}
	return l.store.Flush()
}

// take takes the oldest blocks from the queue. With the last ones it takes
// the accounts, so that no position can be durable before the samples below
// it, and returns where the log will end.
func (l *Log) take(accounts bool) (end uint64, more bool) {
	l.c.Mu.Lock()
	defer l.c.Mu.Unlock()
	l.freeSettledLocked()
	if l.w.batch, more = l.q.Take(l.w.batch[:0], bulk); more {
		return 0, true
	}
	if accounts {
		l.w.saving = l.book.Save()
	}
	return l.q.Ord(), false
}

// put adds one block, in a new segment where it does not fit.
func (l *Log) put(blk *queue.Block) error {
	if !l.store.Fits(len(blk.Frames), blk.Entries) {
		if err := l.roll(); err != nil {
			return err
		}
	}
	l.putGap(blk.Ord)
	return l.store.Put(&segment.Block{
		Count: blk.Count, FirstSeq: blk.Seq, LastSeq: blk.Last, FirstOrd: blk.Ord,
		Epoch: blk.Epoch, Time: blk.Time, Payload: blk.Frames,
	}, blk.Entries)
}

// putGap says what became of the samples up to to, which are not pending any
// more.
func (l *Log) putGap(to uint64) {
	next := l.store.Next()
	if to <= next {
		return
	}
	l.c.Mu.Lock()
	holes, now := l.q.Cover(next, to), l.c.Now
	l.c.Mu.Unlock()
	for _, g := range holes {
		if g.Reason == "" {
			l.store.PutGap(g, g.AppendSkip(nil))
			continue
		}
		d := l.w.ledger.note(frame.Drop{
			Reason: g.Reason, From: g.From, To: g.To, N: g.To - g.From,
			FirstSeq: g.FirstSeq, LastSeq: g.LastSeq, Oldest: now, Newest: now,
		})
		l.store.PutGap(g, d.Append(nil))
		l.c.Mu.Lock()
		l.tellDropsLocked()
		l.c.Mu.Unlock()
	}
}

// putAccounts adds the accounts that take has taken, and the drops.
func (l *Log) putAccounts() {
	frames := append(l.clockFrames(false), l.dropFrames()...)
	if l.w.saving == 0 && len(frames) == 0 {
		return
	}
	l.c.Mu.Lock()
	frames = append(frames, l.book.Frames()...)
	st := frame.State{Dropped: l.book.Dropped}
	frames = append(frames, st.Append(nil))
	l.c.Mu.Unlock()
	l.store.PutFrames(frames, segment.FlagMeta)
}

func (l *Log) dropFrames() (frames [][]byte) {
	for i := range l.w.drops {
		frames = append(frames, l.w.drops[i].Append(nil))
	}
	return frames
}

// roll seals the segment and begins the next one.
func (l *Log) roll() error {
	if err := l.store.Seal(l.store.LastSeq()+1, l.counts()); err != nil {
		return err
	}
	l.c.Mu.Lock()
	l.durableLocked()
	l.c.Mu.Unlock()
	return l.startSegment()
}

// startSegment begins the next segment with the durable accounts of all
// readers, so that it can do without the segments before it, and with the
// drops that have to be recorded.
func (l *Log) startSegment() error {
	if !l.Spare() {
		l.c.Room(l, l.opt.Segment)
	}
	l.c.Mu.Lock()
	l.q.Prune()
	h := segment.Header{Epoch: l.q.Epoch(), FirstSeq: l.firstSeqLocked(), Clock: frame.Clock{Log: l.c.Now, Clock: l.c.Clock}}
	accounts := l.book.Durable()
	st := frame.State{Readers: uint32(len(accounts)), Dropped: l.book.Dropped}
	snapshot := [][]byte{st.Append(nil)}
	l.c.Mu.Unlock()
	snapshot = append(append(snapshot, l.clockFrames(true)...), h.Clock.Append(nil))
	snapshot = append(append(snapshot, l.w.ledger.frames()...), accounts...)
	if l.store.Vanished() {
		if err := l.c.Home(); err != nil {
			return err
		}
	}
	if err := l.store.Begin(h, snapshot, l.counts()); err != nil {
		return err
	}
	l.w.drops, l.w.must = nil, false
	l.store.Delete()
	return nil
}

// firstSeqLocked is where the numbers of the next segment begin: above those
// that are written, and above those of earlier runs unless it holds some.
func (l *Log) firstSeqLocked() uint64 {
	seq := max(l.store.LastSeq(), l.c.Base) + 1
	if o := l.q.Oldest(); o != nil {
		seq = min(seq, max(o.Seq, l.store.LastSeq()+1))
	}
	return seq
}

// saved notes that everything written is durable.
func (l *Log) saved() {
	l.c.Mu.Lock()
	defer l.c.Mu.Unlock()
	l.durableLocked()
	if l.book.Saved(); l.w.saving > 0 {
		l.w.saved = l.c.Now
	}
	l.w.saving, l.w.drops = 0, nil
	l.book.Forget(l.q.ClearCell)
	l.recoveredLocked()
}

func (l *Log) recovered() {
	l.c.Mu.Lock()
	defer l.c.Mu.Unlock()
	l.recoveredLocked()
}

func (l *Log) recoveredLocked() {
	if l.health.failing != nil {
		l.c.Log.Info("the buffer is on disk again", "class", l.opt.Class, "down", l.c.Now-l.health.since)
		l.health.failing = nil
	}
	l.w.backoff = 0
}

// durableLocked frees what is durable.
func (l *Log) durableLocked() {
	l.diskOrd, l.diskSeq = l.store.Next(), l.store.LastSeq()
	l.q.Durable(l.diskOrd)
	l.RoomLocked()
}

// fail gives the segment up. Blocks that are not durable stay in the queue.
func (l *Log) fail(err error) {
	l.w.must = l.w.must || errors.Is(err, store.ErrVanished)
	l.w.backoff = min(max(2*l.w.backoff, minBackoff), maxBackoff)
	l.c.Mu.Lock()
	l.store.GiveUp(l.diskOrd, l.diskSeq)
	l.q.GiveBack()
	l.w.retryAt = l.c.Now + l.w.backoff
	l.health.failures++
	if l.health.failing == nil {
		l.health.since = l.c.Now
		l.c.Log.Error("the buffer cannot be written: samples wait in memory", "class", l.opt.Class, "err", err)
	}
	l.health.failing = err
	l.RoomLocked()
	l.c.Mu.Unlock()
	if errors.Is(err, syscall.ENOSPC) {
		// Nothing can be recorded before something is deleted. Should the
		// power fail before it is, the samples count as missing.
		l.Trim(true)
		l.store.Delete()
	}
}
