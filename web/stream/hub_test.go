package stream

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fieldferry/web/webtest"
)

// page is an open stream in a test.
type page struct {
	t    *testing.T
	in   *bufio.Scanner
	end  context.CancelFunc
	body func()
}

type event struct{ name, data string }

func serve(t *testing.T, o Options) (*webtest.Plant, *Hub, string) {
	t.Helper()
	p := webtest.New(time.Now)
	h := New(p, o)
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return p, h, srv.URL
}

// quick is fast enough for a test and slow enough to coalesce.
var quick = Options{Every: 5 * time.Millisecond, Beat: 20 * time.Millisecond, Survey: 10 * time.Millisecond}

func open(t *testing.T, url string) *page {
	t.Helper()
	// A liveness limit: no test needs a tenth of it.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if ct := resp.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/event-stream") {
		t.Fatalf("status %d, content type %q, want an event stream", resp.StatusCode, ct)
	}
	p := &page{t: t, in: bufio.NewScanner(resp.Body), end: cancel, body: func() { resp.Body.Close(); client.CloseIdleConnections() }}
	p.in.Buffer(nil, 1<<20)
	t.Cleanup(p.close)
	return p
}

func (p *page) close() {
	p.end()
	p.body()
}

// next returns the next event of a name into v, skipping others.
func (p *page) next(name string, v any) {
	p.t.Helper()
	for {
		ev, ok := p.event()
		if !ok {
			p.t.Fatalf("the stream ended (%v) before an event %q", p.in.Err(), name)
		}
		if ev.name == name {
			if err := json.Unmarshal([]byte(ev.data), v); err != nil {
				p.t.Fatalf("event %s: %v in %q", name, err, ev.data)
			}
			return
		}
	}
}

func (p *page) event() (event, bool) {
	var ev event
	for p.in.Scan() {
		line := p.in.Text()
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			ev.name = name
		} else if data, ok := strings.CutPrefix(line, "data: "); ok {
			ev.data = data
		} else if line == "" && ev.name != "" {
			return ev, true
		}
	}
	return ev, false
}

func (p *page) hello() Hello {
	p.t.Helper()
	var h Hello
	p.next("hello", &h)
	return h
}

// idOf is the position of a tag in the plant's list.
func idOf(t *testing.T, p *webtest.Plant, path string) int {
	t.Helper()
	tags, _ := p.Tags()
	for i := range tags {
		if tags[i].Path() == path {
			return i
		}
	}
	t.Fatalf("the made-up plant has no tag %s", path)
	return 0
}

func TestValuesOfWatchedTagsOnly(t *testing.T) {
	p, h, url := serve(t, quick)
	pg := open(t, url)
	id := idOf(t, p, "pump/speed")
	if err := h.Watch(pg.hello().Stream, 1, []int{id}); err != nil {
		t.Fatal(err)
	}
	var last Values
	for range 3 {
		pg.next("values", &last)
		if len(last.Rows) != 1 || last.Rows[0].ID != id || last.Rows[0].Kind != "float64" || last.Rows[0].Text == "" || last.Generation != 1 {
			t.Fatalf("got %+v, want one row of tag %d", last, id)
		}
		p.Step()
	}
}

// TestCoalescing moves the plant many times between two looks: the page gets
// the latest value only.
func TestCoalescing(t *testing.T) {
	p, h, url := serve(t, Options{Every: 200 * time.Millisecond, Beat: time.Hour})
	pg := open(t, url)
	id := idOf(t, p, "pump/batches")
	if err := h.Watch(pg.hello().Stream, 1, []int{id}); err != nil {
		t.Fatal(err)
	}
	var v Values
	pg.next("values", &v)
	const steps = 500
	for range steps {
		p.Step()
	}
	tags, _ := p.Tags()
	want := p.Value(tags[id]).Value.String()
	events := 0
	for v.Rows[0].Text != want {
		pg.next("values", &v)
		events++
	}
	if events > steps/10 {
		t.Errorf("%d events for %d changes, want them coalesced", events, steps)
	}
}

