package buffer

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

// recover reads what earlier runs left.
func (b *Buffer) recover() error {
	st, t, err := store.Open(b.fs, b.cfg.Dir, b.lim.segment, int64(b.cfg.MaxBytes)/4, b.log)
	if err != nil {
		return err
	}
	b.store, b.w.clock = st, b.fs.Clock()
	b.known = t.Known
	b.book = account.Book{Dropped: t.Dropped, Cells: ring.Cells}
	b.now = max(t.Time, t.Clock.Log+t.Clock.Off(b.w.clock)) // the log's own time goes on where it stood
	for _, name := range slices.Sorted(maps.Keys(t.Readers)) {
		b.book.Load(t.Readers[name])
	}
	b.q = queue.New(b.fs, b.cfg.RuntimeDir, b.lim.ring, b.log)
	o := queue.Origin{
		Log: st.ID(), Boot: b.w.clock.Boot, Epoch: t.Epoch,
		Ord: t.Ord, Delta: t.NextSeq - 1 - t.Ord, Clean: t.Clean || t.Empty,
	}
	b.w.kept = b.q.Recover(o, b.book.TakeOver)
	b.book.Settle()
	b.diskOrd = t.Ord
	switch {
	case b.w.kept:
		b.diskOrd = b.q.Adopt(t.Ord, b.fate)
		b.store.Void(b.diskOrd)
		b.q.SetEpoch(b.q.Epoch() + 1)
	case o.Clean:
		b.resetLocked(o)
	default:
		o.Epoch++
		o.Delta += epochGap
		b.resetLocked(o)
	}
	b.runOrd = b.q.Ord()
	b.lastSeq = t.NextSeq - 1
	if b.w.kept {
		b.lastSeq = b.runOrd + b.q.Delta()
	}
	return nil
}

// fate tells what became of samples that were neither in the log nor in the
// memory that outlived the process.
func (b *Buffer) fate(from, to uint64) string {
	if b.book.Lost(from, to, reasonDisk) == 0 {
		return ""
	}
	return reasonDisk
}

// begin makes this run's first segment durable: the epoch and the sequence
// numbers it starts with must never be given again, and are only given once
// this has succeeded or, on a disk that cannot be written, at a distance that
// only chance could repeat.
func (b *Buffer) begin() {
	b.wmu.Lock()
	defer b.wmu.Unlock()
	if err := b.commit(); err != nil {
		b.stray()
		return
	}
	b.mu.Lock()
	if b.w.kept && b.q.Oldest() == nil {
		b.resetLocked(b.originLocked()) // or what is beside the queue would grow with every kill
	}
	b.mu.Unlock()
	b.retain()
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
func (b *Buffer) stray() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.w.kept {
		return
	}
	o := b.originLocked()
	o.Delta += epochGap + rand.Uint64N(strayRange)
	b.resetLocked(o)
	b.log.Warn("the buffer starts without a disk: sequence numbers jump", "next", o.Ord+o.Delta+1)
}

func (b *Buffer) originLocked() queue.Origin {
	return queue.Origin{Log: b.store.ID(), Boot: b.w.clock.Boot, Epoch: b.q.Epoch(), Ord: b.q.Ord(), Delta: b.q.Delta()}
}

// resetLocked empties the queue and keeps the accounts beside it.
func (b *Buffer) resetLocked(o queue.Origin) {
	b.q.Reset(o)
	for _, a := range b.book.Accounts {
		b.keepLocked(a)
	}
}

// keepLocked stores the account where it outlives the process.
func (b *Buffer) keepLocked(a *account.Account) { b.q.SetCell(a.Cell, &a.Reader) }
