package inspect

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
)

// deleted says that a segment which cannot be opened was deleted in order
// while the directory was read: it is not in the list any more.
func (d *Dir) deleted(s *Segment, err error) bool {
	if !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	dir, name := filepath.Split(filepath.Join(d.Path, s.File))
	names, err := d.files.ReadDir(filepath.Clean(dir))
	return err == nil && len(names) > 0 && !slices.Contains(names, name)
}