func TestUnchangedIsNotSentAgain(t *testing.T) {
	p, h, url := serve(t, quick)
	pg := open(t, url)
	dead := idOf(t, p, "meter05/frequency")
	if err := h.Watch(pg.hello().Stream, 1, []int{dead}); err != nil {
		t.Fatal(err)
	}
	var v Values
	pg.next("values", &v)
	if r := v.Rows[0]; r.Quality != "bad" || r.Reason != "device dead" || r.Text != "" || r.Kind != "null" {
		t.Errorf("row of a dead device: %+v", r)
	}
	p.Step()
	for beats := 0; beats < 3; {
		ev, ok := pg.event()
		if !ok {
			t.Fatal("the stream ended")
		}
		switch ev.name {
		case "values":
			t.Fatalf("sent again: %s", ev.data)
		case "beat":
			beats++
		}
	}
}

func TestBeatsGoOnWhenNothingChanges(t *testing.T) {
	_, _, url := serve(t, quick)
	pg := open(t, url)
	if h := pg.hello(); h.Beat != 20 || h.Generation != 1 || h.Now == 0 {
		t.Errorf("hello %+v, want the beat in milliseconds, the generation and the clock", h)
	}
	var b Beat
	for range 4 {
		pg.next("beat", &b)
	}
	if b.Revision != "r0002" || b.Counts.Tags != 243 || b.Counts.Bad != 20 || b.Counts.Uncertain != 2 || b.Health.Sentence == "" {
		t.Errorf("beat %+v", b)
	}
}

func TestLevelsFirstAllThenChanges(t *testing.T) {
	p, _, url := serve(t, quick)
	pg := open(t, url)
	var l Levels
	pg.next("levels", &l)
	if !l.First || len(l.Levels) != 22 {
		t.Fatalf("first levels: first=%v with %d tags, want all 22 that are not good", l.First, len(l.Levels))
	}
	id := idOf(t, p, "filler/temperature_03")
	p.Heal("filler/temperature_03")
	pg.next("levels", &l)
	if l.First || len(l.Levels) != 1 || l.Levels[0] != (Level{id, "good"}) {
		t.Errorf("levels after one tag healed: %+v, want only tag %d good", l, id)
	}
}

// TestNewGeneration: positions of the old list must not be sent once the tag
// map has changed.
func TestNewGeneration(t *testing.T) {
	p, h, url := serve(t, quick)
	pg := open(t, url)
	stream := pg.hello().Stream
	if err := h.Watch(stream, 1, []int{0, 1, 2}); err != nil {
		t.Fatal(err)
	}
	var v Values
	pg.next("values", &v)
	if err := p.ApplyAside("pump", "speed", "unit", "Hz"); err != nil {
		t.Fatal(err)
	}
	if err := h.Watch(stream, 1, []int{0}); !errors.Is(err, ErrGeneration) {
		t.Errorf("Watch of the old list: %v, want ErrGeneration", err)
	}
	var b Beat
	for b.Generation != 2 {
		pg.next("beat", &b)
	}
	p.Step()
	for beats := 0; beats < 2; {
		ev, _ := pg.event()
		if ev.name == "values" {
			t.Fatalf("values of the old list: %s", ev.data)
		}
		if ev.name == "beat" {
			beats++
		}
	}
	if err := h.Watch(stream, 2, []int{0}); err != nil {
		t.Fatal(err)
	}
	pg.next("values", &v)
	if v.Generation != 2 {
		t.Errorf("generation %d, want 2", v.Generation)
	}
}

func TestWatchRefuses(t *testing.T) {
	_, h, url := serve(t, Options{Watched: 3})
	stream := open(t, url).hello().Stream
	for _, c := range []struct {
		name, stream string
		generation   uint64
		ids          []int
		want         error
	}{
		{"unknown stream", "nobody", 1, nil, ErrUnknown},
		{"other generation", stream, 2, nil, ErrGeneration},
		{"negative", stream, 1, []int{-1}, ErrTag},
		{"beyond the end", stream, 1, []int{243}, ErrTag},
		{"too many", stream, 1, []int{0, 1, 2, 3}, ErrTag},
		{"none", stream, 1, nil, nil},
		{"enough", stream, 1, []int{0, 1, 242}, nil},
	} {
		if err := h.Watch(c.stream, c.generation, c.ids); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestStreamsAreBoundedAndFreed(t *testing.T) {
	_, h, url := serve(t, Options{Streams: 1, Every: 5 * time.Millisecond})
	first := open(t, url)
	stream := first.hello().Stream
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("second stream: %s, want 503 with Retry-After", resp.Status)
	}
	first.close()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for h.Watch(stream, 1, nil) == nil { // until the server has noticed
		<-tick.C
	}
	open(t, url).hello()
	http.DefaultClient.CloseIdleConnections()
}
