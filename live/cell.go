package live

import (
	"math"
	"sync/atomic"
	"time"

	"fieldferry/tag"
)

// noTime stands for the zero time.Time, whose nanoseconds are undefined.
const noTime = math.MinInt64

// Cell is the latest sample of one tag. Set and Refresh are called by one
// goroutine at a time; every other method by anyone.
//
// The fields between two increments of seq form one sample: seq is odd while
// they are written. They are atomic one by one, so that a torn read is seen
// by the change of seq and never by the race detector.
type Cell struct {
	base time.Time // the store's; set once

	tag      atomic.Pointer[tag.Tag]
	watchers atomic.Pointer[[]chan struct{}]
	fresh    atomic.Int64 // monotonic nanoseconds since base

	seq    atomic.Uint64
	kind   atomic.Uint32
	level  atomic.Uint32
	bits   atomic.Uint64
	at     atomic.Int64
	read   atomic.Uint64
	text   atomic.Pointer[string]
	reason atomic.Pointer[string]
}

// Tag returns the tag that the cell stands for in the newest tag map.
func (c *Cell) Tag() *tag.Tag { return c.tag.Load() }

// Set stores a sample whose value is in engineering units; now is the
// gateway's time and marks it fresh. It does not allocate for numbers.
func (c *Cell) Set(s *tag.Sample, now time.Time) {
	kind, bits, text := s.Value.Parts()
	c.seq.Add(1)
	c.kind.Store(uint32(kind))
	c.level.Store(uint32(s.Quality.Level))
	c.bits.Store(bits)
	c.at.Store(nanos(s.Time))
	c.read.Store(s.Read)
	storeText(&c.text, text)
	storeText(&c.reason, s.Quality.Reason)
	c.seq.Add(1)
	c.Refresh(now)
	c.wake()
}

// Refresh says that the tag was read at now and had not changed enough to be
// published: the sample stands, its age begins anew.
func (c *Cell) Refresh(now time.Time) { c.fresh.Store(int64(now.Sub(c.base))) }

// Get returns the latest sample, and false when there has been none.
func (c *Cell) Get() (tag.Sample, bool) {
	for {
		seq := c.seq.Load()
		if seq == 0 {
			return tag.Sample{Tag: c.Tag()}, false
		}
		s := tag.Sample{
			Tag:     c.Tag(),
			Value:   tag.FromParts(tag.Kind(c.kind.Load()), c.bits.Load(), loadText(&c.text)),
			Quality: tag.Quality{Level: tag.Level(c.level.Load()), Reason: loadText(&c.reason)},
			Time:    fromNanos(c.at.Load()),
			Read:    c.read.Load(),
		}
		if seq&1 == 0 && c.seq.Load() == seq {
			return s, true
		}
	}
}

// Version grows with every Set; zero means never set.
func (c *Cell) Version() uint64 { return c.seq.Load() / 2 }

// Fresh returns the gateway's time of the last Set or Refresh, from which the
// age of the value counts; the zero time when there has been none.
func (c *Cell) Fresh() time.Time {
	if c.seq.Load() == 0 {
		return time.Time{}
	}
	return c.base.Add(time.Duration(c.fresh.Load()))
}

func (c *Cell) wake() {
	list := c.watchers.Load()
	if list == nil {
		return
	}
	for _, ch := range *list {
		select {
		case ch <- struct{}{}:
		default: // it is awake already
		}
	}
}

// storeText keeps the old pointer when the text is the same, so that a tag
// whose reason or text stands does not allocate.
func storeText(p *atomic.Pointer[string], s string) {
	if s == "" {
		p.Store(nil)
		return
	}
	if old := p.Load(); old != nil && *old == s {
		return
	}
	kept := s // only a changed text escapes
	p.Store(&kept)
}

func loadText(p *atomic.Pointer[string]) string {
	if s := p.Load(); s != nil {
		return *s
	}
	return ""
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return noTime
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == noTime {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
