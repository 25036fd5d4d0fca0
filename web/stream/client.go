package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"fieldferry/tag"
	"fieldferry/web/health"
	"fieldferry/web/plant"
)

// client is one open stream. Its request's goroutine runs it; Watch comes
// from the goroutines of other requests.
type client struct {
	id  string
	hub *Hub
	out http.ResponseWriter
	rc  *http.ResponseController
	seq uint64 // of the last event sent

	mu         sync.Mutex
	generation uint64        // guarded by mu; of the watched tags
	watched    []watchedTag  // guarded by mu
	known      *survey       // what the page knows of all tags; owned by run
	beat       health.Health // last one sent; owned by run
	beatCounts health.Counts // last ones sent; owned by run
	beatAt     time.Time     // owned by run
}

type watchedTag struct {
	id   int
	tag  *tag.Tag
	sent plant.Value // last value sent
	any  bool        // whether one was sent at all
}

func (c *client) watch(generation uint64, tags []*tag.Tag, ids []int) {
	list := make([]watchedTag, len(ids))
	for i, id := range ids {
		list[i] = watchedTag{id: id, tag: tags[id]}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation, c.watched = generation, list
}

func (c *client) run(ctx context.Context) {
	_, generation := c.hub.plant.Tags()
	hello := Hello{Stream: c.id, Generation: generation, Now: Millis(time.Now()), Beat: c.hub.opt.Beat.Milliseconds()}
	tick := time.NewTicker(c.hub.opt.Every)
	defer tick.Stop()
	// A page that comes back tries again after a second.
	if _, err := fmt.Fprint(c.out, "retry: 1000\n\n"); err != nil || c.send("hello", hello) != nil {
		return
	}
	for c.turn() == nil {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// turn sends everything that is due.
func (c *client) turn() error {
	s := c.hub.look()
	if err := c.sendLevels(s); err != nil {
		return err
	}
	if err := c.sendBeat(s); err != nil {
		return err
	}
	return c.sendValues(s.generation)
}

func (c *client) sendLevels(s *survey) error {
	if c.known == s {
		return nil
	}
	ev := Levels{Generation: s.generation, Now: Millis(time.Now()), Levels: []Level{}}
	ev.First = c.known == nil || c.known.generation != s.generation
	for i, g := range s.grades {
		before := good
		if !ev.First {
			before = c.known.grades[i]
		}
		if g != before {
			ev.Levels = append(ev.Levels, Level{i, gradeNames[g]})
		}
	}
	c.known = s
	if !ev.First && len(ev.Levels) == 0 {
		return nil
	}
	return c.send("levels", ev)
}

func (c *client) sendBeat(s *survey) error {
	if s.health == c.beat && s.counts == c.beatCounts && time.Since(c.beatAt) < c.hub.opt.Beat {
		return nil
	}
	c.beat, c.beatCounts, c.beatAt = s.health, s.counts, time.Now()
	return c.send("beat", Beat{s.generation, s.status.Revision, Millis(time.Now()), s.health, s.counts})
}

func (c *client) sendValues(generation uint64) error {
	rows := c.changed(generation)
	if len(rows) == 0 {
		return nil
	}
	return c.send("values", Values{Generation: generation, Now: Millis(time.Now()), Rows: rows})
}

// changed returns the watched tags that changed since they were sent. What
// is watched of another generation is not sent at all: its positions may
// mean other tags by now.
func (c *client) changed(generation uint64) []Row {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation != generation {
		return nil
	}
	var rows []Row
	for i := range c.watched {
		w := &c.watched[i]
		v := c.hub.plant.Value(w.tag)
		if w.any && v.Version == w.sent.Version && v.Fresh.Equal(w.sent.Fresh) {
			continue
		}
		w.sent, w.any = v, true
		rows = append(rows, RowOf(w.id, v))
	}
	return rows
}

func (c *client) send(event string, data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	c.seq++
	if err := c.rc.SetWriteDeadline(time.Now().Add(c.hub.opt.WriteTimeout)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c.out, "event: %s\nid: %d\ndata: %s\n\n", event, c.seq, body); err != nil {
		return err
	}
	return c.rc.Flush()
}
