// Package fault is a machine that fails on request, in memory: its power can
// be cut after any operation, any operation can be made to fail, and its
// clocks are turned by hand. It is what the buffer is tested on.
//
// A power cut keeps of every file what was synced; of what was written since,
// each 512-byte sector is kept, lost, zeroed or turned into garbage, at
// random. Names that were not synced are kept or lost one by one. A killed
// process loses nothing but its locks. The order of operations is that of the
// calls, so a run of one goroutine is repeated exactly.
package fault

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"fieldferry/buffer/disk"
)

// ErrPowerCut is returned by every operation after the power was cut.
var ErrPowerCut = errors.New("power cut")

// ErrShort is the error of a read or a write that stopped just before its end.
var ErrShort = fmt.Errorf("one byte short: %w", io.ErrShortWrite)

// Memory is where files lie in memory: a power cut leaves nothing of them.
const Memory = "/run/"

const sector = 512

// Machine is a disk.FS. It is safe for concurrent use.
type Machine struct {
	mu     sync.Mutex // guards everything below
	state  *state
	clock  disk.Clock
	ops    int
	cutAt  int // the operation that does not happen any more; -1: none
	cut    bool
	plan   func(op int, kind, name string) error
	watch  func(*Moment)
	locked map[string]*lock
	free   int64
}

// state is what outlives a process: files and names.
type state struct {
	names   map[string]*inode // as the process sees them
	durable map[string]*inode // as they are after a power cut
	dirs    map[string]bool   // false: it has vanished
	shared  map[string][]byte // mapped files; gone with the power
}

type inode struct {
	data    []byte
	durable []byte
	lent    bool        // data, durable or both are read by others too: they are copied before they change
	dirty   map[int]int // sectors written since the last sync, and from which byte of the file on
}

// own makes the bytes this file's alone.
func (f *inode) own() {
	if f.lent {
		f.data, f.durable, f.lent = slices.Clone(f.data), slices.Clone(f.durable), false
	}
}

// New makes a machine with an empty disk.
func New() *Machine {
	m := &Machine{
		state: &state{names: map[string]*inode{}, durable: map[string]*inode{}, dirs: map[string]bool{}, shared: map[string][]byte{}},
		clock: disk.Clock{Wall: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC), Up: time.Hour, Boot: [16]byte{1}, Trusted: true},
		free:  1 << 40,
	}
	m.start()
	return m
}

func (m *Machine) start() { m.cutAt, m.cut, m.locked = -1, false, map[string]*lock{} }

// Ops is the number of operations so far.
func (m *Machine) Ops() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ops
}

// CutAt cuts the power when operation number op, counted from 0, is about to
// happen; negative: never.
func (m *Machine) CutAt(op int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cutAt = op
}

// Plan sets what fails: f is called before every operation with its number,
// counted from 0, its kind (such as write, sync, create, remove) and the file,
// and its error is the operation's. A write that fails has written half; with
// ErrShort all but the last byte, with EROFS nothing. nil: nothing fails.
func (m *Machine) Plan(f func(op int, kind, name string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.plan = f
}

// SetClock turns the clocks.
func (m *Machine) SetClock(turn func(*disk.Clock)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	turn(&m.clock)
}

// SetFree sets what Free returns before files are taken off it.
func (m *Machine) SetFree(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free = n
}

// Cut says that the power was cut.
func (m *Machine) Cut() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cut
}

// Kill is the machine after the process was killed: everything written is
// there, locks are gone. The machine it is called on must not be used again.
func (m *Machine) Kill() *Machine {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stop()
	n := &Machine{state: m.state, clock: m.clock, free: m.free}
	n.start()
	m.stop()
	return n
}

// stop ends the process: what it still stores into mapped memory is its
// imagination.
func (m *Machine) stop() {
	if m.cut {
		return
	}
	m.cut = true
	for name, p := range m.state.shared {
		m.state.shared[name] = slices.Clone(p)
	}
}

// changes are the kinds of operation that change what a power cut leaves.
var changes = map[string]bool{
	"create": true, "write": true, "truncate": true, "sync": true,
	"rename": true, "remove": true, "syncdir": true,
}

