package command

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"fieldferry/tag"
)

// auditMax is where the audit file is renamed to a second one, which it
// replaces: the two together stay below twice this size.
const auditMax = 16 << 20

// Audit appends one JSON line per request to a file. A nil Audit records
// nothing. Safe for concurrent use.
type Audit struct {
	path string

	mu   sync.Mutex // guards the fields below
	file *os.File
	size int64

	pastOnce sync.Once // makes the two below, which are only read afterwards
	past     map[tagName]time.Time
	pastErr  error
}

// OpenAudit opens or makes the file, readable by its owner alone.
func OpenAudit(path string) (*Audit, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("audit directory: %w", err)
	}
	a := &Audit{path: path}
	if err := a.openLocked(); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Audit) openLocked() error {
	f, err := os.OpenFile(a.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open audit: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("open audit: %w", err)
	}
	a.file, a.size = f, st.Size()
	return nil
}

// Close ends the recording.
func (a *Audit) Close() error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.file = nil
	return err
}

// record is a line of the audit.
type record struct {
	At       time.Time `json:"at"`
	Source   string    `json:"source"`
	ID       string    `json:"id,omitempty"`
	Device   string    `json:"device"`
	Tag      string    `json:"tag"`
	Old      string    `json:"old,omitempty"`
	Value    string    `json:"value"`
	ReadBack string    `json:"read_back,omitempty"`
	Outcome  string    `json:"outcome"`
	Reason   string    `json:"reason,omitempty"`
	Repeated bool      `json:"repeated,omitempty"`
}

func (a *Audit) write(r Request, res Result, old tag.Value) error {
	if a == nil {
		return nil
	}
	rec := record{
		At: res.At, Source: r.Source, ID: r.ID, Device: r.Device, Tag: r.Tag,
		Value: r.Value.String(), Outcome: res.Outcome.String(), Reason: res.Reason, Repeated: res.Repeated,
	}
	if !old.IsNull() {
		rec.Old = old.String()
	}
	if !res.ReadBack.IsNull() {
		rec.ReadBack = res.ReadBack.String()
	}
	line, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	return a.append(append(line, '\n'))
}

func (a *Audit) append(line []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return os.ErrClosed
	}
	if a.size+int64(len(line)) > auditMax {
		if err := a.rotateLocked(); err != nil {
			return err
		}
	}
	n, err := a.file.Write(line)
	a.size += int64(n)
	return err
}

func (a *Audit) rotateLocked() error {
	if err := os.Rename(a.path, a.path+".1"); err != nil {
		return fmt.Errorf("rotate audit: %w", err)
	}
	old := a.file
	if err := a.openLocked(); err != nil {
		a.file = old // keep writing to the renamed file rather than lose records
		return err
	}
	return old.Close()
}
