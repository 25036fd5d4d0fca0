package stream

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"fieldferry/tag"
	"fieldferry/web/health"
	"fieldferry/web/plant"
)

// Errors of Watch.
var (
	// ErrUnknown is returned by Watch for a stream that has ended.
	ErrUnknown = errors.New("no such stream")
	// ErrGeneration is returned by Watch when the tag map has changed: the
	// list of tags must be fetched again.
	ErrGeneration = errors.New("the tag map has changed")
	// ErrTag is wrapped by Watch's error for a position outside the list.
	ErrTag = errors.New("no such tag")
)

// Options are the paces and bounds of a Hub. Zero fields take the defaults.
type Options struct {
	Every        time.Duration // between two looks at the watched tags, 250 ms
	Beat         time.Duration // between two beats, 5 s
	Survey       time.Duration // between two looks at the quality of all tags, 1 s; longer where one look takes long
	WriteTimeout time.Duration // a page that takes no data for so long is cut off, 10 s
	Streams      int           // at once, 32
	Watched      int           // tags per stream, 5000
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.Every, 250*time.Millisecond)
	def(&o.Beat, 5*time.Second)
	def(&o.Survey, time.Second)
	def(&o.WriteTimeout, 10*time.Second)
	if o.Streams == 0 {
		o.Streams = 32
	}
	if o.Watched == 0 {
		o.Watched = 5000
	}
	return o
}

// Hub serves streams. It starts no goroutine.
type Hub struct {
	plant plant.Plant
	opt   Options

	mu      sync.Mutex
	clients map[string]*client // guarded by mu
	survey  *survey            // guarded by mu; the latest look at all tags, shared by all streams
}

// New returns a Hub for a plant.
func New(p plant.Plant, o Options) *Hub {
	return &Hub{plant: p, opt: o.withDefaults(), clients: map[string]*client{}}
}

// ServeHTTP serves one stream until the request's context ends or the page
// takes no data.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &client{id: rand.Text(), hub: h}
	if !h.add(c) {
		w.Header().Set("Retry-After", "10")
		http.Error(w, fmt.Sprintf("%d pages are open already: close one", h.opt.Streams), http.StatusServiceUnavailable)
		return
	}
	defer h.remove(c)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy must not hold values back
	c.out, c.rc = w, http.NewResponseController(w)
	c.run(r.Context())
}

func (h *Hub) add(c *client) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.clients) >= h.opt.Streams {
		return false
	}
	h.clients[c.id] = c
	return true
}

func (h *Hub) remove(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c.id)
}

// Watch sets which tags a stream shows, by their positions in the list of a
// generation. It replaces what was watched before.
func (h *Hub) Watch(id string, generation uint64, ids []int) error {
	h.mu.Lock()
	c := h.clients[id]
	h.mu.Unlock()
	if c == nil {
		return ErrUnknown
	}
	tags, now := h.plant.Tags()
	if generation != now {
		return ErrGeneration
	}
	if len(ids) > h.opt.Watched {
		return fmt.Errorf("watch %d tags: at most %d at once: %w", len(ids), h.opt.Watched, ErrTag)
	}
	for _, i := range ids {
		if i < 0 || i >= len(tags) {
			return fmt.Errorf("watch tag %d of %d: %w", i, len(tags), ErrTag)
		}
	}
	c.watch(now, tags, ids)
	return nil
}

// survey is one look at the quality of all tags.
type survey struct {
	at         time.Time
	next       time.Time // not looked again before
	generation uint64
	grades     []grade // by position
	counts     health.Counts
	status     plant.Status
	health     health.Health
}

// look returns the latest survey, a new one when that is due or the tag map has
// changed.
func (h *Hub) look() *survey {
	h.mu.Lock()
	defer h.mu.Unlock()
	tags, generation := h.plant.Tags()
	if s := h.survey; s != nil && s.generation == generation && time.Now().Before(s.next) {
		return s
	}
	s := &survey{at: time.Now(), generation: generation, grades: make([]grade, len(tags))}
	s.counts = count(h.plant, tags, s.grades)
	s.status = h.plant.Status()
	s.health = health.Of(&s.status, s.counts)
	s.next = s.at.Add(max(h.opt.Survey, surveyShare*time.Since(s.at)))
	h.survey = s
	return s
}

// surveyShare is how much longer than a look at all tags the pause between
// two of them is: a page that is open must not cost a small machine more
// than a twentieth of its time.
const surveyShare = 20

// Counts tells how many tags there are and how many are not good, as the
// latest survey saw it.
func (h *Hub) Counts() health.Counts { return h.look().counts }

// grade is the quality of a tag in the least space: there may be a hundred
// thousand of them. The zero value is good.
type grade uint8

const (
	good grade = iota
	uncertain
	bad
	none // not read yet
)

var gradeNames = [...]string{good: "good", uncertain: "uncertain", bad: "bad", none: "none"}

func gradeOf(v plant.Value) grade {
	switch {
	case v.Version == 0:
		return none
	case v.Quality.Level == tag.Bad:
		return bad
	case v.Quality.Level == tag.Uncertain:
		return uncertain
	}
	return good
}

// Survey looks at the latest value of every tag and counts those that are not
// good.
func Survey(p plant.Plant) health.Counts {
	tags, _ := p.Tags()
	return count(p, tags, nil)
}

// count surveys tags. Where grades is not nil it is filled by position.
func count(p plant.Plant, tags []*tag.Tag, grades []grade) health.Counts {
	c := health.Counts{Tags: len(tags)}
	for i, t := range tags {
		g := good
		if t.Access.Readable() {
			g = gradeOf(p.Value(t))
		}
		switch g {
		case bad:
			c.Bad++
		case uncertain:
			c.Uncertain++
		case none:
			c.None++
		}
		if grades != nil {
			grades[i] = g
		}
	}
	return c
}
