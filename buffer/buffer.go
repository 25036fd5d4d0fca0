package buffer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"fieldferry/buffer/classlog"
	"fieldferry/buffer/disk"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/owner"
	"fieldferry/buffer/retain"
	"fieldferry/buffer/segment"
	"fieldferry/buffer/settings"
	"fieldferry/buffer/size"
	"fieldferry/tag"
)

// FS is the machine that a Buffer runs on.
type FS = disk.FS

// DirFS is this machine.
func DirFS() FS { return disk.Dir{} }

// Config says where the log lies and how much of the disk it may take.
type Config = settings.Config

// Default is the configuration of a gateway that says nothing.
func Default() Config { return settings.Default() }

// Size is a number of bytes, written 4GiB, 512MiB, 64KiB, 10GB, 10MB, 10kB or
// as plain bytes.
type Size = size.Bytes

// ErrClosed is returned by every method after Close.
var ErrClosed = errors.New("buffer closed")

// ErrLocked is wrapped by Open's error when another process owns the
// directory of the log or the runtime directory.
var ErrLocked = disk.ErrLocked

// classes is how many classes there are, each with a log of its own; normal
// is the one whose log also says which readers there are, and where the
// numbers of a run begin.
const (
	classes = int(tag.ClassAlarm) + 1
	normal  = tag.ClassNormal
)

// Buffer is an open log. See the package comment.
type Buffer struct {
	c    classlog.Common
	cfg  Config
	lim  limits
	lock owner.Locks            // belongs to the writer
	logs [classes]*classlog.Log // by class

	kick chan struct{} // capacity 1; wakes the commit goroutine
	stop chan struct{} // closed by Close
	done chan struct{} // closed by the commit goroutine

	wmu    sync.Mutex   // the writer: taken before c.Mu, held across disk I/O
	bounds retain.Rules // belongs to the writer

	open  map[string]*Reader // by name; guarded by c.Mu
	alarm bool               // an alarm was appended that nobody was woken for; guarded by c.Mu
}

// limits are sizes and times that tests make smaller.
type limits struct {
	segment   int64
	ring      int
	leastRing int
	batch     int           // bytes that are written without waiting for the tick
	patience  time.Duration // how long Append waits for a busy disk
	manual    bool          // no commit goroutine: the test calls tick
}

func defaultLimits(c Config) limits {
	return limits{
		segment:   min(max(int64(c.MaxBytes)/16, 1<<20), 16<<20),
		ring:      8 << 20,
		leastRing: 1 << 20,
		batch:     1 << 20,
		patience:  5 * time.Second,
	}
}

// Open opens the log in c.Dir, which is made where it is missing. It never
// fails because of what the files hold. It fails with ErrLocked when another
// process owns the directory or c.RuntimeDir, which is made too, and when the
// directory cannot be read at all. Where the runtime directory cannot be made
// or used the log does without.
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
	lock, err := owner.Own(fs, &c, log)
	if err != nil {
		return nil, fmt.Errorf("open buffer %q: %w", c.Dir, err)
	}
	b := &Buffer{
		cfg: c, lim: lim, lock: lock, open: map[string]*Reader{},
		kick: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	b.c.FS, b.c.Log, b.c.Kick, b.c.Room, b.c.Home = fs, log, b.wake, b.bounds.MakeRoomFor, func() error { return lock.Again(fs, c.Dir) }
	b.c.Clock = fs.Clock()
	for i := range b.logs {
		if err := b.openLog(tag.Class(i)); err != nil {
			return nil, fmt.Errorf("open buffer %q: %w", c.Dir, errors.Join(err, lock.Close()))
		}
	}
	b.warnOfOthers()
	b.bounds = retain.Rules{
		Common: &b.c, Main: b.logs[normal], Segment: lim.segment,
		Logs:     []*classlog.Log{b.logs[tag.ClassBulk], b.logs[normal], b.logs[tag.ClassAlarm]},
		MaxBytes: int64(c.MaxBytes), MaxAge: c.MaxAge, MinFree: int64(c.MinFree),
		Open: func(name string) bool { return b.open[name] != nil }, Remove: b.removeLocked,
	}
	b.begin()
	if lim.manual {
		close(b.done)
	} else {
		go b.run()
	}
	return b, nil
}

