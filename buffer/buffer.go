package buffer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"fieldferry/buffer/disk"
	"fieldferry/buffer/ring"
	"fieldferry/buffer/segment"
	"fieldferry/tag"
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
	id   uint64
	lock io.Closer

	kick chan struct{} // capacity 1; wakes the commit goroutine
	stop chan struct{} // closed by Close
	done chan struct{} // closed by the commit goroutine

	wmu sync.Mutex // the writer: taken before mu, held across disk I/O
	w   writer

	mu       sync.Mutex // guards everything below; never held across disk I/O
	closed   bool
	epoch    uint32
	ord      uint64 // samples appended to the log, ever
	delta    uint64 // sequence number minus count, for samples of this run
	lastSeq  uint64 // the last sequence number given
	runOrd   uint64 // ord at Open
	diskOrd  uint64 // samples up to here are durable, or settled by everybody
	markOrd  uint64 // ord at the tick before
	now      time.Duration
	ring     *ring.Ring
	pending  []*pending // the ring's records, oldest first
	spare    []*pending
	scratch  []byte
	space    chan struct{} // closed and replaced when the ring gains room
	holes    []hole        // lost or skipped between disk and ring, oldest first
	segs     []*seg        // oldest first; the last one is being written
	dict     dictionary
	accounts []*account
	statesOK bool // the readers of earlier runs are known
	health   health
	count    counters
	dropped  []segment.Count

	mapping  disk.Mapping // nil: the ring is in memory of this process
	dictFile disk.File
	dictOff  int64
	dictKey  segment.Key
	shared   bool // the ring and the dictionary outlive the process
}

// limits are sizes and times that tests make smaller.
type limits struct {
	segment  int64
	ring     int
	batch    int           // pending bytes that are written without waiting for the tick
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
	b.dict.init()
	mkdirErr := fs.MkdirAll(c.Dir)
	lock, err := fs.Lock(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("open buffer %q: %w", c.Dir, errors.Join(err, mkdirErr))
	}
	b.lock = lock
	if err := b.recover(); err != nil {
		return nil, fmt.Errorf("open buffer %q: %w", c.Dir, errors.Join(err, b.release()))
	}
	b.begin()
	if lim.manual {
		close(b.done)
	} else {
		go b.run()
	}
	return b, nil
}

// begin makes this run's first segment durable: the epoch and the sequence
// numbers it starts with must never be given again, and are only given once
// this has succeeded or, on a disk that cannot be written, at a distance that
// chance alone could repeat.
func (b *Buffer) begin() {
	b.wmu.Lock()
	defer b.wmu.Unlock()
	if err := b.commit(); err != nil {
		b.stray()
		return
	}
	b.renewRing()
	b.retain()
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
	b.markOrd = b.ord
	b.freeSettledLocked()
	if len(b.pending) > 0 && b.pending[0].rec.Ord < mark && !b.settledLocked(mark) {
		return true
	}
	for _, a := range b.accounts {
		if !a.isSaved || a.saved.Removed != a.Removed {
			return true
		}
		if a.version != a.savedVers && (a.saved.Ord < b.diskOrd || b.now-b.w.last >= idleSave) {
			return true
		}
	}
	return b.w.dirty || len(b.w.drops) > 0 || b.health.failing != nil
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
	for _, a := range b.accounts {
		if a.open != nil {
			a.open.kick()
		}
	}
	b.roomLocked()
	b.mu.Unlock()
	close(b.stop)
	<-b.done

	b.wmu.Lock()
	defer b.wmu.Unlock()
	b.tellTime()
	err := b.commit()
	if err == nil {
		err = b.seal(true)
	}
	if err != nil {
		err = fmt.Errorf("close buffer %q: %w", b.cfg.Dir, err)
	} else {
		b.dropMemory()
	}
	return errors.Join(err, b.release())
}

// release gives back what Open took.
func (b *Buffer) release() error {
	var errs []error
	if b.w.file != nil {
		errs = append(errs, b.w.file.Close())
	}
	if b.dictFile != nil {
		errs = append(errs, b.dictFile.Close())
	}
	if b.mapping != nil {
		errs = append(errs, b.mapping.Close())
	}
	return errors.Join(append(errs, b.lock.Close())...)
}

// tellTime moves the log's own time on: it follows the clock that runs since
// the machine started, never the wall clock.
func (b *Buffer) tellTime() {
	c := b.fs.Clock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if d := c.Up - b.w.clock.Up; d > 0 {
		b.now += d
	}
	b.w.clock = c
}

// ID names the log: 16 hexadecimal digits, drawn at random when it was made.
// Together with a sequence number it names a sample for ever.
func (b *Buffer) ID() string { return fmt.Sprintf("%016x", b.id) }

func (b *Buffer) path(name string) string { return filepath.Join(b.cfg.Dir, name) }

// Start says where a reader begins that the log does not know.
type Start uint8

// The starts.
const (
	StartNow    Start = iota // behind the last sample
	StartOldest              // at the oldest sample that is still there
)

// Entry is a sample on its way to an uplink.
type Entry struct {
	Seq    uint64 // never used twice in this log
	Epoch  uint32 // counts unclean starts of the log, from 1
	Sample tag.Sample
	// Historical says that the sample was appended before this run. Whether a
	// sample of this run is news is for the uplink to say.
	Historical bool
}
