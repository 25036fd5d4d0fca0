package live

import (
	"slices"
	"strings"
	"sync"
	"time"

	"fieldferry/tag"
)

// Store holds a cell for every tag, by the names of its device and itself, so
// that a value survives a change of the tag map. Safe for concurrent use.
type Store struct {
	base time.Time

	mu    sync.RWMutex // guards cells, and the lists of watchers against each other
	cells map[string]*Cell
}

// New returns an empty store. Ages count from now on the monotonic clock.
func New() *Store {
	return &Store{base: time.Now(), cells: map[string]*Cell{}}
}

// Cell returns the cell of t, making it where there is none, and points it to t.
func (s *Store) Cell(t *tag.Tag) *Cell {
	path := t.Path()
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.cells[path]
	if c == nil {
		c = &Cell{base: s.base}
		s.cells[path] = c
	}
	c.tag.Store(t)
	return c
}

// Find returns the cell of a tag by name, nil where there is none.
func (s *Store) Find(device, name string) *Cell {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.cells[device+"/"+name]
}

// Remove forgets a tag that the tag map no longer has. It does nothing when a
// newer tag of the same name has taken the cell over.
func (s *Store) Remove(t *tag.Tag) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.cells[t.Path()]; c != nil && c.Tag() == t {
		delete(s.cells, t.Path())
	}
}

// All appends every cell to dst, ordered by device and tag name.
func (s *Store) All(dst []*Cell) []*Cell {
	s.mu.RLock()
	from := len(dst)
	for _, c := range s.cells {
		dst = append(dst, c)
	}
	s.mu.RUnlock()
	slices.SortFunc(dst[from:], func(a, b *Cell) int {
		ta, tb := a.Tag(), b.Tag()
		if n := strings.Compare(ta.Device.Name, tb.Device.Name); n != 0 {
			return n
		}
		return strings.Compare(ta.Name, tb.Name)
	})
	return dst
}

// Watch returns a channel that receives after a Set of any of the cells. It
// holds one wake-up: several Sets between two receives count once. The store
// sends and nobody closes it; stop ends the watching.
func (s *Store) Watch(cells []*Cell) (wake <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	s.editWatchers(cells, func(list []chan struct{}) []chan struct{} { return append(list, ch) })
	return ch, func() {
		s.editWatchers(cells, func(list []chan struct{}) []chan struct{} {
			return slices.DeleteFunc(list, func(x chan struct{}) bool { return x == ch })
		})
	}
}

// editWatchers replaces the list of each cell by an edited copy: readers of
// the old list never see it change.
func (s *Store) editWatchers(cells []*Cell, edit func([]chan struct{}) []chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range cells {
		var list []chan struct{}
		if old := c.watchers.Load(); old != nil {
			list = slices.Clone(*old)
		}
		list = edit(list)
		c.watchers.Store(&list)
	}
}
