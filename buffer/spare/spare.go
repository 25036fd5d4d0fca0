// Package spare allocates the file of the next segment ahead of its use, so
// that no commit waits for the space, and a full disk is met while there is
// still room to go on. Nothing is written to the file before it has its own
// name: what an earlier run has left can be deleted.
package spare

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"fieldferry/buffer/disk"
)

// Name is what the file is called until it is a segment.
const Name = "next.new"

// File is the next segment's file of one directory. Its methods block as long
// as the disk does, and belong to one goroutine at a time; Ready may be called
// beside them.
type File struct {
	fs   disk.FS
	dir  string
	size int64

	mu   sync.Mutex // guards the field below
	file disk.File  // nil: there is none
}

// New returns the place of a file of so many bytes; there is none yet.
func New(fs disk.FS, dir string, size int64) *File { return &File{fs: fs, dir: dir, size: size} }

func (f *File) path() string { return filepath.Join(f.dir, Name) }

// Ready says that the file is there.
func (f *File) Ready() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file != nil
}

// Allocate makes the file.
func (f *File) Allocate() error {
	df, err := f.fs.Create(f.path(), f.size)
	if errors.Is(err, fs.ErrExist) {
		if err = f.fs.Remove(f.path()); err == nil {
			df, err = f.fs.Create(f.path(), f.size)
		}
	}
	if err != nil {
		return fmt.Errorf("allocate the next segment %q: %w", Name, err)
	}
	f.set(df)
	return nil
}

func (f *File) set(df disk.File) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.file = df
}

func (f *File) take() disk.File {
	f.mu.Lock()
	defer f.mu.Unlock()
	df := f.file
	f.file = nil
	return df
}

// Release deletes the file and gives its space back. What cannot be deleted
// now is deleted by the next Allocate, or the next run.
func (f *File) Release() {
	if df := f.take(); df != nil {
		_ = df.Close() // nothing was written to it
		_ = f.fs.Remove(f.path())
	}
}

// Use makes a file of that name, of the one that is ready if there is one. One
// that cannot be renamed is given up.
func (f *File) Use(name string) (disk.File, error) {
	if df := f.take(); df != nil {
		err := f.fs.Rename(f.path(), filepath.Join(f.dir, name))
		if err == nil {
			return df, nil
		}
		f.set(df)
		f.Release()
	}
	return f.fs.Create(filepath.Join(f.dir, name), f.size)
}
