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
	"fieldferry/buffer/queue"
	"fieldferry/buffer/ring"
	"fieldferry/buffer/store"
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
	Trusted  = clock.Trusted  // the device's own time, or of a synchronised clock
	Repaired = clock.Repaired // the clock was set later; the time was moved by as much
	Unsynced = clock.Unsynced // nobody has vouched for the clock, then or later
)

// Entry is a sample on its way to an uplink.
type Entry struct {
	Seq    uint64 // never used twice in this log
	Epoch  uint32 // counts unclean starts of the log, from 1
	N      uint64 // counts the samples of the tag, from 1; it jumps after an unclean start
	Clock  Trust  // what Sample.Time is worth
	Sample tag.Sample
	// Historical says that the sample was appended before this run. Whether a
	// sample of this run is news is for the uplink to say.
	Historical bool
}

// Reader takes samples from the log at its own position. Next is for one
// goroutine at a time; the other methods may be called from any.
type Reader struct {
	b    *Buffer
	a    *account.Account
	wake chan struct{} // capacity 1: something was appended, or the buffer closed

	mu     sync.Mutex // guards the cursor; taken before Buffer.c.Mu
	runOrd uint64
	next   uint64 // count of the log's samples before the one that comes next
	live   queue.Copy
	disk   *store.Cursor
	row    frame.Row
	out    []account.Span // what this call of fill hands out
}

// Reader opens the reader of that name, 1 to 128 bytes. A name that the log
// knows goes on behind the last sample that was settled; start is for new
// ones. Opening a name again closes the Reader that had it.
func (b *Buffer) Reader(name string, start Start) (*Reader, error) {
	if name == "" || len(name) > 128 {
		return nil, fmt.Errorf("open reader %q: the name is empty or longer than 128 bytes", name)
	}
	b.c.Mu.Lock()
	defer b.c.Mu.Unlock()
	if b.c.Closed {
		return nil, ErrClosed
	}
	book := b.log.BookLocked()
	a := book.Find(name)
	if a == nil {
		if len(book.Accounts) >= ring.Cells {
			return nil, fmt.Errorf("open reader %q: there are %d already", name, len(book.Accounts))
		}
		a = book.Open(b.firstLocked(name, start))
		b.log.KeepLocked(a)
	}
	r := &Reader{b: b, a: a, wake: make(chan struct{}, 1), next: a.Ord, runOrd: b.log.RunOrdLocked()}
	r.disk = b.log.Cursor()
	b.evictLocked(a)
	a.Rewind()
	a.Owner = r
	b.open = append(b.open, r)
	return r, nil
}

// firstLocked is the account of a new reader. If the accounts of earlier runs
// were lost it may be one of theirs: it begins at the oldest sample then,
// since twice is better than never.
func (b *Buffer) firstLocked(name string, start Start) frame.Reader {
	ord, seq := b.log.OrdLocked(), b.c.Seq
	if start == StartOldest || !b.log.KnownLocked() {
		ord, seq = b.log.OldestLocked()
	}
	return frame.Reader{Name: name, Ord: ord, Start: ord, Seq: seq}
}

// evictLocked ends the Reader that uses an account, if there is one.
func (b *Buffer) evictLocked(a *account.Account) {
	b.open = slices.DeleteFunc(b.open, func(r *Reader) bool {
		if r.a == a {
			r.kick()
		}
		return r.a == a
	})
}

// RemoveReader forgets a reader for good: what it had not settled is counted
// as dropped, and no longer kept for it. An unknown name is no error. When it
// returns nil the removal is durable.
func (b *Buffer) RemoveReader(name string) error {
	b.c.Mu.Lock()
	if b.c.Closed {
		b.c.Mu.Unlock()
		return ErrClosed
	}
	book := b.log.BookLocked()
	a := book.Find(name)
	if a == nil {
		b.c.Mu.Unlock()
		return nil
	}
	waiting := b.log.OrdLocked() - a.Ord
	b.evictLocked(a)
	a.Remove()
	b.log.KeepLocked(a)
	if waiting > 0 {
		book.Dropped = account.Add(book.Dropped, classlog.ReasonRemoved, waiting)
	}
	b.c.Mu.Unlock()
	b.c.Log.Info("reader removed", "uplink", name, "samples", waiting)
	return b.Sync(context.Background())
}

