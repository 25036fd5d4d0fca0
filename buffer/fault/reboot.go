package fault

import (
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Moment is a machine between two operations, as Watch tells of it. It may be
// used until the function returns that it was passed to.
type Moment struct{ m *Machine }

// Watch sets what is called before every operation that changes what a power
// cut leaves. The function must not use the machine itself. nil: nothing is.
func (m *Machine) Watch(f func(*Moment)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watch = f
}

// Reboot is the machine after a power cut in this moment, as rnd decides. The
// machine itself runs on.
func (o *Moment) Reboot(rnd *rand.Rand) *Machine { return o.m.reboot(rnd) }

// Op is the number of operations before it.
func (o *Moment) Op() int { return o.m.ops }

// Unsynced is how much of the machine a power cut leaves to chance: sectors,
// names and lengths.
func (o *Moment) Unsynced() (n int) {
	for name, ino := range o.m.state.names {
		if strings.HasPrefix(name, Memory) {
			continue
		}
		n += len(ino.dirty)
		if len(ino.data) != len(ino.durable) {
			n++
		}
		if o.m.state.durable[name] == nil {
			n++
		}
	}
	for name := range o.m.state.durable {
		if o.m.state.names[name] == nil {
			n++
		}
	}
	return n
}

// Reboot is the machine after a power cut, as rnd decides. It is a copy: the
// machine it is called on can be rebooted again with other luck.
func (m *Machine) Reboot(rnd *rand.Rand) *Machine {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stop()
	return m.reboot(rnd)
}

// Copy is a machine with the same files, all of which are durable.
func (m *Machine) Copy() *Machine {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := New()
	n.clock, n.free = m.clock, m.free
	for name, ino := range m.state.names {
		data := slices.Clone(ino.data)
		copied := &inode{data: data, durable: data, lent: true, dirty: map[int]int{}}
		n.state.names[name], n.state.durable[name] = copied, copied
	}
	maps.Copy(n.state.dirs, m.state.dirs)
	return n
}

func (m *Machine) reboot(rnd *rand.Rand) *Machine {
	n := &Machine{clock: m.clock, free: m.free}
	n.start()
	n.clock.Up = time.Minute
	n.clock.Boot[1]++
	n.state = &state{durable: map[string]*inode{}, names: map[string]*inode{}, dirs: maps.Clone(m.state.dirs), shared: map[string][]byte{}}
	copies := map[*inode]*inode{}
	d := draw(rnd)
	for _, name := range m.state.sorted() {
		ino := d.survivor(m.state.names[name], m.state.durable[name])
		if ino == nil {
			continue
		}
		if copies[ino] == nil {
			copies[ino] = ino.crash(d)
		}
		n.state.names[name], n.state.durable[name] = copies[ino], copies[ino]
	}
	return n
}

// Sum is the same for two machines of this run of the program if the same
// lies on their disks.
func (m *Machine) Sum() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var h maphash.Hash
	h.SetSeed(sumSeed)
	for _, name := range m.state.sorted() {
		if ino := m.state.names[name]; ino != nil {
			_, _ = h.WriteString(name) // neither ever fails
			_, _ = h.Write(ino.data)
		}
	}
	return h.Sum64()
}

var sumSeed = maphash.MakeSeed()

// sorted lists the names that a power cut may leave, in order.
func (s *state) sorted() []string {
	var out []string
	for name := range s.names {
		if !strings.HasPrefix(name, Memory) {
			out = append(out, name)
		}
	}
	for name := range s.durable {
		if s.names[name] == nil {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// dice is the luck of one power cut. Each cut has a mood of its own: one after
// which everything is there but a sector finds other faults than one after
// which nearly nothing is.
type dice struct {
	*rand.Rand
	sectors int // of 16 that are kept
	names   int // and lengths
	fate    int // what becomes of other sectors
}

// Fates of a sector that was not kept.
const (
	lost = iota
	zeroed
	garbage
	mixed // any of these
	fates
)

func draw(rnd *rand.Rand) dice {
	kept := [...]int{0, 1, 4, 8, 12, 15, 16}
	return dice{rnd, kept[rnd.IntN(len(kept))], kept[rnd.IntN(len(kept))], rnd.IntN(fates)}
}

// keeps decides whether one thing is kept, of which n of 16 are.
func (d dice) keeps(n int) bool { return d.IntN(16) < n }

// survivor decides what a name stands for: what it does now, or what it did
// when its directory was last synced. nil is none.
func (d dice) survivor(now, then *inode) *inode {
	if now == then || d.keeps(d.names) {
		return now
	}
	return then
}

// crash is the file after a power cut.
func (f *inode) crash(d dice) *inode {
	if len(f.dirty) == 0 && len(f.data) == len(f.durable) {
		f.lent = true
		return &inode{data: f.durable, durable: f.durable, lent: true, dirty: map[int]int{}}
	}
	out := slices.Clone(f.durable)
	if len(f.data) != len(f.durable) && d.keeps(d.names) {
		out = resize(out, len(f.data))
	}
	for _, s := range slices.Sorted(maps.Keys(f.dirty)) {
		lo, hi := s*sector, min((s+1)*sector, len(out), len(f.data))
		switch {
		case lo >= hi:
		case d.keeps(d.sectors):
			copy(out[lo:hi], f.data[lo:hi])
		default:
			// What was not written stays: disks that lose the bytes beside the new
			// ones (no powersafe overwrite) are not what the buffer is made for.
			d.spoil(f, out, max(lo, f.dirty[s]), hi)
		}
	}
	return &inode{data: out, durable: out, lent: true, dirty: map[int]int{}}
}

// spoil makes of the bytes of a sector what was not written properly.
func (d dice) spoil(f *inode, out []byte, lo, hi int) {
	fate := d.fate
	if fate == mixed {
		fate = d.IntN(mixed)
	}
	p := out[lo:hi]
	clear(p)
	switch fate {
	case lost:
		copy(p, f.durable[min(lo, len(f.durable)):min(hi, len(f.durable))])
	case garbage:
		for i := range p {
			p[i] = byte(d.Uint32())
		}
	}
}

func resize(p []byte, n int) []byte {
	if n <= len(p) {
		return p[:n:n]
	}
	return append(p, make([]byte, n-len(p))...)
}