// op counts an operation and says whether it happens.
func (m *Machine) op(kind, name string) error {
	if m.cut || m.cutAt >= 0 && m.ops >= m.cutAt {
		m.stop()
		return &fs.PathError{Op: kind, Path: name, Err: ErrPowerCut}
	}
	if m.watch != nil && changes[kind] {
		m.watch(&Moment{m})
	}
	n := m.ops
	m.ops++
	if m.plan != nil {
		if err := m.plan(n, kind, filepath.Base(name)); err != nil {
			return &fs.PathError{Op: kind, Path: name, Err: err}
		}
	}
	return nil
}

// MkdirAll implements disk.Dirs.
func (m *Machine) MkdirAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.op("mkdir", dir); err != nil {
		return err
	}
	for ; len(dir) > 1; dir = filepath.Dir(dir) {
		m.state.dirs[dir] = true
	}
	return nil
}

// ReadDir implements disk.Dirs.
func (m *Machine) ReadDir(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.opIn(dir, "readdir", dir); err != nil {
		return nil, err
	}
	var names []string
	for name := range m.state.names {
		if below, ok := strings.CutPrefix(name, dir+"/"); ok {
			entry, _, _ := strings.Cut(below, "/")
			names = append(names, entry)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Open implements disk.Files.
func (m *Machine) Open(name string) (disk.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.op("open", name); err != nil {
		return nil, err
	}
	ino := m.state.names[name]
	if ino == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{m: m, name: name, ino: ino}, nil
}

// Create implements disk.Files.
func (m *Machine) Create(name string, size int64) (disk.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.opIn(filepath.Dir(name), "create", name); err != nil {
		return nil, err
	}
	ino := m.state.names[name]
	if ino != nil && size > 0 {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	if ino == nil {
		ino = &inode{dirty: map[int]int{}, data: make([]byte, size)}
		m.state.names[name] = ino
	}
	return &file{m: m, name: name, ino: ino}, nil
}

// Rename implements disk.Files.
func (m *Machine) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.op("rename", from); err != nil {
		return err
	}
	ino := m.state.names[from]
	if ino == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	delete(m.state.names, from)
	m.state.names[to] = ino
	return nil
}

// Remove implements disk.Files.
func (m *Machine) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.op("remove", name); err != nil {
		return err
	}
	if _, ok := m.state.shared[name]; ok {
		delete(m.state.shared, name)
		return nil
	}
	if m.state.names[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(m.state.names, name)
	return nil
}

// SyncDir implements disk.Dirs.
func (m *Machine) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.opIn(dir, "syncdir", dir); err != nil {
		return err
	}
	maps.DeleteFunc(m.state.durable, func(name string, _ *inode) bool { return filepath.Dir(name) == dir })
	for name, ino := range m.state.names {
		if filepath.Dir(name) == dir {
			m.state.durable[name] = ino
		}
	}
	return nil
}

// Free implements disk.Dirs.
func (m *Machine) Free(dir string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.opIn(dir, "free", dir); err != nil {
		return 0, err
	}
	n := m.free
	for _, ino := range m.state.names {
		n -= int64(len(ino.data))
	}
	return n, nil
}

// Map implements disk.Host.
func (m *Machine) Map(name string, size int) (disk.Mapping, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.op("map", name); err != nil {
		return nil, err
	}
	if len(m.state.shared[name]) != size {
		m.state.shared[name] = make([]byte, size)
	}
	return mapping(m.state.shared[name]), nil
}

type mapping []byte

func (m mapping) Bytes() []byte { return m }
func (m mapping) Close() error  { return nil }

// Clock implements disk.Host.
func (m *Machine) Clock() disk.Clock {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock
}

// Dump lists the files and their lengths, for a test that failed.
func (m *Machine) Dump() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var s strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m.state.names)) {
		fmt.Fprintf(&s, "%s %d\n", name, len(m.state.names[name].data))
	}
	return s.String()
}

// Damage changes the bytes of a file, durably: bit rot.
func (m *Machine) Damage(name string, change func(p []byte)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ino := m.state.names[name]
	ino.own()
	change(ino.data)
	ino.durable = slices.Clone(ino.data)
	clear(ino.dirty)
}
