package buffer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"fieldferry/buffer/account"
	"fieldferry/buffer/disk"
	"fieldferry/buffer/queue"
	"fieldferry/buffer/store"
)

// FS is the machine that a Buffer runs on.
type FS = disk.FS

// DirFS is this machine.
func DirFS() FS { return disk.Dir{} }

// ErrClosed is returned by every method after Close.
var ErrClosed = errors.New("buffer closed")

// ErrLocked is wrapped by Open's error when another process owns the
// directory.
var ErrLocked = disk.ErrLocked

// Buffer is an open log. See the package comment.
type Buffer struct {
	fs   disk.FS
	cfg  Config
	log  *slog.Logger
	lim  limits
	lock io.Closer

	kick chan struct{} // capacity 1; wakes the commit goroutine
	stop chan struct{} // closed by Close
	done chan struct{} // closed by the commit goroutine

	wmu   sync.Mutex // the writer: taken before mu, held across disk I/O
	store *store.Store
	w     writer

	mu       sync.Mutex // guards everything below; never held across disk I/O
	closed   bool
	q        *queue.Queue
	runOrd   uint64 // samples appended to the log before this run
	diskOrd  uint64 // samples below it are durable, or settled by everybody
	markOrd  uint64 // samples appended at the tick before
	lastSeq  uint64 // the last sequence number given
	now      time.Duration
	space    chan struct{} // closed and replaced when the queue gains room
	book     account.Book
	open     []*Reader
	known    bool // the readers of earlier runs are known
	health   health
	appended struct{ skipped, oversized uint64 }
}

// limits are sizes and times that tests make smaller.
type limits struct {
	segment  int64
	ring     int
	batch    int           // bytes that are written without waiting for the tick
	patience time.Duration // how long Append waits for a busy disk
	manual   bool          // no commit goroutine: the test calls tick
}

func defaultLimits(c Config) limits {
	return limits{
		segment:  min(max(int64(c.MaxBytes)/16, 1<<20), 16<<20),
		ring:     8 << 20,
		batch:    1 << 20,
		patience: 5 * time.Second,
	}
}

// Open opens the log in c.Dir, which is made where it is missing. It never
// fails because of what the files hold. It fails with ErrLocked when another
// process owns the directory, and when the directory cannot be read at all.
//
// Open starts the goroutine that commits; Close ends it and waits for it.
func Open(fs FS, c Config, log *slog.Logger) (*Buffer, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("open buffer: %w", err)
	}
	return open(fs, c, log, defaultLimits(c))
}

func open(fs FS, c Config, log *slog.Logger, lim limits) (*Buffer, error) {
	b := &Buffer{
		fs: fs, cfg: c, log: log, lim: lim,
		kick: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		space: make(chan struct{}),
	}
	mkdirErr := fs.MkdirAll(c.Dir)
	lock, err := fs.Lock(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("open buffer %q: %w", c.Dir, errors.Join(err, mkdirErr))
	}
	b.lock = lock
	if err := b.recover(); err != nil {
		return nil, fmt.Errorf("open buffer %q: %w", c.Dir, errors.Join(err, lock.Close()))
	}
	b.begin()
	if lim.manual {
		close(b.done)
	} else {
		go b.run()
	}
	return b, nil
}

// run commits, ages and drops until Close.
func (b *Buffer) run() {
	defer close(b.done)
	t := time.NewTicker(max(b.cfg.SyncInterval/2, 5*time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-t.C:
			b.tick()
		case <-b.kick:
			b.wmu.Lock()
			_ = b.tryCommit() // its error is in Stats and in the log
			b.retain()
			b.wmu.Unlock()
		}
	}
}

// tick is the work of half a sync interval.
func (b *Buffer) tick() {
	b.wmu.Lock()
	defer b.wmu.Unlock()
	b.tellTime()
	if b.due() {
		_ = b.tryCommit() // its error is in Stats and in the log
	}
	b.retain()
}

// due decides whether something must be made durable now: a sample that has
// waited a whole tick and that not every reader has settled, or an account.
func (b *Buffer) due() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	mark := b.markOrd
	b.markOrd = b.q.Ord()
	b.freeSettledLocked()
	if o := b.q.Oldest(); o != nil && o.Ord < mark && b.book.Settled(mark) < mark {
		return true
	}
	if b.book.Urgent(b.diskOrd) || b.now-b.w.saved >= idleSave && b.book.Changed() {
		return true
	}
	return b.store.Dirty() || len(b.w.drops) > 0 || b.health.failing != nil
}

// idleSave is how often accounts are saved that only concern samples which
// were never written: losing one then costs nothing but the count.
const idleSave = time.Minute

// Sync returns when everything that was appended and settled before the call
// is durable. ctx is looked at before the disk is; the disk itself is waited
// for. An error says why nothing can be written; the samples are kept.
func (b *Buffer) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.wmu.Lock()
	defer b.wmu.Unlock()
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed {
		return ErrClosed
	}
	return b.commit()
}

// Close makes everything durable and ends the log's use by this process.
// Readers return ErrClosed from then on. When the disk cannot be written the
// error says so, and what was not written waits in the runtime directory.
func (b *Buffer) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	b.closed = true
	b.wakeReadersLocked()
	b.roomLocked()
	b.mu.Unlock()
	close(b.stop)
	<-b.done

	b.wmu.Lock()
	defer b.wmu.Unlock()
	b.tellTime()
	err := b.commit()
	if err == nil {
		err = b.store.End(b.nextSeq())
	}
	saved := err == nil
	if err != nil {
		err = fmt.Errorf("close buffer %q: %w", b.cfg.Dir, err)
	}
	return errors.Join(err, b.store.Close(), b.q.Close(saved), b.lock.Close())
}

// nextSeq is the sequence number of the sample behind those that were
// written.
func (b *Buffer) nextSeq() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.store.Next() + b.q.Delta() + 1
}

// tellTime moves the log's own time on.
func (b *Buffer) tellTime() {
	c := b.fs.Clock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now += b.w.clock.Until(c)
	b.w.clock = c
}

// ID names the log: 16 hexadecimal digits, drawn at random when it was made.
// Together with a sequence number it names a sample for ever.
func (b *Buffer) ID() string { return fmt.Sprintf("%016x", b.store.ID()) }
