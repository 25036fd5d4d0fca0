// Package disk is the small seam between the buffer and the machine: the
// files it keeps, the memory it shares with its next run, and the clocks it
// may trust. Dir is the real one; buffer/fault has one whose power can be cut
// after every single operation.
//
// Calls block for as long as the disk does. A File and an FS may be used by
// several goroutines at once.
package disk

import (
	"io"
	"time"
)

// FS is what the buffer needs of a machine: each method is one thing whose
// failure and whose durability are tested on their own.
type FS interface {
	Files
	Dirs
	Host
}

// Files opens and makes files and changes their names. None of its changes is
// durable before Dirs.SyncDir.
type Files interface {
	// Open opens a file for reading.
	Open(name string) (File, error)
	// Create opens a file for reading and writing and makes it where it is
	// missing. With a size above zero the file must not exist yet, and its
	// space is allocated at once and reads as zeros, so that a full disk is
	// met here and not in the middle of a block; a file system that cannot
	// allocate is no error.
	Create(name string, size int64) (File, error)
	// Rename gives a file a new name in the same directory.
	Rename(from, to string) error
	// Remove deletes a file.
	Remove(name string) error
}

// Dirs is what directories can do.
type Dirs interface {
	// MkdirAll makes dir and its parents; an existing one is no error.
	MkdirAll(dir string) error
	// ReadDir returns the names in dir, in no order.
	ReadDir(dir string) ([]string, error)
	// SyncDir makes the names in dir durable.
	SyncDir(dir string) error
	// Free returns the bytes an unprivileged process may still write in dir.
	Free(dir string) (int64, error)
}

// Host is what lies beyond files: other processes, memory and time.
type Host interface {
	// Lock makes this process the only owner of dir until the closer is closed
	// or the process ends. It fails with ErrLocked if somebody else is.
	Lock(dir string) (Handle, error)
	// Map opens or makes a file of exactly size bytes and maps it into memory,
	// shared with whoever maps it next. All its space is allocated, so that a
	// store cannot fault on a full disk.
	Map(name string, size int) (Mapping, error)
	// Clock reads the machine's clocks.
	Clock() Clock
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	Handle
	Extent
}

// Handle is what is open, or owned, and stays so whatever becomes of its name.
type Handle interface {
	io.Closer
	// Is says that name leads to what is open. It is false where nothing has
	// the name, or something else. It costs no access to the disk as long as
	// the kernel remembers the name.
	Is(name string) (bool, error)
}

// Extent is how long a file is and how much of it is durable.
type Extent interface {
	// Truncate cuts the file, or grows it by zeros.
	Truncate(size int64) error
	// Sync makes everything written so far durable, including the length.
	// After it has failed nothing written since the last successful one may
	// be trusted, whatever a later Sync says.
	Sync() error
	// Size returns the length in bytes.
	Size() (int64, error)
}

// Mapping is a file in memory. Its bytes survive the end of the process, not
// a power cut. They must not be touched after Close.
type Mapping interface {
	Bytes() []byte
	Close() error
}

// Clock is one reading of the machine's clocks.
type Clock struct {
	Wall    time.Time     // what the machine believes the time to be
	Up      time.Duration // since the machine started, in sleep too; never jumps
	Boot    [16]byte      // names this start of the machine; zero where unknown
	Trusted bool          // the kernel says that the wall clock is synchronised
}

// Until is the time that has passed from c until d, both of this start of the
// machine. The wall clock has no part in it, so it never jumps.
func (c Clock) Until(d Clock) time.Duration { return max(d.Up-c.Up, 0) }

// Off is the time that has passed from c, noted by an earlier run, until d. If
// the machine was started in between it is known only if both wall clocks are
// vouched for; otherwise it is 0.
func (c Clock) Off(d Clock) time.Duration {
	switch {
	case c.Boot == d.Boot && c.Boot != [16]byte{}:
		return c.Until(d)
	case c.Trusted && d.Trusted:
		return max(d.Wall.Sub(c.Wall), 0)
	}
	return 0
}

// ErrLocked is returned by Lock when another process owns the directory.
var ErrLocked = lockedError{}

type lockedError struct{}

func (lockedError) Error() string { return "in use by another process" }
