package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// ErrVanished says that the segment which is being written is not in its
// directory any more: somebody has deleted, moved or unmounted it, and what is
// written to it would be found by nobody.
var ErrVanished = errors.New("the buffer's directory has vanished")

// Present looks whether the segment that is being written still has its name.
// Where it has not the error wraps ErrVanished, the segment must be given up,
// and the next Begin makes the directory again. A disk that does not tell is
// no error: the next sync will say more.
func (s *Store) Present() error {
	w := &s.w
	if w.file == nil {
		return nil
	}
	name := s.path(w.seg.name)
	is, err := w.file.Is(name)
	if w.vanished = err == nil && !is; !w.vanished {
		return nil
	}
	return fmt.Errorf("segment %q is not there any more: %w", name, ErrVanished)
}

// Vanished says that the next Begin makes the directory again.
func (s *Store) Vanished() bool { return s.w.vanished }

// home makes the directory if the log has no segment yet, or has lost it, and
// says so.
func (s *Store) home() (first bool, err error) {
	s.mu.Lock()
	first = len(s.segs) == 0 || s.w.vanished
	s.mu.Unlock()
	if first {
		err = s.fs.MkdirAll(s.dir)
	}
	return first, err
}

// syncHome makes the names of the directory and of the one that it is in
// durable. Beyond that one the process may have no rights.
func (s *Store) syncHome() error {
	parent := filepath.Dir(s.dir)
	if s.w.vanished {
		_ = s.fs.SyncDir(filepath.Dir(parent)) // it is not ours, and may not be readable
	}
	return s.fs.SyncDir(parent)
}

// forget takes the segments out of the log that have vanished with the
// directory. A cursor that has one open reads it to its end; for all others
// its samples are missing.
func (s *Store) forget() {
	names, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return // a cursor finds out one by one
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before, lost := len(s.segs), uint64(0)
	s.segs = slices.DeleteFunc(s.segs, func(f *file) bool {
		gone := !slices.Contains(names, f.name)
		if gone {
			lost += f.end - f.FirstOrd
		}
		return gone
	})
	s.log.Error("segments have vanished: what was not delivered of them is lost",
		"dir", s.dir, "segments", before-len(s.segs), "samples", lost)
}
