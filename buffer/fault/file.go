package fault

import (
	"errors"
	"io"
	"syscall"
)

type file struct {
	m    *Machine
	name string
	ino  *inode
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.op("read", f.name); errors.Is(err, ErrShort) {
		return copy(p[:len(p)-min(1, len(p))], f.ino.data[min(off, int64(len(f.ino.data))):]), err
	} else if err != nil {
		return 0, err
	}
	if off >= int64(len(f.ino.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.ino.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	was := f.m.cut
	err := f.m.op("write", f.name)
	if was {
		return 0, err
	}
	p = p[:written(len(p), err)]
	f.ino.own()
	end := int(off) + len(p)
	if end > len(f.ino.data) {
		f.ino.data = resize(f.ino.data, end)
	}
	copy(f.ino.data[off:], p)
	for s := int(off) / sector; s*sector < end; s++ {
		from := max(int(off), s*sector)
		if before, ok := f.ino.dirty[s]; ok {
			from = min(from, before)
		}
		f.ino.dirty[s] = from
	}
	return len(p), err
}

// written is how much of n bytes a write has written that ends with err.
func written(n int, err error) int {
	switch {
	case err == nil:
		return n
	case errors.Is(err, ErrShort):
		return max(n-1, 0)
	case errors.Is(err, syscall.EROFS):
		return 0
	}
	return n / 2
}

func (f *file) Truncate(size int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.op("truncate", f.name); err != nil {
		return err
	}
	f.ino.own()
	f.ino.data = resize(f.ino.data, int(size))
	return nil
}

// Sync makes the file durable. One that was made to fail has dropped what
// was dirty and will not tell again, as Linux does.
func (f *file) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.op("sync", f.name); err != nil {
		if !f.m.cut {
			clear(f.ino.dirty)
		}
		return err
	}
	f.ino.own()
	for s := range f.ino.dirty {
		lo, hi := s*sector, min((s+1)*sector, len(f.ino.data))
		if lo < hi {
			f.ino.durable = resize(f.ino.durable, max(hi, len(f.ino.durable)))
			copy(f.ino.durable[lo:hi], f.ino.data[lo:hi])
		}
	}
	f.ino.durable = resize(f.ino.durable, len(f.ino.data))
	clear(f.ino.dirty)
	return nil
}

func (f *file) Size() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.op("stat", f.name); err != nil {
		return 0, err
	}
	return int64(len(f.ino.data)), nil
}

func (f *file) Close() error { return nil }
