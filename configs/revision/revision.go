// Package revision replaces a file of the configuration so that a power cut
// at any moment leaves the old or the new one, refuses to overwrite what
// somebody else has changed meanwhile, and keeps the last revisions with who
// made them, when and why.
//
// A revision is a directory below revisions/ with the file as it was applied
// and info.json. What was in place before and is not known yet, because it was
// edited by hand, becomes a revision without an author first. Methods block
// for as long as the disk does; a Store may be used by several goroutines,
// but only one Store may write a directory.
package revision

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrChanged is wrapped by Save's error when the file is not in the version
// that the change was made for. Nothing was written.
var ErrChanged = errors.New("the file has changed meanwhile")

// Keep is how many revisions are kept; older ones are removed.
const Keep = 50

const (
	folder   = "revisions"
	infoFile = "info.json"
	pending  = ".pending-"
)

// Change is a new content of one file.
type Change struct {
	Name    string    // of the file below the directory: tagmap.yaml
	Data    []byte    // its new content
	IfMatch string    // Version of the content it replaces; empty: whatever is there
	Author  string    // who
	Comment string    // why; may be empty
	Changes []string  // in words; may be empty
	Time    time.Time // when
	Config  string    // names the whole configuration that this content belongs to; may be empty
}

// Revision is a content that was applied.
type Revision struct {
	ID      string    `json:"id"`      // sorts by time
	Name    string    `json:"name"`    // of the file
	Version string    `json:"version"` // of its content
	Time    time.Time `json:"time"`
	Author  string    `json:"author"` // empty: it was edited by hand
	Comment string    `json:"comment,omitempty"`
	Changes []string  `json:"changes,omitempty"`
	Config  string    `json:"config,omitempty"` // as the Change said
}

// Version is the hash by which contents are told apart: 32 hexadecimal digits.
func Version(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:16])
}

// Store keeps the revisions of one directory.
type Store struct {
	mu sync.Mutex // held during Save, so that comparing and replacing are one
	fs FS
}

// Open returns the store of a directory, which must exist. It does no I/O.
func Open(fsys FS) *Store { return &Store{fs: fsys} }

// Save replaces a file. When it returns the new content is durable; with an
// error the old one is in place, unless the error says otherwise.
func (s *Store) Save(c Change) (Revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !plainName(c.Name) {
		return Revision{}, fmt.Errorf("save %q: not a file of the configuration", c.Name)
	}
	old, err := s.fs.ReadFile(c.Name)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return Revision{}, err
	}
	if c.IfMatch != "" && (missing || Version(old) != c.IfMatch) {
		return Revision{}, fmt.Errorf("save %s: %w", c.Name, ErrChanged)
	}
	if err := s.settle(c.Name, old); err != nil {
		return Revision{}, err
	}
	if !missing {
		if err := s.keepOld(c, old); err != nil {
			return Revision{}, err
		}
	}
	r := c.revision()
	if err := s.write(pending+r.ID, r, c.Data); err != nil {
		return Revision{}, err
	}
	if err := s.replace(c.Name, c.Data); err != nil {
		return Revision{}, err
	}
	return r, s.publish(r.ID)
}

// Record makes a revision of a content that somebody else has put in place,
// with an editor for one. Change.IfMatch names the version that is meant;
// Change.Data is not looked at. The error wraps ErrChanged when another
// version is there by now.
func (s *Store) Record(c Change) (Revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !plainName(c.Name) {
		return Revision{}, fmt.Errorf("record %q: not a file of the configuration", c.Name)
	}
	data, err := s.fs.ReadFile(c.Name)
	if err != nil {
		return Revision{}, err
	}
	if Version(data) != c.IfMatch {
		return Revision{}, fmt.Errorf("record %s: %w", c.Name, ErrChanged)
	}
	if err := s.settle(c.Name, data); err != nil {
		return Revision{}, err
	}
	c.Data = data
	r := c.revision()
	if err := s.write(pending+r.ID, r, data); err != nil {
		return Revision{}, err
	}
	return r, s.publish(r.ID)
}

func (c *Change) revision() Revision {
	r := Revision{
		Name: c.Name, Version: Version(c.Data), Time: c.Time.UTC(), Author: c.Author, Comment: c.Comment, Changes: c.Changes, Config: c.Config,
	}
	r.ID = newID(r)
	return r
}