// Next appends samples to dst, in order, as many as are there up to dst's
// capacity, and waits for the first. Without spare capacity dst grows by 256.
//
// Every sample behind the settled ones comes exactly once, until Rewind;
// samples that are gone are passed over and counted. Next returns the error
// of ctx when that ends, and ErrClosed when the buffer was closed, the reader
// removed, or opened again. A disk that cannot be read is waited for.
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

// wait waits for a sample, or for the pause that a bad disk is given.
func (r *Reader) wait(ctx context.Context, pause time.Duration) error {
	wake, retry := r.wake, (<-chan time.Time)(nil)
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		wake, retry = nil, t.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-wake:
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

// Settle says that every sample up to seq that Next has returned is done
// with: delivered, unless Filtered or PutAside named it before. It does not
// block on the disk; the position is durable within the sync interval, and
// survives the end of the process at once.
func (r *Reader) Settle(seq uint64) {
	b := r.b
	b.c.Mu.Lock()
	defer b.c.Mu.Unlock()
	if r.a.Owner == r && !b.c.Closed {
		r.a.Settle(seq)
		b.log.KeepLocked(r.a)
	}
}

// Filtered says that a sample which Next has returned, and which is not
// settled yet, is not meant for this uplink.
func (r *Reader) Filtered(seq uint64) { r.mark(seq, "") }

// PutAside says that a sample which Next has returned, and which is not
// settled yet, cannot be delivered, and why. The reason is one of few words:
// 16 are counted apart.
func (r *Reader) PutAside(seq uint64, reason string) {
	if reason == "" {
		reason = account.Other
	}
	r.mark(seq, reason)
}

func (r *Reader) mark(seq uint64, reason string) {
	r.b.c.Mu.Lock()
	defer r.b.c.Mu.Unlock()
	if r.a.Owner == r {
		r.a.Mark(seq, reason)
	}
}

// Rewind makes the next call of Next start again behind the last settled
// sample. What Filtered and PutAside said of samples behind it is forgotten.
func (r *Reader) Rewind() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.b.c.Mu.Lock()
	defer r.b.c.Mu.Unlock()
	if r.a.Owner == r {
		r.a.Rewind()
		r.jump(r.a.Ord)
		r.kick()
	}
}

// Position returns the last settled sequence number and the last one given.
// The numbers between them are not all given: see Stats for how many wait.
func (r *Reader) Position() (settled, head uint64) {
	r.b.c.Mu.Lock()
	defer r.b.c.Mu.Unlock()
	return r.a.Seq, r.b.c.Seq
}

// jump moves the cursor.
func (r *Reader) jump(ord uint64) {
	r.next = ord
	r.live.Drop()
	r.disk.Leave()
}

// fill appends what is there to dst. A pause says that the disk could not be
// read and when to try again.
func (r *Reader) fill(dst []Entry) ([]Entry, time.Duration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(dst)
	r.out = r.out[:0]
	var pause time.Duration
loop:
	for len(dst) < cap(dst) {
		where, limit, err := r.locate()
		switch {
		case err != nil:
			r.disk.Leave()
			return dst[:n], 0, err
		case where == atEnd:
			break loop
		case where == inQueue:
			dst = r.decode(dst, &r.live.Rows, r.live.Epoch, &r.live)
		default:
			var ok bool
			if dst, ok = r.fromDisk(dst, limit); !ok {
				pause = r.disk.Pause()
				break loop
			}
		}
	}
	if !r.handOut() {
		return dst[:n], time.Nanosecond, nil // dropped meanwhile: look again
	}
	return dst, pause, nil
}

