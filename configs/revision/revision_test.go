package revision

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 20, 8, 27, 0, 0, time.UTC)

func change(data string, n int) Change {
	return Change{Name: "tagmap.yaml", Data: []byte(data), Author: "anna", Comment: fmt.Sprint("change ", n), Time: start.Add(time.Duration(n) * time.Minute)}
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "tagmap.yaml")
	if err := os.WriteFile(file, []byte("by hand"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := Open(Dir(dir))
	c := change("first", 1)
	c.IfMatch = Version([]byte("by hand"))
	first, err := s.Save(c)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(file); string(b) != "first" {
		t.Errorf("the file holds %q, want %q", b, "first")
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %o, want that of the old file, 600", info.Mode().Perm())
	}
	c.Data = []byte("late")
	if _, err := s.Save(c); !errors.Is(err, ErrChanged) {
		t.Errorf("a change for another version: got %v, want ErrChanged", err)
	}
	if _, err := s.Save(change("second", 2)); err != nil {
		t.Fatal(err)
	}
	all, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range all {
		_, data, err := s.Read(r.ID)
		if err != nil {
			t.Error(err)
		}
		got = append(got, fmt.Sprintf("%s by %q: %s", data, r.Author, r.Comment))
	}
	want := []string{`second by "anna": change 2`, `first by "anna": change 1`, `by hand by "": `}
	if !slices.Equal(got, want) {
		t.Errorf("revisions:\n got %q\nwant %q", got, want)
	}
	if all[1].ID != first.ID || all[1].Version != Version([]byte("first")) {
		t.Errorf("got %+v, want %+v", all[1], first)
	}
}

// TestRecord: a content that was put in place by hand becomes a revision with
// an author, and the next Save does not make another one of it.
func TestRecord(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tagmap.yaml"), []byte("by hand"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := Open(Dir(dir))
	c := change("ignored", 1)
	c.Config, c.IfMatch = "whole", Version([]byte("before"))
	if _, err := s.Record(c); !errors.Is(err, ErrChanged) {
		t.Errorf("another version is in place: got %v, want ErrChanged", err)
	}
	c.IfMatch = Version([]byte("by hand"))
	r, err := s.Record(c)
	if err != nil || r.Version != c.IfMatch || r.Config != "whole" || r.Author != "anna" {
		t.Fatalf("got %+v, %v", r, err)
	}
	if _, data, err := s.Read(r.ID); err != nil || string(data) != "by hand" {
		t.Errorf("its content: %q, %v", data, err)
	}
	if _, err := s.Save(change("next", 2)); err != nil {
		t.Fatal(err)
	}
	all, err := s.List()
	if err != nil || len(all) != 2 || all[1].ID != r.ID {
		t.Errorf("got %+v (%v), want the new one and the recorded one", all, err)
	}
	for _, name := range []string{"../tagmap.yaml", ".hidden", "revisions/x"} {
		c.Name = name
		if _, err := s.Record(c); err == nil {
			t.Errorf("recorded %q", name)
		}
	}
}

func TestKeep(t *testing.T) {
	s := Open(Dir(t.TempDir()))
	for i := range Keep + 7 {
		if _, err := s.Save(change(fmt.Sprint("content ", i), i)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.List()
	if err != nil || len(all) != Keep || all[0].Comment != fmt.Sprint("change ", Keep+6) {
		t.Errorf("got %d revisions, newest %q (%v); want %d", len(all), all[0].Comment, err, Keep)
	}
}

func TestNames(t *testing.T) {
	s := Open(Dir(t.TempDir()))
	for _, name := range []string{"", ".", "..", "../x.yaml", "/etc/passwd", "revisions/x", "a/../../b", ".tagmap.yaml.new"} {
		c := change("x", 1)
		c.Name = name
		if _, err := s.Save(c); err == nil {
			t.Errorf("Save of %q: no error", name)
		}
	}
	for _, id := range []string{"", "..", "../tagmap.yaml", "none"} {
		if _, _, err := s.Read(id); err == nil {
			t.Errorf("Read of %q: no error", id)
		}
	}
}

func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	s := Open(Dir(dir))
	r, err := s.Save(change("good", 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "revisions", r.ID, "tagmap.yaml"), []byte("bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Read(r.ID); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v, want an error that says damaged", err)
	}
}

var errCut = errors.New("power cut")

// cutFS forgets what was not synced. Contents are durable when WriteFile
// returns, names after SyncDir of their directory.
type cutFS struct {
	now   map[string]string   // what a running program sees
	disk  map[string]string   // what a power cut leaves at least
	moved map[string][]string // directory to names below it that changed since its last sync
	left  int                 // operations until the power goes
}

func newCutFS(disk map[string]string, left int) *cutFS {
	return &cutFS{now: maps.Clone(disk), disk: maps.Clone(disk), moved: map[string][]string{}, left: left}
}

func (c *cutFS) op() error {
	if c.left--; c.left < 0 {
		return errCut
	}
	return nil
}

func (c *cutFS) touched(name string) {
	c.moved[path.Dir(name)] = append(c.moved[path.Dir(name)], name)
}

func (c *cutFS) ReadFile(name string) ([]byte, error) {
	if s, ok := c.now[name]; ok {
		return []byte(s), nil
	}
	return nil, fmt.Errorf("read %s: %w", name, fs.ErrNotExist)
}

func (c *cutFS) WriteFile(name string, data []byte, _ string) error {
	c.touched(name)
	if err := c.op(); err != nil {
		c.now[name] = string(data[:len(data)/2]) // torn
		if _, there := c.disk[name]; there {
			c.disk[name] = c.now[name]
		}
		return err
	}
	c.now[name] = string(data)
	if _, there := c.disk[name]; there {
		c.disk[name] = c.now[name]
	}
	return nil
}

func (c *cutFS) Rename(from, to string) error {
	if err := c.op(); err != nil {
		return err
	}
	for name, data := range maps.Clone(c.now) {
		if name == from || strings.HasPrefix(name, from+"/") {
			moved := to + strings.TrimPrefix(name, from)
			delete(c.now, name)
			c.now[moved] = data
			c.moved[path.Dir(to)] = append(c.moved[path.Dir(to)], name, moved)
		}
	}
	return nil
}

func (c *cutFS) SyncDir(name string) error {
	if err := c.op(); err != nil {
		return err
	}
	for _, n := range c.moved[name] {
		if data, ok := c.now[n]; ok {
			c.disk[n] = data
		} else {
			delete(c.disk, n)
		}
	}
	delete(c.moved, name)
	return nil
}

func (c *cutFS) ReadDir(dir string) ([]string, error) {
	seen := map[string]bool{}
	for name := range c.now {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
			first, _, _ := strings.Cut(rest, "/")
			seen[first] = true
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

func (c *cutFS) RemoveAll(dir string) error {
	if err := c.op(); err != nil {
		return err
	}
	for name := range c.now {
		if strings.HasPrefix(name, dir+"/") {
			delete(c.now, name)
			c.moved[path.Dir(dir)] = append(c.moved[path.Dir(dir)], name)
		}
	}
	return nil
}

// TestPowerCut cuts the power at every operation of a save and looks at the
// disk as it is at least and at most: the file is the old or the new one, and
// the next save works and knows both.
func TestPowerCut(t *testing.T) {
	for left := 0; ; left++ {
		before := newCutFS(map[string]string{"tagmap.yaml": "old"}, 1000)
		if _, err := Open(before).Save(change("middle", 1)); err != nil {
			t.Fatal(err)
		}
		cut := newCutFS(before.disk, left)
		_, err := Open(cut).Save(change("new content", 2))
		for name, disk := range map[string]map[string]string{"least": cut.disk, "most": cut.now} {
			got := disk["tagmap.yaml"]
			if got != "middle" && got != "new content" || err == nil && got != "new content" {
				t.Fatalf("power cut after %d operations, disk at %s: the file holds %q (Save said %v)", left, name, got, err)
			}
			after := newCutFS(disk, 1000)
			s := Open(after)
			if _, err := s.Save(change("last", 3)); err != nil {
				t.Fatalf("power cut after %d operations, disk at %s: the next save: %v", left, name, err)
			}
			var contents []string
			all, _ := s.List()
			for _, r := range all {
				_, data, err := s.Read(r.ID)
				if err != nil {
					t.Errorf("power cut after %d operations: %v", left, err)
				}
				contents = append(contents, string(data))
				if string(data) != "old" && r.Author != "anna" {
					t.Errorf("power cut after %d operations, disk at %s: nobody knows who wrote %q", left, name, data)
				}
			}
			want := []string{"last", "middle", "old"}
			if got == "new content" {
				want = []string{"last", "new content", "middle", "old"}
			}
			if !slices.Equal(contents, want) {
				t.Errorf("power cut after %d operations, disk at %s: revisions %q, want %q", left, name, contents, want)
			}
		}
		if err == nil {
			if left < 8 {
				t.Errorf("a save took %d operations only: is the disk waited for?", left)
			}
			return
		}
		if !errors.Is(err, errCut) {
			t.Fatal(err)
		}
	}
}
