package buffer

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// locks are the directories that this process owns.
type locks []io.Closer

// Close lets go of all of them.
func (l locks) Close() (err error) {
	for _, c := range l {
		err = errors.Join(err, c.Close())
	}
	return err
}

// own makes the directories of c and locks both: two logs that share the
// runtime directory would overwrite each other's ring. Where the runtime
// directory cannot be made or locked, but not because it is in use, the log
// does without: c.RuntimeDir is empty then.
func own(fs FS, c *Config, log *slog.Logger) (locks, error) {
	mkdirErr := fs.MkdirAll(c.Dir)
	dir, err := fs.Lock(c.Dir)
	if err != nil {
		return nil, errors.Join(err, mkdirErr)
	}
	if c.RuntimeDir == "" {
		return locks{dir}, nil
	}
	runtime, err := ownRuntime(fs, c.RuntimeDir)
	switch {
	case errors.Is(err, ErrLocked):
		return nil, errors.Join(err, dir.Close())
	case err != nil:
		log.Warn("samples are written straight to the log: no shared memory", "err", err)
		c.RuntimeDir = ""
		return locks{dir}, nil
	}
	return locks{dir, runtime}, nil
}

func ownRuntime(fs FS, dir string) (io.Closer, error) {
	mkdirErr := fs.MkdirAll(dir)
	lock, err := fs.Lock(dir)
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("another gateway uses runtime directory %q; give each its own --runtime or buffer.runtime_dir: %w", dir, err)
	}
	if err != nil {
		return nil, errors.Join(err, mkdirErr)
	}
	return lock, nil
}
