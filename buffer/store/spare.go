package store

import (
	"errors"
	"fmt"
	"io/fs"

	"fieldferry/buffer/disk"
)

// spareName is the file that the next segment will be. Its space is allocated
// ahead, so that no commit waits for it, and a full disk is met while there is
// still room to go on. Nothing is written to it before it has its own name, so
// what an earlier run has left is deleted.
const spareName = "next.new"

// WantsSpare says that the segment that is being written is in its last
// quarter, and that the next one's file is not there yet.
func (s *Store) WantsSpare() bool {
	w := &s.w
	return w.file != nil && !s.Spare() && 4*(w.off+int64(len(w.out))) >= 3*s.limit
}

// Spare says that the next segment's file is there.
func (s *Store) Spare() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spare != nil
}

// Allocate makes the file of the next segment.
func (s *Store) Allocate() error {
	df, err := s.fs.Create(s.path(spareName), s.limit)
	if errors.Is(err, fs.ErrExist) {
		if err = s.fs.Remove(s.path(spareName)); err == nil {
			df, err = s.fs.Create(s.path(spareName), s.limit)
		}
	}
	if err != nil {
		return fmt.Errorf("allocate the next segment %q: %w", spareName, err)
	}
	s.setSpare(df)
	return nil
}

func (s *Store) setSpare(df disk.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spare = df
}

// Release gives the space of the next segment's file back. What cannot be
// deleted now is deleted by the next Allocate, or the next run.
func (s *Store) Release() {
	df := s.takeSpare()
	if df == nil {
		return
	}
	_ = df.Close()
	_ = s.fs.Remove(s.path(spareName))
}

func (s *Store) takeSpare() disk.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	df := s.spare
	s.spare = nil
	return df
}

// fresh makes the file of a segment of that name: of the spare if there is
// one. A spare that cannot be renamed is given up.
func (s *Store) fresh(name string) (disk.File, error) {
	if df := s.takeSpare(); df != nil {
		err := s.fs.Rename(s.path(spareName), s.path(name))
		if err == nil {
			return df, nil
		}
		s.setSpare(df)
		s.Release()
	}
	return s.fs.Create(s.path(name), s.limit)
}
