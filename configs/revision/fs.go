package revision

import (
	"math"
	"os"
	"path/filepath"
	"syscall"

	"fieldferry/configs/regular"
)

// FS is what a Store needs of a directory; names are relative to it, with
// slashes. Tests cut the power behind it. Dir is the real one.
type FS interface {
	Contents
	Names
}

// Contents are the files of an FS.
type Contents interface {
	ReadFile(name string) ([]byte, error)
	ReadDir(name string) ([]string, error)
	// WriteFile creates or replaces a file whose content is durable when it
	// returns; its name, and those of the directories it makes above it,
	// are after SyncDir. Mode and owner are those of like, where that
	// exists.
	WriteFile(name string, data []byte, like string) error
}

// Names are the names in an FS.
type Names interface {
	Rename(from, to string) error
	SyncDir(name string) error
	RemoveAll(name string) error
}

// Dir is a directory of the machine.
type Dir string

func (d Dir) path(name string) string { return filepath.Join(string(d), filepath.FromSlash(name)) }

// ReadFile reads a regular file; what else has the name is an error.
func (d Dir) ReadFile(name string) ([]byte, error) {
	return regular.Read(d.path(name), math.MaxInt64)
}

// WriteFile writes a file, with the directories above it, and waits for the
// disk.
func (d Dir) WriteFile(name string, data []byte, like string) error {
	if err := os.MkdirAll(filepath.Dir(d.path(name)), 0o750); err != nil {
		return err
	}
	f, err := os.OpenFile(d.path(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	if like != "" {
		imitate(f, d.path(like))
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// imitate gives f the mode and, where allowed, the owner of another file: an
// edit by root must not lock the gateway out.
func imitate(f *os.File, like string) {
	info, err := os.Stat(like)
	if err != nil {
		return
	}
	_ = f.Chmod(info.Mode().Perm()) // best effort: the content matters more
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(st.Uid), int(st.Gid)) // only root may
	}
}

// Rename gives a file or directory another name. A symbolic link of that name
// is replaced by the file.
func (d Dir) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

// SyncDir makes names durable.
func (d Dir) SyncDir(name string) error {
	f, err := os.Open(d.path(name))
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// ReadDir lists the names in a directory.
func (d Dir) ReadDir(name string) ([]string, error) {
	entries, err := os.ReadDir(d.path(name))
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// RemoveAll removes a directory with what is in it.
func (d Dir) RemoveAll(name string) error { return os.RemoveAll(d.path(name)) }
