package web

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"fieldferry/web/stream"
	"fieldferry/web/webtest"
)

// serveMany serves a plant of many tags.
func serveMany(t testing.TB, m *webtest.Many) http.Handler {
	t.Helper()
	p, err := newPage(nil)
	if err != nil {
		t.Fatal(err)
	}
	other := webtest.New(time.Now) // for what is not about tags
	s, err := newServer(Deps{Plant: m, Editor: other, Control: other, Finder: other, Version: "test", Log: slog.New(slog.DiscardHandler)}, p, stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s.Handler()
}

func request(ctx context.Context, target string, header ...string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, "GET", target, nil)
	r.Host = "localhost"
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// sink takes an answer and keeps nothing of it. After half of the given size
// it looks once at what the process holds.
type sink struct {
	header http.Header
	n      int
	lookAt int
	live   uint64
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Write(b []byte) (int, error) {
	s.n += len(b)
	if s.lookAt > 0 && s.n > s.lookAt {
		s.lookAt = 0
		s.live = live()
	}
	return len(b), nil
}

// live is what a full collection leaves, in bytes.
func live() uint64 {
	runtime.GC()
	runtime.GC() // the first empties pools into the victim cache, the second drops that
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestListsAreNotHeld: in the middle of a long list no more is held than a
// few rows, whatever its length.
func TestListsAreNotHeld(t *testing.T) {
	m := webtest.NewMany(100, 200)
	h := serveMany(t, m)
	for _, target := range []string{"/api/tags", "/api/values"} {
		whole := &sink{header: http.Header{}}
		h.ServeHTTP(whole, request(t.Context(), target))
		if whole.n < 2<<20 {
			t.Fatalf("%s: %d bytes, want a list of 20,000 tags", target, whole.n)
		}
		for _, encoding := range []string{"identity", "gzip"} {
			before := live()
			half := &sink{header: http.Header{}, lookAt: whole.n / 2}
			if encoding == "gzip" {
				half.lookAt = 32 << 10
			}
			h.ServeHTTP(half, request(t.Context(), target, "Accept-Encoding", encoding))
			if half.live == 0 {
				t.Fatalf("%s %s: only %d bytes were sent", target, encoding, half.n)
			}
			if held := int64(half.live) - int64(before); held > 2<<20 {
				t.Errorf("%s %s: %d KiB are held in the middle of %d KiB, want less than 2048", target, encoding, held>>10, half.n>>10)
			}
		}
	}
	runtime.KeepAlive(m)
}

// TestListIsWhole: what is sent row by row is one sound answer.
func TestListIsWhole(t *testing.T) {
	m := webtest.NewMany(10, 100)
	tags, _ := m.Tags()
	w := httptest.NewRecorder()
	serveMany(t, m).ServeHTTP(w, request(t.Context(), "/api/tags"))
	var got struct {
		Generation uint64
		Revision   string
		Tags       []struct {
			ID           int
			Device, Name string
			Settings     map[string]string
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Generation != 1 || got.Revision != "r0002" || len(got.Tags) != len(tags) || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("generation %d, revision %q, %d tags, type %q", got.Generation, got.Revision, len(got.Tags), w.Header().Get("Content-Type"))
	}
	for i, row := range got.Tags {
		if row.ID != i || row.Device != tags[i].Device.Name || row.Name != tags[i].Name || row.Settings["address"] != tags[i].Address {
			t.Fatalf("row %d: %+v, want %s", i, row, tags[i].Path())
		}
		if len(row.Settings) != 6 {
			t.Fatalf("row %d: settings %v, want those that are written", i, row.Settings)
		}
	}
}

func TestCompressed(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		target string
		accept string
		want   string
	}{
		{"/api/tags", "gzip, deflate, br", "gzip"},
		{"/api/status", "gzip", "gzip"},
		{"/api/tags", "", ""},
		{"/api/tags", "gzip;q=0", ""},
		{"/api/revision", "gzip", ""}, // too small to be worth it
	} {
		plain := r.do("GET", c.target, "").Body.String()
		w := r.do("GET", c.target, "", "Accept-Encoding", c.accept)
		if got := w.Header().Get("Content-Encoding"); got != c.want || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s for %q: encoding %q, Vary %q, want %q", c.target, c.accept, got, w.Header().Get("Vary"), c.want)
			continue
		}
		body := io.Reader(w.Body)
		if c.want == "gzip" {
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = z
		}
		if text, err := io.ReadAll(body); err != nil || !strings.HasPrefix(string(text), plain[:20]) || !json.Valid(text) {
			t.Errorf("%s for %q: %v, begins with %.40q, want %.40q", c.target, c.accept, err, text, plain)
		}
	}
	w := r.do("GET", "/assets/a-1.js", "", "Accept-Encoding", "gzip")
	if z, err := gzip.NewReader(w.Body); err != nil {
		t.Error(err)
	} else if text, err := io.ReadAll(z); err != nil || string(text) != "alert(1)" {
		t.Errorf("an asset is packed twice: %q, %v", text, err)
	}
}

// TestStreamIsNotCompressed: an event must not wait in a compressor.
func TestStreamIsNotCompressed(t *testing.T) {
	srv := httptest.NewServer(newRig(t).handler)
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequest("GET", srv.URL+"/api/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if resp.Header.Get("Content-Encoding") != "" || err != nil || !strings.HasPrefix(line, "retry:") {
		t.Errorf("encoding %q, first line %q, %v", resp.Header.Get("Content-Encoding"), line, err)
	}
}

// BenchmarkMany is what a page costs on a gateway of 100,000 tags.
func BenchmarkMany(b *testing.B) {
	h := serveMany(b, webtest.NewMany(100, 1000))
	for _, c := range []struct{ name, target, encoding string }{
		{"status", "/api/status", "identity"}, {"status-gzip", "/api/status", "gzip"},
		{"tags", "/api/tags", "identity"}, {"tags-gzip", "/api/tags", "gzip"},
		{"tag", "/api/tags/device050/tag0500", "gzip"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			s := &sink{header: http.Header{}}
			before := live()
			for b.Loop() {
				s = &sink{header: http.Header{}}
				h.ServeHTTP(s, request(b.Context(), c.target, "Accept-Encoding", c.encoding))
			}
			b.StopTimer()
			half := &sink{header: http.Header{}, lookAt: max(s.n/2, 1)}
			h.ServeHTTP(half, request(b.Context(), c.target, "Accept-Encoding", c.encoding))
			b.ReportMetric(float64(s.n), "sent-B")
			b.ReportMetric(float64(int64(half.live)-int64(before)), "held-B")
		})
	}
}
