package fault

import (
	"io/fs"
	"maps"
	"strings"

	"fieldferry/buffer/disk"
)

// Vanish takes a directory away, durably, with all that is below it. What is
// open stays open, without a name; MkdirAll makes the directory again.
func (m *Machine) Vanish(dir string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	below := func(name string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }
	gone := func(name string, _ *inode) bool { return below(name) }
	maps.DeleteFunc(m.state.names, gone)
	maps.DeleteFunc(m.state.durable, gone)
	maps.DeleteFunc(m.locked, func(name string, _ *lock) bool { return below(name) })
	for name := range m.state.dirs {
		if below(name) {
			m.state.dirs[name] = false
		}
	}
}

// opIn is op in a directory, which may have vanished.
func (m *Machine) opIn(dir, kind, name string) error {
	if err := m.op(kind, name); err != nil {
		return err
	}
	if there, known := m.state.dirs[dir]; known && !there {
		return &fs.PathError{Op: kind, Path: name, Err: fs.ErrNotExist}
	}
	return nil
}

// Is implements disk.Handle.
func (f *file) Is(name string) (bool, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.op("lookup", name); err != nil {
		return false, err
	}
	return f.m.state.names[name] == f.ino, nil
}

// Lock implements disk.Host.
func (m *Machine) Lock(dir string) (disk.Handle, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.opIn(dir, "lock", dir); err != nil {
		return nil, err
	}
	if m.locked[dir] != nil {
		return nil, &fs.PathError{Op: "lock", Path: dir, Err: disk.ErrLocked}
	}
	l := &lock{m: m, dir: dir}
	m.locked[dir] = l
	return l, nil
}

type lock struct {
	m   *Machine
	dir string
}

// Is implements disk.Handle.
func (l *lock) Is(name string) (bool, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if err := l.m.op("lookup", name); err != nil {
		return false, err
	}
	return name == l.dir && l.m.locked[name] == l, nil
}

// Close lets go of the directory, if it has not vanished.
func (l *lock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.m.locked[l.dir] == l {
		delete(l.m.locked, l.dir)
	}
	return nil
}