// warnOfOthers tells of segments in the directory itself, where format 1 had
// them. They are left alone.
func (b *Buffer) warnOfOthers() {
	names, err := b.c.FS.ReadDir(b.cfg.Dir)
	if err != nil {
		return // the logs have told, or will
	}
	var h segment.Header
	others := 0
	for _, name := range names {
		if h.ParseName(name) {
			others++
		}
	}
	if others > 0 {
		b.c.Log.Warn("segments of format 1 are left alone: their samples are not delivered, and they may be deleted", "dir", b.cfg.Dir, "files", others)
	}
}

// openLog opens the log of one class, in a directory of its own.
func (b *Buffer) openLog(class tag.Class) (err error) {
	name, ring, id := class.String(), b.lim.ring, uint64(0)
	if class != normal {
		ring = max(b.lim.ring/4, b.lim.leastRing)
		id = b.logs[normal].ID() + uint64(class)
	}
	runtime := b.cfg.RuntimeDir
	if runtime != "" {
		runtime = filepath.Join(runtime, name)
	}
	b.logs[class], err = classlog.Open(&b.c, classlog.Options{
		Class: name, Dir: filepath.Join(b.cfg.Dir, name), RuntimeDir: runtime,
		Segment: b.lim.segment, Aside: int64(b.cfg.MaxBytes) / 4,
		Ring: ring, Batch: b.lim.batch, Patience: b.lim.patience,
	}, id)
	return err
}

// epochGap is how far the sequence numbers jump after an unclean start: more
// than one run can have given without making any of them durable.
const epochGap = 1 << 38

// strayRange is how far apart runs begin whose start is not durable. Two of
// them repeat numbers if one begins within the samples of the other: with a
// million samples each that is less likely than 1 in 100 million. Some thirty
// such runs stay below 2^53, up to which JavaScript counts exactly.
const strayRange = 1 << 48

// begin makes the start of this run durable: the epoch and the sequence
// numbers it begins with must never be given again, and are only given once
// this has succeeded or, on a disk that cannot be written, at a distance that
// only chance could repeat.
func (b *Buffer) begin() {
	b.wmu.Lock()
	defer b.wmu.Unlock()
	b.c.Mu.Lock()
	b.c.NoteClockLocked(b.logs[:])
	sure := b.numberLocked()
	b.c.CountOnLocked(b.logs[normal], b.logs[1:])
	b.alignLocked()
	b.c.Mu.Unlock()
	b.logs[normal].Must()
	err := b.logs[normal].Begin()
	for _, l := range b.logs {
		_ = l.Begin() // its error is in Stats and in the log
	}
	if err != nil && !sure {
		b.stray()
	}
	b.bounds.Begin()
	b.bounds.Keep()
}

// numberLocked sets epoch and numbers of the run behind those of all classes.
// It reports whether no number can be given twice even if the start is not
// durable: what outlived the process knows them all.
func (b *Buffer) numberLocked() (sure bool) {
	epoch, clean, torn := uint32(0), true, false
	for _, l := range b.logs {
		t := l.Tail()
		epoch = max(epoch, t.Epoch)
		b.c.Seq = max(b.c.Seq, t.Seq)
		clean = clean && t.Clean
		torn = torn || !t.Clean && !t.Kept
		if !t.Empty && b.logs[normal].Tail().Empty { // it was taken away, and what it said of readers
			torn = true
			b.logs[normal].DoubtLocked()
		}
	}
	clean = clean && !torn
	if !clean {
		epoch++
	}
	if torn {
		b.c.Seq += epochGap
	}
	b.c.Base = b.c.Seq
	for _, l := range b.logs {
		l.StartLocked(epoch)
	}
	return !torn && b.logs[normal].Tail().Kept
}

// alignLocked gives every reader that the normal log knows an account in the
// other ones, and ends accounts that were left behind when their reader was
// removed. A log that has none for a reader has none of its samples settled:
// the first that were written to it came later than the reader.
func (b *Buffer) alignLocked() {
	for _, a := range b.logs[normal].BookLocked().Accounts {
		for c := range b.logs[1:] {
			if !a.Removed {
				b.accountLocked(tag.Class(c+1), a.Name, StartOldest, true)
			}
		}
	}
	if !b.logs[normal].KnownLocked() {
		return
	}
	for _, l := range b.logs[1:] {
		for _, a := range l.BookLocked().Accounts {
			if !a.Removed && b.logs[normal].BookLocked().Find(a.Name) == nil {
				l.RemoveLocked(a, classlog.ReasonRemoved)
			}
		}
	}
}

