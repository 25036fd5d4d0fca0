// Package tally counts the samples of every tag of a log, from 1, so that
// whoever receives them can tell that one is missing. A tag is known by the
// names of its device and its own: it is the same one after the tag map was
// edited.
//
// A counter never goes back and never gives a number twice. Where the last
// numbers that were given are not known for sure, Jump lets all counters jump.
//
// Nothing here blocks, and nothing is safe for concurrent use.
package tally

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"fieldferry/tag"
)

// Counter counts the samples of one tag.
type Counter struct {
	N uint64 // of its last sample
}

// Tally is the counters of a log. Its zero value counts from 1.
type Tally struct {
	counters map[name]*Counter
	floor    uint64 // below the first number of a tag that is not in counters
	names    []name // of counters, sorted; shorter where some are new
}

type name struct{ device, tag string }

// most bounds the tags that are counted apart. Should there be more, over all
// tag maps that the log has seen, all are forgotten, and count on from the
// highest number that was given.
const most = 1 << 18

// Of returns the counter of a tag.
func (t *Tally) Of(v *tag.Tag) *Counter {
	n := name{tag: v.Name}
	if v.Device != nil {
		n.device = v.Device.Name
	}
	return t.of(n)
}

func (t *Tally) of(n name) *Counter {
	if c := t.counters[n]; c != nil {
		return c
	}
	if t.counters == nil || len(t.counters) >= most {
		for _, c := range t.counters {
			t.floor = max(t.floor, c.N)
		}
		t.counters = map[name]*Counter{}
	}
	c := &Counter{N: t.floor}
	t.counters[n] = c
	return c
}

// Jump lets all counters, and those to come, go on by so many further up, and
// above least.
func (t *Tally) Jump(by, least uint64) {
	t.floor = max(t.floor+by, least)
	for _, c := range t.counters {
		c.N = max(c.N+by, least)
	}
}

// Merge takes over the counters of another: those that are higher.
func (t *Tally) Merge(o *Tally) {
	t.floor = max(t.floor, o.floor)
	for n, c := range o.counters {
		mine := t.of(n)
		mine.N = max(mine.N, c.N)
	}
}

// Append appends the counters as payloads of at most limit bytes each, which
// Load reads.
func (t *Tally) Append(dst [][]byte, limit int) [][]byte {
	if len(t.names) != len(t.counters) {
		t.names = slices.SortedFunc(maps.Keys(t.counters), func(x, y name) int {
			if x.device != y.device {
				return compare(x.device, y.device)
			}
			return compare(x.tag, y.tag)
		})
	}
	head := binary.AppendUvarint(nil, uint64(len(t.names)))
	head = binary.AppendUvarint(head, t.floor)
	p := slices.Clone(head)
	for _, n := range t.names {
		if longest := 3*binary.MaxVarintLen64 + len(n.device) + len(n.tag); len(p)+longest > limit {
			dst = append(dst, p)
			p = slices.Clone(head)
		}
		p = appendString(p, n.device)
		p = appendString(p, n.tag)
		p = binary.AppendUvarint(p, t.counters[n].N)
	}
	return append(dst, p)
}

func compare(x, y string) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func appendString(p []byte, s string) []byte {
	p = binary.AppendUvarint(p, uint64(len(s)))
	return append(p, s...)
}

// errCorrupt says that bytes are not what Append makes.
var errCorrupt = errors.New("counters of tags: corrupt")

// Load takes over one payload: counters that are higher than known. What comes
// before a corrupt one counts. It returns how many counters there are in all
// payloads of one Append.
func (t *Tally) Load(p []byte) (all uint64, err error) {
	r := reader{p: p}
	all, floor := r.uvarint(), r.uvarint()
	if r.bad {
		return 0, errCorrupt
	}
	t.floor = max(t.floor, floor)
	for len(r.p) > 0 {
		n := name{device: r.string(), tag: r.string()}
		v := r.uvarint()
		if r.bad {
			return all, errCorrupt
		}
		c := t.of(n)
		c.N = max(c.N, v)
	}
	return all, nil
}

// Len is the number of counters.
func (t *Tally) Len() int { return len(t.counters) }

type reader struct {
	p   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.p)
	if n <= 0 {
		r.bad, r.p = true, nil
		return 0
	}
	r.p = r.p[n:]
	return v
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.p)) {
		r.bad, r.p = true, nil
		return ""
	}
	s := string(r.p[:n])
	r.p = r.p[n:]
	return s
}
