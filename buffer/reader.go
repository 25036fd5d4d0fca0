package buffer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"fieldferry/buffer/account"
	"fieldferry/buffer/classlog"
	"fieldferry/buffer/clock"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/pace"
	"fieldferry/buffer/ring"
	"fieldferry/tag"
)

// Start says where a reader begins that the log does not know.
type Start uint8

// The starts.
const (
	StartNow    Start = iota // behind the last sample
	StartOldest              // at the oldest sample that is still there
)

// Trust says what a sample's time is worth.
type Trust = clock.Trust

// The degrees of trust.
const (
	Trusted  Trust = clock.Trusted  // the device's own time, or of a synchronised clock
	Repaired Trust = clock.Repaired // the clock was set later; the time was moved by as much
	Unsynced Trust = clock.Unsynced // nobody has vouched for the clock, then or later
)

// Entry is a sample on its way to an uplink.
type Entry struct {
	Seq    uint64 // never used twice in this log
	Turn   uint64 // counts what the Reader has handed out, from 1
	Epoch  uint32 // counts unclean starts of the log, from 1
	N      uint64 // counts the samples of the tag, from 1; it jumps after an unclean start
	Clock  Trust  // what Sample.Time is worth
	Sample tag.Sample
	// Historical says that the sample was appended before this run, or comes
	// from the backlog. Whether another one is news is for the uplink to say.
	Historical bool
	Overtaken  bool // a later one of its class was settled before the Reader was opened
}

// Reader takes samples from the log at its own position. Next is for one
// goroutine at a time; the other methods may be called from any.
type Reader struct {
	b    *Buffer
	a    [classes]*account.Account
	wake chan struct{} // capacity 1: something was appended, or the buffer closed

	mu   sync.Mutex // guards the lanes; taken before Buffer.c.Mu
	live lane
	back lane // what was pending when the lanes were split
	out  []run

	// Buffer.c.Mu guards what follows.
	turn  uint64 // the last one given
	runs  []run  // handed out or passed over, not settled
	split bool   // there is a back lane
	left  bool   // it has samples that were not handed out
	pace  pace.Bucket
}

// run is a run of samples of one class that were handed out one after the
// other, or that are gone.
type run struct {
	class  tag.Class
	turn   uint64 // of the first
	ord, n uint64
	kind   account.Kind
	reason string // why they are lost
}

// Reader opens the reader of that name, 1 to 128 bytes. A name that the log
// knows goes on behind the samples that were settled; start is for new ones.
// Opening a name again closes the Reader that had it.
func (b *Buffer) Reader(name string, start Start) (*Reader, error) {
	if name == "" || len(name) > 128 {
		return nil, fmt.Errorf("open reader %q: the name is empty or longer than 128 bytes", name)
	}
	b.c.Mu.Lock()
	defer b.c.Mu.Unlock()
	if b.c.Closed {
		return nil, ErrClosed
	}
	known := b.knownLocked(name)
	if n := len(b.logs[normal].BookLocked().Accounts); !known && n >= ring.Cells {
		return nil, fmt.Errorf("open reader %q: there are %d already", name, n)
	}
	r := &Reader{b: b, wake: make(chan struct{}, 1)}
	for i := range b.logs {
		c := tag.Class(classes - 1 - i) // the main log last: what it does not know is not there
		r.a[c] = b.accountLocked(c, name, start, known)
	}
	b.evictLocked(name)
	for c, l := range b.logs {
		r.live.cur[c].init(l, r.a[c], false)
		r.back.cur[c].init(l, r.a[c], true)
	}
	b.open[name] = r
	b.bounds.SeeLocked(0)
	return r, nil
}

// knownLocked says that a reader has an account.
func (b *Buffer) knownLocked(name string) bool {
	return slices.ContainsFunc(b.logs[:], func(l *classlog.Log) bool { return l.BookLocked().Find(name) != nil })
}

// accountLocked returns the account of a reader in one log. A known one that
// has none there begins at the oldest sample: all came after it. So does a
// new one if the accounts of earlier runs were lost, since it may be one of
// theirs: twice is better than never.
func (b *Buffer) accountLocked(c tag.Class, name string, start Start, known bool) *account.Account {
	l := b.logs[c]
	if a := l.BookLocked().Find(name); a != nil {
		a.Forget()
		return a
	}
	ord := l.OrdLocked()
	if start == StartOldest || known || !b.logs[normal].KnownLocked() {
		ord = l.OldestLocked()
	}
	a := l.BookLocked().Open(frame.Reader{Name: name, Ord: ord, Start: ord})
	l.KeepLocked(a)
	return a
}

// evictLocked ends the Reader of that name, if there is one.
func (b *Buffer) evictLocked(name string) {
	if r := b.open[name]; r != nil {
		delete(b.open, name)
		r.kick()
	}
}

func (r *Reader) name() string { return r.a[normal].Name }

// ownsLocked says that the Reader was not closed.
func (r *Reader) ownsLocked() bool { return !r.b.c.Closed && r.b.open[r.name()] == r }