// stray moves the sequence numbers of a run that could not make its start
// durable: should this run end without a trace, the next one must not give
// the same ones again. Those of a run that goes on from an earlier one start
// where that one did, durably.
func (b *Buffer) stray() {
	b.c.Mu.Lock()
	defer b.c.Mu.Unlock()
	by := rand.Uint64N(strayRange) // the same, or counters would not grow with sequence numbers
	b.c.Seq += epochGap + by
	b.c.Base = b.c.Seq
	b.c.CountOnAfterLocked(by)
	b.c.Log.Warn("the buffer starts without a disk: sequence numbers jump", "next", b.c.Seq+1)
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
			b.kicked()
		}
	}
}

// kicked is the work that does not wait for the tick.
func (b *Buffer) kicked() {
	b.wmu.Lock()
	defer b.wmu.Unlock()
	b.tellTime()
	b.commitNow()
	b.bounds.Keep()
}

// commitNow commits alarms, and what is too much to wait for the tick.
func (b *Buffer) commitNow() {
	for c, l := range b.logs {
		b.c.Mu.Lock()
		now := tag.Class(c) == tag.ClassAlarm || l.FullLocked() || l.WaitedForLocked()
		b.c.Mu.Unlock()
		if now {
			_ = l.TryCommit() // its error is in Stats and in the log
		}
	}
}

// Drops returns what was dropped of each class before every reader had it,
// the last 64 times, in the order of the last sequence number. Older ones are
// in Stats alone. Like Stats it does not wait for the disk; what it returns
// may share Drop.Devices with other calls and is to be read only.
func (b *Buffer) Drops() (drops []Drop) {
	b.c.Mu.Lock()
	defer b.c.Mu.Unlock()
	for c, l := range b.logs {
		for _, d := range l.DropsLocked() {
			drops = append(drops, Drop{Class: tag.Class(c), Drop: d})
		}
	}
	slices.SortStableFunc(drops, func(x, y Drop) int { return cmp.Compare(x.LastSeq, y.LastSeq) })
	return drops
}

// Drop is the record of samples that are gone. ID counts those of its class.
type Drop struct {
	Class tag.Class
	frame.Drop
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
	for _, l := range b.logs {
		l.Look()
	}
	for i := range b.logs { // the normal log last: it says which readers there are
		if l := b.logs[classes-1-i]; l.Due() {
			_ = l.TryCommit() // its error is in Stats and in the log
		}
	}
	b.bounds.Keep()
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
	direct, full := false, b.alarm
	b.alarm = false
	for _, l := range b.logs {
		direct = direct || l.DirectLocked()
		full = full || l.FullLocked()
	}
	b.c.Mu.Unlock()
	if direct {
		b.writeThrough()
	}
	if full {
		b.wake()
	}
	return err
}

// writeThrough writes what no shared memory keeps.
func (b *Buffer) writeThrough() {
	b.wmu.Lock()
	defer b.wmu.Unlock()
	for _, l := range b.logs {
		l.WriteThrough()
	}
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
		class := s[i].Tag.Class
		if int(class) >= classes {
			class = normal
		}
		b.logs[class].AddLocked(&s[i])
		b.alarm = b.alarm || class == tag.ClassAlarm
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
	return b.commit()
}

// commit makes everything durable. The normal log comes last: what it says of
// readers holds for the others.
func (b *Buffer) commit() (err error) {
	for i := range b.logs {
		err = errors.Join(err, b.logs[classes-1-i].Commit())
	}
	return err
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
	b.bounds.SeeLocked(0)
	b.wakeReadersLocked()
	for _, l := range b.logs {
		l.RoomLocked()
	}
	b.c.Mu.Unlock()
	close(b.stop)
	<-b.done

	b.wmu.Lock()
	defer b.wmu.Unlock()
	b.tellTime()
	var err error
	for i := range b.logs {
		err = errors.Join(err, b.logs[classes-1-i].Close())
	}
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
	b.c.NoteClockLocked(b.logs[:])
}

// ID names the log: 16 hexadecimal digits, drawn at random when it was made.
// Together with a sequence number it names a sample for ever.
func (b *Buffer) ID() string { return fmt.Sprintf("%016x", b.logs[normal].ID()) }
