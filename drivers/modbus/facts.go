package modbus

import (
	"log/slog"
	"net/url"
	"path/filepath"
	"sync"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/learn"
	"fieldferry/tag"
)

var _ drivers.Learner = (*driver)(nil)

// shelf holds the facts of the links that were opened, by their files: a link
// that is opened again, and whoever asks about it, share one store.
type shelf struct {
	mu   sync.Mutex // guards open
	open map[string]*learn.Store
}

// factsFile is where the facts of a link are kept; empty: nowhere.
func factsFile(l *tag.Link) string {
	if l.StateDir == "" {
		return ""
	}
	return filepath.Join(l.StateDir, "modbus", url.PathEscape(l.Name)+".json")
}

// store returns the facts of a link, from its file the first time.
func (d *driver) store(l *tag.Link, log *slog.Logger) *learn.Store {
	path := factsFile(l)
	if path == "" {
		return learn.Open("", log)
	}
	d.shelf.mu.Lock()
	defer d.shelf.mu.Unlock()
	if s := d.shelf.open[path]; s != nil {
		return s
	}
	if d.shelf.open == nil {
		d.shelf.open = map[string]*learn.Store{}
	}
	s := learn.Open(path, log)
	d.shelf.open[path] = s
	return s
}

// seen is store for somebody who only looks.
func (d *driver) seen(l *tag.Link) *learn.Store {
	path := factsFile(l)
	d.shelf.mu.Lock()
	s := d.shelf.open[path]
	d.shelf.mu.Unlock()
	if s == nil {
		s = learn.Peek(path)
	}
	return s
}

// Facts lists what was learnt about the devices of a link.
func (d *driver) Facts(l *tag.Link) []drivers.Fact {
	var out []drivers.Fact
	for _, f := range d.seen(l).Facts() {
		out = append(out, drivers.Fact{ID: f.ID(), Device: f.Device, Text: f.Text(), Why: f.Why, Learned: f.Learned, Retry: f.Retry})
	}
	return out
}

// Forget drops facts by id or device.
func (d *driver) Forget(l *tag.Link, id string) (int, error) {
	s := d.store(l, slog.New(slog.DiscardHandler))
	n := s.Forget(id)
	return n, s.Save()
}
