package classlog

import (
	"maps"
	"slices"

	"fieldferry/buffer/account"
	"fieldferry/buffer/queue"
	"fieldferry/buffer/ring"
	"fieldferry/buffer/store"
)

// Tail is where a log that earlier runs have left ends.
type Tail struct {
	ID    uint64
	Empty bool   // there is no log yet
	Seq   uint64 // no sample of it has a higher number
	Epoch uint32
	Clean bool // it was closed in order, or is new
	Kept  bool // it goes on in the memory that outlived the process
	// Untouched says that nothing was appended since the log was closed in
	// order, or was made: the memory of this start of the machine tells.
	Untouched bool
	// Counted says that Common.Counters holds the numbers of all samples of the
	// log: as they were at its end if that was Clean, otherwise from the memory
	// that outlived the process.
	Counted bool
}

// Open reads what earlier runs left. It fails only if the directory cannot be
// listed. A log that is new gets a number that follows from id, unless that is
// 0. Common.Now goes on where it stood. Start must follow.
func Open(c *Common, o Options, id uint64) (*Log, error) {
	st, t, err := store.Open(c.FS, o.Dir, o.Segment, o.Aside, c.Log)
	if err != nil {
		return nil, err
	}
	if t.Empty && id != 0 {
		st.SetID(id)
	}
	l := &Log{c: c, opt: o, store: st, space: make(chan struct{}), known: t.Known}
	l.book = account.Book{Dropped: t.Dropped, Cells: ring.Cells}
	for _, name := range slices.Sorted(maps.Keys(t.Readers)) {
		l.book.Load(t.Readers[name])
	}
	for _, d := range t.Drops {
		l.w.ledger.last = max(l.w.ledger.last, d.ID)
	}
	l.w.ledger.drops, l.drops = t.Drops, slices.Clone(t.Drops)
	l.q = queue.New(c.FS, o.RuntimeDir, o.Ring, &c.Counters, c.Log)
	c.Mu.Lock()
	defer c.Mu.Unlock()
	c.Now = max(c.Now, t.Time, t.Clock.Log+t.Clock.Off(c.Clock))
	if t.Clock.Boot != c.Clock.Boot {
		c.Now++ // so that no moment belongs to two starts of the machine
	}
	l.takeOverLocked(&t)
	c.Clocks.Merge(&t.Clocks)
	return l, nil
}

// takeOverLocked continues with what the run before has left in memory, if it
// did.
func (l *Log) takeOverLocked(t *store.Tail) {
	o := queue.Origin{
		Log: l.store.ID(), Boot: l.c.Clock.Boot, Epoch: t.Epoch,
		Ord: t.Ord, Seq: t.NextSeq - 1, Clean: t.Clean || t.Empty,
	}
	l.tail = Tail{ID: o.Log, Empty: t.Empty, Seq: o.Seq, Epoch: t.Epoch, Clean: o.Clean}
	l.diskOrd, l.diskSeq = o.Ord, o.Seq
	if l.q.Recover(o, l.book.TakeOver) {
		l.tail.Kept, l.tail.Clean = true, false
		l.diskOrd = l.q.Adopt(t.Ord, l.fate)
		if b := l.q.Oldest(); b != nil && b.Ord == l.diskOrd {
			l.diskSeq = b.Seq - 1
		}
		l.store.Void(l.diskOrd, l.diskSeq)
		l.tail.Seq, l.tail.Epoch = max(o.Seq, l.q.Seq()), l.q.Epoch()
	} else {
		l.q.Reset(o)
	}
	l.book.Settle()
	l.w.kept, l.w.must = l.tail.Kept, !l.tail.Clean
	if t.Counts != nil {
		l.c.Counters.Merge(t.Counts)
	}
	l.tail.Untouched = l.q.Untouched()
	l.tail.Counted = t.Counts != nil && (l.tail.Kept && l.q.Counted() || l.tail.Clean)
	l.runOrd = l.q.Ord()
}

// Tail returns where the log ended when it was opened.
func (l *Log) Tail() Tail { return l.tail }

// StartLocked sets the epoch of this run. Begin must follow.
func (l *Log) StartLocked(epoch uint32) {
	l.q.SetEpoch(epoch)
	for _, a := range l.book.Accounts {
		l.KeepLocked(a)
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

// Must says that the log must have a segment of this run, whatever is in it.
func (l *Log) Must() { l.w.must = true }

// Begin makes this run's first segment durable, where there has to be one.
func (l *Log) Begin() error {
	if err := l.Commit(); err != nil {
		return err
	}
	l.c.Mu.Lock()
	defer l.c.Mu.Unlock()
	if l.w.kept && l.q.Oldest() == nil { // or what is beside the queue would grow with every kill
		l.q.Reset(queue.Origin{Log: l.store.ID(), Boot: l.c.Clock.Boot, Epoch: l.q.Epoch(), Ord: l.q.Ord(), Seq: l.q.Seq()})
		for _, a := range l.book.Accounts {
			l.KeepLocked(a)
		}
	}
	return nil
}
