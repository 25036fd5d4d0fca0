// Package owner makes this process the only one in the buffer's directories.
// Its functions block as long as the disk does.
package owner

import (
	"errors"
	"fmt"
	"log/slog"

	"fieldferry/buffer/disk"
	"fieldferry/buffer/settings"
)

// Locks are the directories that this process owns, that of the log first.
type Locks []disk.Handle

// Close lets go of all of them.
func (l Locks) Close() (err error) {
	for _, c := range l {
		err = errors.Join(err, c.Close())
	}
	return err
}

// Own makes the directories of c and locks both: two logs that share the
// runtime directory would overwrite each other's ring. Where the runtime
// directory cannot be made or locked, but not because it is in use, the log
// does without: c.RuntimeDir is empty then.
func Own(fs disk.FS, c *settings.Config, log *slog.Logger) (Locks, error) {
	mkdirErr := fs.MkdirAll(c.Dir)
	dir, err := fs.Lock(c.Dir)
	if err != nil {
		return nil, errors.Join(err, mkdirErr)
	}
	if c.RuntimeDir == "" {
		return Locks{dir}, nil
	}
	runtime, err := ownRuntime(fs, c.RuntimeDir)
	switch {
	case errors.Is(err, disk.ErrLocked):
		return nil, errors.Join(err, dir.Close())
	case err != nil:
		log.Warn("samples are written straight to the log: no shared memory", "err", err)
		c.RuntimeDir = ""
		return Locks{dir}, nil
	}
	return Locks{dir, runtime}, nil
}

func ownRuntime(fs disk.FS, dir string) (disk.Handle, error) {
	mkdirErr := fs.MkdirAll(dir)
	lock, err := fs.Lock(dir)
	if errors.Is(err, disk.ErrLocked) {
		return nil, fmt.Errorf("another gateway uses runtime directory %q; give each its own --runtime or buffer.runtime_dir: %w", dir, err)
	}
	if err != nil {
		return nil, errors.Join(err, mkdirErr)
	}
	return lock, nil
}

// Again makes the directory of the log again where it has vanished, and locks
// it: the lock from before is on what nobody finds any more, and another
// process could begin in the new one.
func (l Locks) Again(fs disk.FS, dir string) error {
	if err := fs.MkdirAll(dir); err != nil {
		return err
	}
	if is, err := l[0].Is(dir); err != nil || is {
		return err
	}
	lock, err := fs.Lock(dir)
	if err != nil {
		return err
	}
	err = l[0].Close()
	l[0] = lock
	return err
}