// handOut enters what was taken into the account. It reports false, and
// takes it back, when some of it was dropped meanwhile.
func (r *Reader) handOut() bool {
	b := r.b
	b.c.Mu.Lock()
	defer b.c.Mu.Unlock()
	if len(r.out) == 0 {
		return true
	}
	if r.a.Owner != r || r.out[0].Ord < r.a.Ord {
		r.jump(max(r.a.Ord, r.out[0].Ord))
		return false
	}
	before := r.a.Ord
	for _, s := range r.out {
		r.a.Push(s)
	}
	if r.a.Ord != before {
		b.log.KeepLocked(r.a)
	}
	return true
}

const (
	atEnd   = classlog.AtEnd
	inQueue = classlog.InQueue
)

// locate finds where the next sample lies, and where the log on disk ends.
// When the sample is in the queue the copy of its block is brought up to date.
func (r *Reader) locate() (where classlog.Place, limit uint64, err error) {
	b := r.b
	b.c.Mu.Lock()
	defer b.c.Mu.Unlock()
	if b.c.Closed || r.a.Owner != r {
		return atEnd, 0, ErrClosed
	}
	if r.a.Ord > r.next {
		r.jump(r.a.Ord)
	}
	if r.live.Rows.Left() > 0 {
		return inQueue, 0, nil
	}
	for {
		where, blk, limit, gaps := b.log.LocateLocked(r.next)
		if where == inQueue {
			r.disk.Leave()
			r.live.Update(blk, r.next)
			return inQueue, 0, nil
		}
		if where == atEnd {
			return where, limit, nil // what the copy holds may grow
		}
		r.live.Drop()
		if where != classlog.Gone {
			return where, limit, nil
		}
		for _, h := range gaps {
			r.pass(h.To, h.Reason)
		}
	}
}

// pass passes over samples that are gone, up to to.
func (r *Reader) pass(to uint64, reason string) {
	if to <= r.next {
		return
	}
	s := account.Span{Ord: r.next, N: to - r.next, Kind: account.Lost, Reason: reason}
	if reason == "" {
		s.Kind = account.Skipped
	}
	r.out = append(r.out, s)
	r.next = to
}

// fromDisk appends samples from the log on disk, or passes over what is not
// there. It reports false when the disk must be tried again.
func (r *Reader) fromDisk(dst []Entry, limit uint64) ([]Entry, bool) {
	rows, epoch := r.disk.Rows()
	if rows.Left() == 0 {
		gap, ok := r.disk.Next(r.next, limit)
		r.pass(gap.To, gap.Reason)
		return dst, ok
	}
	return r.decode(dst, rows, epoch, r.disk), true
}

// namer knows the numbers of one dictionary.
type namer interface {
	Name(row *frame.Row) bool
	Time() time.Duration // when the block was begun
	Hurt()               // something could not be read
}

// decode appends rows to dst while it has room, and passes over those that
// cannot be read.
func (r *Reader) decode(dst []Entry, rows *frame.Rows, epoch uint32, by namer) []Entry {
	row := &r.row
	r.b.c.Mu.Lock()
	span := r.b.log.TrustLocked(by.Time())
	r.b.c.Mu.Unlock()
	for rows.Left() > 0 && len(dst) < cap(dst) {
		left := rows.Left()
		if rows.Next(row) != nil {
			by.Hurt()
			r.pass(r.next+uint64(left), store.Damaged)
			*rows = frame.Rows{}
			break
		}
		if !by.Name(row) {
			by.Hurt()
			r.pass(r.next+1, store.Damaged)
			continue
		}
		trust := span.Repair(&row.Sample)
		dst = append(dst, Entry{Seq: row.Seq, Epoch: epoch, N: row.N, Clock: trust, Sample: row.Sample, Historical: r.next < r.runOrd})
		r.handed(row.Seq)
	}
	return dst
}

// handed notes that the next sample is handed out.
func (r *Reader) handed(seq uint64) {
	ord := r.next
	r.next++
	if n := len(r.out); n > 0 {
		if s := &r.out[n-1]; s.Kind == account.Data && s.Seq+s.N == seq && s.Ord+s.N == ord {
			s.N++
			return
		}
	}
	r.out = append(r.out, account.Span{Ord: ord, Seq: seq, N: 1})
}
