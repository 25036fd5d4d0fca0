package classlog

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"fieldferry/buffer/account"
	"fieldferry/buffer/clock"
	"fieldferry/buffer/disk"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/queue"
	"fieldferry/buffer/store"
	"fieldferry/buffer/tally"
	"fieldferry/tag"
)

// Reasons for samples that were lost, in accounts and drop records.
const (
	ReasonBytes   = "max bytes" // the buffer was as large as it may be
	ReasonAge     = "max age"
	ReasonFloor   = "min free" // the disk was as full as it may be
	ReasonDisk    = "disk"     // the disk could not be written for too long
	ReasonRemoved = "removed"  // their reader is no more
	ReasonGone    = "gone"     // their reader was not in use for too long
)

// Common is what the logs of a buffer have in common.
type Common struct {
	FS    disk.FS
	Log   *slog.Logger
	Clock disk.Clock // belongs to the writer
	Kick  func()     // wakes who commits; does not block
	// Room makes room on disk for the next segment of a log; belongs to the
	// writer.
	Room func(l *Log, need int64)
	// Home makes the buffer's directory again, and this process its owner,
	// where it has vanished; belongs to the writer.
	Home func() error

	Mu     sync.Mutex // guards what follows, and the logs; never held across disk I/O
	Closed bool
	Now    time.Duration // the buffer's own time
	Seq    uint64        // the last sequence number given
	Base   uint64        // the last one when this run began

	// Counters count the samples of each tag over all logs: a tag that moves to
	// another class counts on.
	Counters tally.Tally
	// Clocks is what is known of the machine's clock. Each log holds what was
	// known when it was last written.
	Clocks clock.Table
}

// Options say where a log lies and how large its parts are.
type Options struct {
	Class      string
	Dir        string
	RuntimeDir string
	Segment    int64         // bytes
	Aside      int64         // bytes that damaged files may take
	Ring       int           // bytes
	Batch      int           // bytes that are written without waiting for the tick
	Patience   time.Duration // how long Append waits for a busy disk
}

// Log is one log. See the package comment.
type Log struct {
	c     *Common
	opt   Options
	tail  Tail
	store *store.Store
	w     writer

	// Common.Mu guards what follows.
	q        *queue.Queue
	runOrd   uint64        // samples appended to the log before this run
	diskOrd  uint64        // samples below it are durable, or settled by everybody
	diskSeq  uint64        // and have no higher number
	markOrd  uint64        // samples appended at the tick before
	space    chan struct{} // closed and replaced when the queue gains room
	waited   bool          // somebody waits for it
	book     account.Book
	known    bool // the readers of earlier runs are known
	health   health
	drops    []frame.Drop // what the ledger had when it was last changed; replaced, never changed
	clockNew bool         // a change of the clock is not written yet
	appended struct{ skipped, oversized uint64 }
}

// idleSave is how often accounts are saved that only concern samples which
// were never written: losing one then costs nothing but the count.
const idleSave = time.Minute

// Due decides whether something must be made durable now: a sample that has
// waited a whole tick and that not every reader has settled, or an account.
func (l *Log) Due() bool {
	l.c.Mu.Lock()
	defer l.c.Mu.Unlock()
	mark := l.markOrd
	l.markOrd = l.q.Ord()
	l.freeSettledLocked()
	if o := l.q.Oldest(); o != nil && o.Ord < mark && !l.book.Covers(o.Ord, min(o.End(), mark)) {
		return true
	}
	// While nothing of the class was ever written nothing can come again, and
	// a class that nobody uses costs no sync.
	if _, _, written := l.store.First(); written && l.book.Urgent(l.diskOrd) || l.c.Now-l.w.saved >= idleSave && l.q.Ord() > 0 && l.book.Changed() {
		return true
	}
	return l.store.Dirty() || len(l.w.drops) > 0 || l.clockNew && l.store.Writing() || l.health.failing != nil
}

// Close commits, ends the last segment and lets go of everything. It is the
// last call; where the directory has vanished it fails though all that could be
// saved was; RoomLocked must have been called after Common.Closed was set.
func (l *Log) Close() error {
	err := l.end()
	saved := err == nil
	if errors.Is(err, store.ErrVanished) { // what is still known is saved in a new directory
		again := l.end()
		saved, err = again == nil, errors.Join(err, again)
	}
	return errors.Join(err, l.store.Close(), l.q.Close(saved))
}

// end commits and ends the last segment.
func (l *Log) end() error {
	if err := l.Commit(); err != nil {
		return err
	}
	l.c.Mu.Lock()
	next := l.c.Seq + 1
	l.c.Mu.Unlock()
	err := l.store.End(next, l.counts())
	if errors.Is(err, store.ErrVanished) {
		l.fail(err)
	}
	return err
}

// ID is the number of the log, drawn at random when it was made.
func (l *Log) ID() uint64 { return l.store.ID() }

// Cursor returns a new cursor over the log on disk.
func (l *Log) Cursor() *store.Cursor { return l.store.Cursor(l.knownTag) }

func (l *Log) knownTag(fields frame.Fields) *tag.Tag {
	l.c.Mu.Lock()
	defer l.c.Mu.Unlock()
	return l.q.Known(fields)
}

// BookLocked returns the accounts.
func (l *Log) BookLocked() *account.Book { return &l.book }

// KeepLocked stores the account where it outlives the process.
func (l *Log) KeepLocked(a *account.Account) { l.q.SetCell(a.Cell, &a.Reader) }

// RemoveLocked ends an account and returns how many samples were not settled,
// which count as dropped for the reason.
func (l *Log) RemoveLocked(a *account.Account, reason string) uint64 {
	waiting := a.Pending(l.q.Ord())
	a.Remove()
	l.KeepLocked(a)
	if waiting > 0 {
		l.book.Dropped = account.Add(l.book.Dropped, reason, waiting)
	}
	return waiting
}

// KnownLocked says that the readers of earlier runs are known.
func (l *Log) KnownLocked() bool { return l.known }

// DoubtLocked says that the readers of earlier runs are not known after all.
func (l *Log) DoubtLocked() { l.known = false }

// OrdLocked is the number of samples appended to the log.
func (l *Log) OrdLocked() uint64 { return l.q.Ord() }

// RunOrd is the number of samples appended to the log before this run. It
// does not change.
func (l *Log) RunOrd() uint64 { return l.runOrd }

// OldestLocked returns the count of samples before the oldest one that is
// still there.
func (l *Log) OldestLocked() uint64 {
	if ord, _, ok := l.store.First(); ok {
		return ord
	}
	return l.diskOrd
}

// Place says where a sample lies.
type Place uint8

// The places.
const (
	AtEnd Place = iota // nowhere yet
	InQueue
	OnDisk
	Gone // nowhere any more
)

// LocateLocked finds the sample before which ord others came. In the queue it
// is in blk. The log on disk ends at limit. Where it is gone, gaps tell, from
// ord on.
func (l *Log) LocateLocked(ord uint64) (where Place, blk *queue.Block, limit uint64, gaps []frame.Gap) {
	if ord >= l.q.Ord() {
		return AtEnd, nil, 0, nil
	}
	if blk := l.q.Find(ord); blk != nil {
		return InQueue, blk, 0, nil
	}
	if ord < l.diskOrd {
		return OnDisk, nil, l.diskOrd, nil
	}
	end := l.q.Ord()
	if o := l.q.Oldest(); o != nil && o.Ord > ord {
		end = o.Ord
	}
	return Gone, nil, 0, l.q.Cover(ord, end)
}

// EpochLocked returns the epoch of this run.
func (l *Log) EpochLocked() uint32 { return l.q.Epoch() }
