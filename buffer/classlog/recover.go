package classlog

import (
	"maps"
	"math/rand/v2"
	"slices"

	"fieldferry/buffer/account"
	"fieldferry/buffer/queue"
	"fieldferry/buffer/ring"
	"fieldferry/buffer/store"
)

// epochGap is how far the sequence numbers jump after an unclean start: more
// than one run can have given without making any of them durable.
const epochGap = 1 << 38

// Open reads what earlier runs left. It fails only if the directory cannot be
// listed. Common.Now and Common.Seq go on where they stood. Begin must follow.
func Open(c *Common, o Options) (*Log, error) {
	st, t, err := store.Open(c.FS, o.Dir, o.Segment, o.Aside, c.Log)
	if err != nil {
		return nil, err
	}
	l := &Log{c: c, opt: o, store: st, space: make(chan struct{}), known: t.Known}
	l.book = account.Book{Dropped: t.Dropped, Cells: ring.Cells}
	for _, name := range slices.Sorted(maps.Keys(t.Readers)) {
		l.book.Load(t.Readers[name])
	}
	l.q = queue.New(c.FS, o.RuntimeDir, o.Ring, c.Log)
	c.Mu.Lock()
	defer c.Mu.Unlock()
	c.Now = max(c.Now, t.Time, t.Clock.Log+t.Clock.Off(c.Clock))
	if t.Clock.Boot != c.Clock.Boot {
		c.Now++ // so that no moment belongs to two starts of the machine
	}
	l.takeOverLocked(&t)
	l.clocks = t.Clocks
	l.NoteClockLocked()
	return l, nil
}

// takeOverLocked continues with what the run before has left in memory, if it
// did, or else behind the end of the log.
func (l *Log) takeOverLocked(t *store.Tail) {
	o := queue.Origin{
		Log: l.store.ID(), Boot: l.c.Clock.Boot, Epoch: t.Epoch,
		Ord: t.Ord, Delta: t.NextSeq - 1 - t.Ord, Clean: t.Clean || t.Empty,
	}
	l.w.kept = l.q.Recover(o, l.book.TakeOver)
	l.book.Settle()
	l.diskOrd = t.Ord
	switch {
	case l.w.kept:
		l.diskOrd = l.q.Adopt(t.Ord, l.fate)
		l.store.Void(l.diskOrd)
		l.q.SetEpoch(l.q.Epoch() + 1)
	case o.Clean:
		l.resetLocked(o)
	default:
		o.Epoch++
		o.Delta += epochGap
		l.resetLocked(o)
	}
	l.countOnLocked(t)
	l.runOrd = l.q.Ord()
	l.c.Seq = t.NextSeq - 1
	if l.w.kept {
		l.c.Seq = l.runOrd + l.q.Delta()
	}
}

// perEpoch is more than the samples that a tag can have between two unclean
// ends: a counter stays below that many times the epoch.
const perEpoch = 1 << 32

// countOnLocked lets the counters of tags go on where they stood. Where it is
// not known which numbers were given they jump to what no run before can have
// given.
func (l *Log) countOnLocked(t *store.Tail) {
	counts := l.q.Tally()
	if t.Counts != nil {
		counts.Merge(t.Counts)
	}
	same := l.w.kept && l.q.Counted() || !l.w.kept && l.q.Epoch() == t.Epoch
	if t.Counts == nil || !same {
		counts.Jump(perEpoch, perEpoch*uint64(l.q.Epoch()-1))
	}
}

// fate tells what became of samples that were neither in the log nor in the
// memory that outlived the process.
func (l *Log) fate(from, to uint64) string {
	if l.book.Lost(from, to, ReasonDisk) == 0 {
		return ""
	}
	return ReasonDisk
}

// Begin makes this run's first segment durable: the epoch and the sequence
// numbers it starts with must never be given again, and are only given once
// this has succeeded or, on a disk that cannot be written, at a distance that
// only chance could repeat.
func (l *Log) Begin() {
	if err := l.Commit(); err != nil {
		l.stray()
		return
	}
	l.c.Mu.Lock()
	if l.w.kept && l.q.Oldest() == nil {
		l.resetLocked(l.originLocked()) // or what is beside the queue would grow with every kill
	}
	l.c.Mu.Unlock()
}

// strayRange is how far apart runs begin whose start is not durable. Two of
// them repeat numbers if one begins within the samples of the other: with a
// million samples each that is less likely than 1 in 100 million. Some thirty
// such runs stay below 2^53, up to which JavaScript counts exactly.
const strayRange = 1 << 48

// stray moves the sequence numbers of a run that could not make its start
// durable: should this run end without a trace, the next one must not give
// the same ones again. Those of a run that goes on from an earlier one start
// where that one did, durably.
func (l *Log) stray() {
	l.c.Mu.Lock()
	defer l.c.Mu.Unlock()
	if l.w.kept {
		return
	}
	o := l.originLocked()
	o.Delta += epochGap + rand.Uint64N(strayRange)
	l.resetLocked(o)
	l.q.Tally().Jump(perEpoch+rand.Uint64N(strayRange), 0)
	l.c.Log.Warn("the buffer starts without a disk: sequence numbers jump", "next", o.Ord+o.Delta+1)
}

func (l *Log) originLocked() queue.Origin {
	return queue.Origin{Log: l.store.ID(), Boot: l.c.Clock.Boot, Epoch: l.q.Epoch(), Ord: l.q.Ord(), Delta: l.q.Delta()}
}

// resetLocked empties the queue and keeps the accounts beside it.
func (l *Log) resetLocked(o queue.Origin) {
	l.q.Reset(o)
	for _, a := range l.book.Accounts {
		l.KeepLocked(a)
	}
}
