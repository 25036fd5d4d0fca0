package learn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// file is what is on the disk.
type file struct {
	About string `json:"about"`
	Facts []Fact `json:"facts"`
	Costs []Cost `json:"costs,omitempty"`
}

// about is said in every file, to the person who opens it.
const about = "What the gateway has learnt about the devices of this link. It goes round these holes, limits and pauses, and tries each again at its retry time; one without a retry time stays. Edit this only while the gateway is stopped."

// maxFile bounds what is read: some thousand facts.
const maxFile = 4 << 20

// Open reads the facts of a link from a file; one that does not exist holds
// none, and with an empty path nothing is kept on disk. A file that cannot be
// understood is set aside, and log is told: the link starts without facts.
func Open(path string, log *slog.Logger) *Store {
	s := &Store{path: path, log: log}
	if path == "" {
		return s
	}
	raw, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s
	}
	if err == nil {
		s.file, err = decode(raw)
	}
	if err != nil {
		s.file = file{}
		aside, moved := setAside(path)
		log.Warn("learnt facts not readable: starting without", "file", path, "kept_as", aside, "err", errors.Join(err, moved))
	}
	return s
}

// Peek is Open for somebody who only looks: a file that cannot be understood
// is left where it is, and counts as empty.
func Peek(path string) *Store {
	s := &Store{log: slog.New(slog.DiscardHandler)}
	if raw, err := read(path); err == nil {
		if f, err := decode(raw); err == nil {
			s.file = f
		}
	}
	return s
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(raw) > maxFile {
		err = fmt.Errorf("longer than %d bytes", maxFile)
	}
	return raw, err
}

// decode reads the text of a file, strictly.
func decode(raw []byte) (file, error) {
	var out file
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		return file{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return file{}, errors.New("something follows the closing brace")
	}
	for i := range out.Facts {
		if err := out.Facts[i].check(); err != nil {
			return file{}, fmt.Errorf("facts[%d]: %w", i, err)
		}
	}
	for i, c := range out.Costs {
		if c.Device == "" || c.Request <= 0 || c.Register < 0 || c.Request > span(time.Hour) || c.Register > span(time.Hour) {
			return file{}, fmt.Errorf("costs[%d]: %q takes %v and %v", i, c.Device, c.Request, c.Register)
		}
	}
	return out, nil
}

// setAside renames a file to a name that nobody has yet.
func setAside(path string) (string, error) {
	for n := 1; n < 1000; n++ {
		aside := fmt.Sprintf("%s.bad%d", path, n)
		if _, err := os.Lstat(aside); err == nil {
			continue
		}
		return aside, os.Rename(path, aside)
	}
	return "", fmt.Errorf("a thousand bad files lie beside %s", path)
}

// Save writes the file if something has changed since it was written last: all
// of it, under another name, and then in its place. It blocks for as long as
// the disk does.
func (s *Store) Save() error {
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	if s.path == "" || !s.dirty {
		s.mu.Unlock()
		return nil
	}
	s.file.About = about
	raw, err := json.MarshalIndent(&s.file, "", "  ")
	s.dirty = false
	s.mu.Unlock()
	if err == nil {
		err = replace(s.path, append(raw, '\n'))
	}
	if err != nil {
		s.mu.Lock()
		s.dirty = true
		s.mu.Unlock()
		return fmt.Errorf("keep learnt facts: %w", err)
	}
	return nil
}

// replace puts a new content in the place of a file so that a power cut leaves
// the one or the other.
func replace(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
