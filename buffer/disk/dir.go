package disk

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Dir is the FS of this machine. Names are used as they are given. It is
// ready to use and safe for concurrent use.
type Dir struct{}

// MkdirAll implements Dirs. The directories are made for the owner alone:
// values of a plant are nobody else's business.
func (Dir) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o750) }

// ReadDir implements Dirs.
func (Dir) ReadDir(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// Open implements Files.
func (Dir) Open(name string) (File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

// Create implements Files.
func (Dir) Create(name string, size int64) (File, error) {
	flags := os.O_RDWR | os.O_CREATE
	if size > 0 {
		flags |= os.O_EXCL
	}
	f, err := os.OpenFile(name, flags, 0o640)
	if err != nil {
		return nil, err
	}
	if size > 0 {
		if err := allocate(f, size); err != nil {
			return nil, errors.Join(err, f.Close(), os.Remove(name))
		}
	}
	return file{f}, nil
}

// allocate reserves size bytes. A file system without the call (vfat, NFS,
// some FUSE ones) grows the file as it is written instead.
func allocate(f *os.File, size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case err == nil, errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		}
		return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
	}
}

// Rename implements Files.
func (Dir) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements Files.
func (Dir) Remove(name string) error { return os.Remove(name) }

// SyncDir implements Dirs.
func (Dir) SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Free implements Dirs.
func (Dir) Free(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

// Lock implements Host with flock on the directory itself: it needs no file,
// so it works on a disk that has turned read-only, and the kernel lets go of
// it however the process ends.
func (Dir) Lock(dir string) (Handle, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		return nil, errors.Join(&os.PathError{Op: "lock", Path: dir, Err: err}, f.Close())
	}
	return file{f}, nil
}

// Map implements Host. Where the space cannot be allocated it fails: a store
// into a hole of a full tmpfs would end the process with SIGBUS.
func (Dir) Map(name string, size int) (Mapping, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(int64(size)); err != nil {
		return nil, err
	}
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(size)); err != nil {
		return nil, &os.PathError{Op: "fallocate", Path: name, Err: err}
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, &os.PathError{Op: "mmap", Path: name, Err: err}
	}
	return &mapping{mem: mem}, nil
}

// Clock implements Host.
func (Dir) Clock() Clock {
	c := Clock{Wall: time.Now(), Boot: bootID()}
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) == nil {
		c.Up = time.Duration(ts.Nano())
	}
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	c.Trusted = err == nil && state != unix.TIME_ERROR && tx.Status&unix.STA_UNSYNC == 0
	return c
}

var bootID = sync.OnceValue(func() (id [16]byte) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id // unknown: nothing in shared memory will be trusted
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""))
	if err == nil {
		copy(id[:], raw)
	}
	return id
})

type file struct{ *os.File }

// Sync is fdatasync: the length is included, access times are not.
func (f file) Sync() error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if !errors.Is(err, unix.EINTR) {
			if err != nil {
				return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
			}
			return nil
		}
	}
}

func (f file) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// Is implements Handle by device and inode.
func (f file) Is(name string) (bool, error) {
	there, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	st, err := f.Stat()
	if err != nil {
		return false, err
	}
	return os.SameFile(st, there), nil
}

type mapping struct{ mem []byte }

func (m *mapping) Bytes() []byte { return m.mem }

func (m *mapping) Close() error {
	mem := m.mem
	m.mem = nil
	if mem == nil {
		return nil
	}
	return unix.Munmap(mem)
}