// RemoveReader forgets a reader for good: what it had not settled is counted
// as dropped, and no longer kept for it. An unknown name is no error. When it
// returns nil the removal is durable.
func (b *Buffer) RemoveReader(name string) error {
	b.c.Mu.Lock()
	if b.c.Closed {
		b.c.Mu.Unlock()
		return ErrClosed
	}
	if !b.knownLocked(name) {
		b.c.Mu.Unlock()
		return nil
	}
	b.evictLocked(name)
	waiting := b.removeLocked(name, classlog.ReasonRemoved)
	b.c.Mu.Unlock()
	b.c.Log.Info("reader removed", "uplink", name, "samples", waiting)
	return b.Sync(context.Background())
}

// removeLocked ends the accounts of a reader and returns what it had not
// settled.
func (b *Buffer) removeLocked(name, reason string) (waiting uint64) {
	for _, l := range b.logs {
		if a := l.BookLocked().Find(name); a != nil {
			waiting += l.RemoveLocked(a, reason)
		}
	}
	return waiting
}

// Next appends samples to dst, in order, as many as are there up to dst's
// capacity, and waits for the first. Without spare capacity dst grows by 256.
//
// Every sample that is not settled comes exactly once, until Rewind; samples
// that are gone are passed over and counted. Next returns the error of ctx
// when that ends, and ErrClosed when the buffer was closed, the reader
// removed, or opened again. A class whose files cannot be read is waited for,
// and does not hold up the others.
func (r *Reader) Next(ctx context.Context, dst []Entry) ([]Entry, error) {
	if len(dst) == cap(dst) {
		dst = slices.Grow(dst, 256)
	}
	for n := len(dst); ; {
		var pause time.Duration
		var err error
		dst, pause, err = r.fill(dst)
		if err != nil || len(dst) > n {
			return dst, err
		}
		if err := r.wait(ctx, pause); err != nil {
			return dst, err
		}
	}
}

// wait waits for a sample, or for the pause that a bad disk or the pace of the
// backlog takes.
func (r *Reader) wait(ctx context.Context, pause time.Duration) error {
	var retry <-chan time.Time
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		retry = t.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.wake:
	case <-retry:
	case <-r.b.stop: // the next look at the buffer tells
	}
	return nil
}

func (r *Reader) kick() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Settle says that every sample up to the turn that Next has returned is done
// with: delivered, unless Filtered or PutAside named it before. It does not
// block on the disk; it is durable within the sync interval, and survives the
// end of the process at once.
func (r *Reader) Settle(turn uint64) {
	r.b.c.Mu.Lock()
	defer r.b.c.Mu.Unlock()
	if r.ownsLocked() {
		r.settleLocked(turn)
	}
}

// settleLocked settles runs from the front on, and those behind them that are
// gone: nobody has to settle these.
func (r *Reader) settleLocked(turn uint64) {
	done, changed := 0, [classes]bool{}
	for ; done < len(r.runs); done++ {
		x := &r.runs[done]
		k := x.n
		if x.kind == account.Delivered {
			if x.turn > turn {
				break
			}
			k = min(k, turn-x.turn+1)
			r.pace.Settled(k)
		}
		r.a[x.class].Settle(frame.Range{From: x.ord, To: x.ord + k}, x.kind, x.reason)
		changed[x.class] = true
		if k < x.n {
			x.ord, x.turn, x.n = x.ord+k, x.turn+k, x.n-k
			break
		}
	}
	r.runs = slices.Delete(r.runs, 0, done)
	if len(r.runs) == 0 {
		r.pace.Idle(time.Now())
	}
	for c, l := range r.b.logs {
		if changed[c] {
			l.KeepLocked(r.a[c])
		}
	}
}

// Filtered says that a sample which Next has returned, and which is not
// settled yet, is not meant for this uplink.
func (r *Reader) Filtered(turn uint64) { r.mark(turn, "") }

// PutAside says that a sample which Next has returned, and which is not
// settled yet, cannot be delivered, and why. The reason is one of few words:
// 16 are counted apart.
func (r *Reader) PutAside(turn uint64, reason string) {
	if reason == "" {
		reason = account.Other
	}
	r.mark(turn, reason)
}

func (r *Reader) mark(turn uint64, reason string) {
	r.b.c.Mu.Lock()
	defer r.b.c.Mu.Unlock()
	if !r.ownsLocked() {
		return
	}
	for i := range r.runs {
		x := &r.runs[i]
		if x.kind == account.Delivered && x.turn <= turn && turn-x.turn < x.n {
			r.a[x.class].Mark(x.ord+turn-x.turn, reason)
			return
		}
	}
}

// Rewind makes the next call of Next start again with what is not settled.
// What Filtered and PutAside said of it is forgotten. Turns go on: those from
// before settle nothing any more.
func (r *Reader) Rewind() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.b.c.Mu.Lock()
	defer r.b.c.Mu.Unlock()
	if r.ownsLocked() {
		r.rewindLocked()
	}
}

func (r *Reader) rewindLocked() {
	r.runs = r.runs[:0]
	r.pace.Idle(time.Now())
	for _, a := range r.a {
		a.Forget()
	}
	r.live.restart()
	r.back.restart()
	r.left = r.split && r.back.moreLocked()
	r.kick()
}

// Pending returns how many samples are not settled, and the last sequence
// number that was given to any.
func (r *Reader) Pending() (samples, head uint64) {
	r.b.c.Mu.Lock()
	defer r.b.c.Mu.Unlock()
	for c, l := range r.b.logs {
		samples += r.a[c].Pending(l.OrdLocked())
	}
	return samples, r.b.c.Seq
}
