package stream

import (
	"net/http"
	"testing"
	"time"

	"fieldferry/web/webtest"
)

// writer takes events and keeps nothing of them.
type writer struct {
	header http.Header
	n      int
}

func (w *writer) Header() http.Header              { return w.header }
func (w *writer) WriteHeader(int)                  {}
func (w *writer) Write(b []byte) (int, error)      { w.n += len(b); return len(b), nil }
func (w *writer) Flush()                           {}
func (w *writer) SetWriteDeadline(time.Time) error { return nil }

// BenchmarkMany is what one open page costs on a gateway of 100,000 tags, for
// each look at the values that it shows.
func BenchmarkMany(b *testing.B) {
	for _, c := range []struct {
		name    string
		watched int
		moving  bool
		survey  time.Duration // how old the look at all tags may be
	}{
		{"survey of all tags", 0, false, time.Nanosecond},
		{"40 moving values", 40, true, time.Hour},
		{"5000 moving values", 5000, true, time.Hour},
		{"5000 still values", 5000, false, time.Hour},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := webtest.NewMany(100, 1000)
			h := New(p, Options{Survey: c.survey, Beat: time.Hour})
			w := &writer{header: http.Header{}}
			cl := &client{id: "one", hub: h, out: w, rc: http.NewResponseController(w)}
			tags, generation := p.Tags()
			ids := make([]int, c.watched)
			for i := range ids {
				ids[i] = i
			}
			cl.watch(generation, tags, ids)
			if err := cl.turn(); err != nil {
				b.Fatal(err)
			}
			w.n = 0
			b.ReportAllocs()
			for b.Loop() {
				if c.moving {
					b.StopTimer()
					p.Step()
					b.StartTimer()
				}
				if err := cl.turn(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(w.n)/float64(b.N), "sent-B/op")
		})
	}
}

// TestSurveyIsSmall: a look at 100,000 tags that are all good leaves less
// than two bytes for each of them.
func TestSurveyIsSmall(t *testing.T) {
	p := webtest.NewMany(100, 1000)
	h := New(p, Options{Survey: time.Nanosecond})
	w := &writer{header: http.Header{}}
	c := &client{id: "one", hub: h, out: w, rc: http.NewResponseController(w)}
	if err := c.sendLevels(h.look()); err != nil {
		t.Fatal(err)
	}
	if len(c.known.grades) != 100_000 || cap(c.known.grades) > 200_000 {
		t.Errorf("%d grades in %d bytes", len(c.known.grades), cap(c.known.grades))
	}
	if w.n > 200 {
		t.Errorf("the first look at tags that are all good sends %d bytes", w.n)
	}
}
