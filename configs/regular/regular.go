// Package regular reads regular files and nothing else: a FIFO, a device or a
// directory where a file is wanted is an error at once, never a wait for
// somebody to write.
package regular

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrIrregular says that a name is that of something else than a regular file.
var ErrIrregular = errors.New("is not a regular file")

// Check returns an error around ErrIrregular when there is something of this
// name that is no regular file, behind symbolic links too. A name that is not
// there, or that cannot be looked at, is left to whoever opens it.
func Check(name string) error {
	if info, err := os.Stat(name); err == nil {
		return check(name, info)
	}
	return nil
}

// Read returns the content of a regular file, but no more than the first most
// bytes. It blocks for as long as the disk does. Its errors are of type
// *fs.PathError.
func Read(name string, most int64) ([]byte, error) {
	if err := Check(name); err != nil { // before, because to open a device can do something to it
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat() // after, because the name may mean something else by now
	if err != nil {
		return nil, err
	}
	if err := check(name, info); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, most))
}

func check(name string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return &fs.PathError{Op: "open", Path: name, Err: ErrIrregular}
}
