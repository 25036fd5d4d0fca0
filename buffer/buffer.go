package buffer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"fieldferry/buffer/classlog"
	"fieldferry/buffer/disk"
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
	c    classlog.Common
	cfg  Config
	lim  limits
	lock io.Closer
	log  *classlog.Log

	kick chan struct{} // capacity 1; wakes the commit goroutine
	stop chan struct{} // closed by Close
	done chan struct{} // closed by the commit goroutine

	wmu     sync.Mutex    // the writer: taken before c.Mu, held across disk I/O
	floorAt time.Duration // when the free space is looked at again

	open []*Reader // guarded by c.Mu
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
	c = c.Filled()
	return open(fs, c, log, defaultLimits(c))
}

func open(fs FS, c Config, log *slog.Logger, lim limits) (*Buffer, error) {
	b := &Buffer{
		cfg: c, lim: lim,
		kick: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	mkdirErr := fs.MkdirAll(c.Dir)
	lock, err := fs.Lock(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("open buffer %q: %w", c.Dir, errors.Join(err, mkdirErr))
	}
	b.lock = lock
	b.c.FS, b.c.Log, b.c.Kick, b.c.Room = fs, log, b.wake, b.makeRoom
	b.c.Clock = fs.Clock()
	b.log, err = classlog.Open(&b.c, classlog.Options{
		Dir: c.Dir, RuntimeDir: c.RuntimeDir, Segment: lim.segment, Aside: int64(c.MaxBytes) / 4,
		Ring: lim.ring, Batch: lim.batch, Patience: lim.patience,
	})
	if err != nil {
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

func (b *Buffer) begin() {
	b.wmu.Lock()
	defer b.wmu.Unlock()
	b.log.Begin()
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
			_ = b.log.TryCommit() // its error is in Stats and in the log
			b.retain()
			b.wmu.Unlock()
		}
	}
}

func (b *Buffer) wake() {
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

// tick is the work of half a sync interval.
func (b *Buffer) tick() {
	b.wmu.Lock()
	defer b.wmu.Unlock()
	b.tellTime()
	if b.log.Due() {
		_ = b.log.TryCommit() // its error is in Stats and in the log
	}
	b.retain()
}

// Append adds samples in order. When it returns nil they survive the end of
// the process; what s points to may be reused, except the tags. A value of
// more than 48 KiB of text is replaced by none, of bad quality, and counted.
//
// The error is ErrClosed, or tells of a sample without a tag, before which
// all were added. A disk that cannot be written is no error here: it is the
// buffer's business, and told by Stats.
func (b *Buffer) Append(s []tag.Sample) error {
	b.c.Mu.Lock()
	err := b.appendLocked(s)
	direct, full := b.log.DirectLocked(), b.log.FullLocked()
	b.c.Mu.Unlock()
	if direct {
		b.wmu.Lock()
		b.log.WriteThrough()
		b.wmu.Unlock()
	}
	if full {
		b.wake()
	}
	return err
}

func (b *Buffer) appendLocked(s []tag.Sample) error {
	defer b.wakeReadersLocked()
	for i := range s {
		if b.c.Closed {
			return ErrClosed
		}
		if s[i].Tag == nil {
			return fmt.Errorf("append sample %d of %d: it has no tag", i+1, len(s))
		}
		b.log.AddLocked(&s[i])
	}
	return nil
}

func (b *Buffer) wakeReadersLocked() {
	for _, r := range b.open {
		r.kick()
	}
}

// Sync returns when everything that was appended and settled before the call
// is durable. ctx is looked at before the disk is; the disk itself is waited
// for. An error says why nothing can be written; the samples are kept.
func (b *Buffer) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.wmu.Lock()
	defer b.wmu.Unlock()
	b.c.Mu.Lock()
	closed := b.c.Closed
	b.c.Mu.Unlock()
	if closed {
		return ErrClosed
	}
	return b.log.Commit()
}

// Close makes everything durable and ends the log's use by this process.
// Readers return ErrClosed from then on. When the disk cannot be written the
// error says so, and what was not written waits in the runtime directory.
func (b *Buffer) Close() error {
	b.c.Mu.Lock()
	if b.c.Closed {
		b.c.Mu.Unlock()
		return ErrClosed
	}
	b.c.Closed = true
	b.wakeReadersLocked()
	b.log.RoomLocked()
	b.c.Mu.Unlock()
	close(b.stop)
	<-b.done

	b.wmu.Lock()
	defer b.wmu.Unlock()
	b.tellTime()
	err := b.log.Close()
	if err != nil {
		err = fmt.Errorf("close buffer %q: %w", b.cfg.Dir, err)
	}
	return errors.Join(err, b.lock.Close())
}

// tellTime moves the log's own time on.
func (b *Buffer) tellTime() {
	c := b.c.FS.Clock()
	b.c.Mu.Lock()
	defer b.c.Mu.Unlock()
	b.c.Now += b.c.Clock.Until(c)
	b.c.Clock = c
	b.log.NoteClockLocked()
}

// ID names the log: 16 hexadecimal digits, drawn at random when it was made.
// Together with a sequence number it names a sample for ever.
func (b *Buffer) ID() string { return fmt.Sprintf("%016x", b.log.ID()) }
