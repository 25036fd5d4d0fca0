package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
)

// TestFiles: space is allocated and reads as zeros, a name that exists is not
// taken, and files can be renamed and removed.
func TestFiles(t *testing.T) {
	var d Dir
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := d.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "x")
	f, err := d.Create(name, 8<<10)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := []byte{1, 2, 3}
	if n, err := f.ReadAt(p, 8<<10-3); err != nil || n != 3 || !slices.Equal(p, []byte{0, 0, 0}) {
		t.Errorf("new space reads %v, %v, want zeros", p, err)
	}
	if _, err := d.Create(name, 1); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create again: %v, want ErrExist", err)
	}
	if err := errors.Join(f.Truncate(100), f.Sync(), d.Rename(name, name+".bad"), d.SyncDir(dir)); err != nil {
		t.Error(err)
	}
	if n, err := f.Size(); err != nil || n != 100 {
		t.Errorf("size %d, %v, want 100", n, err)
	}
	if names, err := d.ReadDir(dir); err != nil || !slices.Equal(names, []string{"x.bad"}) {
		t.Errorf("got %q, %v, want x.bad", names, err)
	}
	if err := d.Remove(name + ".bad"); err != nil {
		t.Error(err)
	}
	if _, err := d.Open(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v, want ErrNotExist", err)
	}
	if free, err := d.Free(dir); err != nil || free <= 0 {
		t.Errorf("%d bytes free, %v", free, err)
	}
}

// TestLock: a directory has one owner at a time.
func TestLock(t *testing.T) {
	var d Dir
	dir := t.TempDir()
	l, err := d.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("second lock: %v, want ErrLocked", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = d.Lock(dir); err != nil {
		t.Fatalf("lock after it was let go: %v", err)
	}
	l.Close()
}

// TestMap: what is stored into a mapping is there for the next one.
func TestMap(t *testing.T) {
	var d Dir
	name := filepath.Join(t.TempDir(), "ring")
	for _, want := range []byte{0, 7} {
		m, err := d.Map(name, 4096)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Bytes()[5]; got != want || len(m.Bytes()) != 4096 {
			t.Errorf("byte 5 of %d is %d, want %d", len(m.Bytes()), got, want)
		}
		m.Bytes()[5] = 7
		if err := errors.Join(m.Close(), m.Close()); err != nil {
			t.Error(err)
		}
	}
}