// plainName keeps a change inside of the directory.
func plainName(name string) bool {
	return fs.ValidPath(name) && name != "." && !strings.HasPrefix(name, folder+"/") && !strings.HasPrefix(path.Base(name), ".")
}

func newID(r Revision) string {
	return r.Time.Format("20060102T150405.000000000Z") + "-" + r.Version[:12]
}

// keepOld makes a revision of a content that is not the newest one known.
func (s *Store) keepOld(c Change, old []byte) error {
	known, err := s.list()
	if err != nil {
		return err
	}
	v := Version(old)
	for _, r := range known {
		if r.Name != c.Name {
			continue
		}
		if r.Version == v {
			return nil
		}
		break
	}
	at := c.Time.UTC().Add(-time.Nanosecond)
	r := Revision{Name: c.Name, Version: v, Time: at}
	r.ID = newID(r)
	if err := s.write(pending+r.ID, r, old); err != nil {
		return err
	}
	return s.publish(r.ID)
}

// write makes the directory of a revision under a name that List ignores.
func (s *Store) write(name string, r Revision, data []byte) error {
	dir := path.Join(folder, name)
	info, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := s.fs.WriteFile(path.Join(dir, path.Base(r.Name)), data, ""); err != nil {
		return err
	}
	if err := s.fs.WriteFile(path.Join(dir, infoFile), append(info, '\n'), ""); err != nil {
		return err
	}
	for _, d := range []string{dir, folder, "."} {
		if err := s.fs.SyncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// publish gives a revision its name, and removes what is too old.
func (s *Store) publish(id string) error {
	if err := s.fs.Rename(path.Join(folder, pending+id), path.Join(folder, id)); err != nil {
		return err
	}
	if err := s.fs.SyncDir(folder); err != nil {
		return err
	}
	all, err := s.list()
	if err != nil {
		return err
	}
	for i := Keep; i < len(all); i++ {
		if err := s.fs.RemoveAll(path.Join(folder, all[i].ID)); err != nil {
			return err
		}
	}
	return nil
}

// replace puts the new content in place of the old one.
func (s *Store) replace(name string, data []byte) error {
	dir := path.Dir(name)
	temp := path.Join(dir, "."+path.Base(name)+".new")
	if err := s.fs.WriteFile(temp, data, name); err != nil {
		return err
	}
	if err := s.fs.Rename(temp, name); err != nil {
		return err
	}
	return s.fs.SyncDir(dir)
}

// settle decides about revisions that a crash left pending: those whose
// content is in place were applied, the others were not.
func (s *Store) settle(name string, current []byte) error {
	entries, err := s.fs.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, ok := strings.CutPrefix(e, pending)
		if !ok {
			continue
		}
		r, err := s.info(e)
		if err == nil && r.Name == name && r.Version == Version(current) {
			err = s.publish(id)
		} else if err != nil || r.Name == name {
			err = s.fs.RemoveAll(path.Join(folder, e))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// List returns the revisions, the newest first. What is damaged is passed
// over.
func (s *Store) List() ([]Revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list()
}

func (s *Store) list() ([]Revision, error) {
	entries, err := s.fs.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Revision
	for _, e := range entries {
		if strings.HasPrefix(e, ".") {
			continue
		}
		if r, err := s.info(e); err == nil && r.ID == e {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Revision) int { return strings.Compare(b.ID, a.ID) })
	return out, nil
}

func (s *Store) info(entry string) (Revision, error) {
	var r Revision
	b, err := s.fs.ReadFile(path.Join(folder, entry, infoFile))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("revision %s: %w", entry, err)
	}
	return r, nil
}

// Read returns the content of a revision. It fails when the content is not
// the one that was saved.
func (s *Store) Read(id string) (Revision, []byte, error) {
	if !plainName(id) || strings.Contains(id, "/") {
		return Revision{}, nil, fmt.Errorf("revision %q: %w", id, fs.ErrNotExist)
	}
	r, err := s.info(id)
	if err != nil {
		return Revision{}, nil, err
	}
	data, err := s.fs.ReadFile(path.Join(folder, id, path.Base(r.Name)))
	if err != nil {
		return r, nil, err
	}
	if Version(data) != r.Version {
		return r, nil, fmt.Errorf("revision %s: its content is damaged", id)
	}
	return r, data, nil
}
