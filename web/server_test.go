package web

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fieldferry/web/webtest"
)

// running is a server on a real listener.
type running struct {
	plant *webtest.Plant
	stop  context.CancelFunc
	done  chan error
}

func run(t *testing.T, ln net.Listener, serve func(*Server) func(context.Context, net.Listener) error) *running {
	t.Helper()
	p := webtest.New(time.Now)
	s, err := New(Deps{Plant: p, Editor: p, Control: p, Finder: p, Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{plant: p, stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- serve(s)(ctx, ln) }()
	t.Cleanup(cancel)
	return r
}

func (r *running) ended(t *testing.T) {
	t.Helper()
	r.stop()
	select {
	case err := <-r.done:
		if err != nil {
			t.Errorf("Serve: %v, want nil after its context ended", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Serve does not end")
	}
}

func browsers(s *Server) func(context.Context, net.Listener) error { return s.Serve }
func commands(s *Server) func(context.Context, net.Listener) error { return s.ServeControl }

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := Listen(Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func TestServeEndsOpenStreams(t *testing.T) {
	ln := listen(t)
	r := run(t, ln, browsers)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + ln.Addr().String() + "/api/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "retry:") {
		t.Fatalf("first line %q, %v", line, err)
	}
	r.ended(t)
	if _, err := io.ReadAll(in); err != nil {
		t.Errorf("the stream ended with %v, want a clean end", err)
	}
}

func TestServeReportsABrokenListener(t *testing.T) {
	ln := listen(t)
	ln.Close()
	r := run(t, ln, browsers)
	if err := <-r.done; err == nil || !strings.Contains(err.Error(), "serve the page on 127.0.0.1:") {
		t.Errorf("Serve on a closed listener: %v", err)
	}
}

// TestAuthor: who changed something is told apart by the way it came.
func TestAuthor(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control.sock")
	unix, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	tcp := listen(t)
	for _, c := range []struct {
		ln    net.Listener
		serve func(*Server) func(context.Context, net.Listener) error
		dial  func(context.Context, string, string) (net.Conn, error)
		want  string
	}{
		{unix, commands, func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}, " (control socket)"},
		{tcp, browsers, func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", tcp.Addr().String())
		}, "page at 127.0.0.1"},
	} {
		r := run(t, c.ln, c.serve)
		client := &http.Client{Transport: &http.Transport{DialContext: c.dial}}
		req, err := http.NewRequest("POST", "http://localhost/api/draft/apply", strings.NewReader(`{"changes":[{"device":"pump","tag":"speed","set":{"unit":"Hz"}}],"comment":"why"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("If-Match", `"r0002"`)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		client.CloseIdleConnections()
		if got := r.plant.Revision(); resp.StatusCode != 200 || !strings.HasSuffix(got.Author, c.want) || strings.HasPrefix(got.Author, "unknown") || got.Comment != "why" {
			t.Errorf("%v: %s %s, revision by %q (%q), want one by ...%q (why)", c.ln.Addr(), resp.Status, body, got.Author, got.Comment, c.want)
		}
		r.ended(t)
	}
}

// TestSlowRequestOutlivesTheReadTimeout guards against a trap of net/http: a
// read deadline that is left standing ends the context of a request which
// only waits for a device.
func TestSlowRequestOutlivesTheReadTimeout(t *testing.T) {
	ended := make(chan error, 1) // the handler sends once
	srv := &http.Server{ReadTimeout: 50 * time.Millisecond, Handler: guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(250 * time.Millisecond): // five read timeouts
		}
		ended <- r.Context().Err()
	}), slog.New(slog.DiscardHandler))}
	ln := listen(t)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Post("http://"+ln.Addr().String()+"/api/reload", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	client.CloseIdleConnections()
	if err := <-ended; err != nil {
		t.Errorf("the request's context ended with %v, want it alive", err)
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	<-served
}

func TestConnectionsAreBounded(t *testing.T) {
	ln := limit(listen(t), 1)
	defer ln.Close()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	accepted := make(chan net.Conn) // the goroutine sends, and closes when the listener ends
	go func() {
		defer close(accepted)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial()
	dial()
	first := <-accepted
	select {
	case <-accepted:
		t.Fatal("a second connection was accepted beside the first")
	case <-time.After(50 * time.Millisecond): // an absence cannot be waited for otherwise
	}
	first.Close()
	first.Close() // frees its place once only
	second := <-accepted
	second.Close()
	ln.Close()
	<-accepted
}

func TestAnswers(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		method, target string
		status         int
		want           []string
	}{
		{"GET", "/api/status", 200, []string{`"name":"meter05","link":"line1","state":"dead"`, `"missed":412`, `"requested_seconds":0.5,"measured_seconds":0.62`, `"tags":19`}},
		{"GET", "/api/tags", 200, []string{`"generation":1`, `"device":"pump","name":"speed","link":"plc"`, `"interval_seconds":0.5`, `"scale":"0.1"`}},
		{"GET", "/api/tags/pump/speed", 200, []string{`"interval":{"text":"500ms","from":"device"}`, `"offset":{"text":"","from":"default"}`, `"quality":"good"`}},
		{"GET", "/api/tags/pump/nothing", 404, []string{`"code":"unknown_tag"`}},
		{"GET", "/api/values?device=filler", 200, []string{`"name":"temperature_03"`, `"reason":"bad address"`, `"reason":"stale"`}},
		{"GET", "/api/values?device=nobody", 404, []string{`"code":"unknown_device"`}},
		{"GET", "/api/values?devices=filler", 422, []string{`"code":"invalid"`, "devices"}},
		{"GET", "/api/revision", 200, []string{`"id":"r0002"`}},
		{"GET", "/api/history?limit=1", 200, []string{`"revisions":[{"id":"r0002"`}},
		{"GET", "/api/history?limit=0", 422, []string{`"code":"invalid"`}},
		{"GET", "/api/read/pump/speed", 200, []string{`"unit":"rpm"`, `"quality":"good"`}},
		{"GET", "/api/read/meter05/frequency", 200, []string{`"quality":"bad","reason":"device dead"`}},
		{"GET", "/api/read/pump/nothing", 404, []string{`"code":"unknown_tag"`}},
		{"POST", "/api/reload", 200, []string{`"applied":{"id":"r0002"`}},
		{"GET", "/api/reload", 404, []string{`"code":"not_found"`}},
		{"GET", "/api/nothing", 404, []string{`"code":"not_found"`}},
		{"GET", "/docs", 404, nil},
		{"GET", "/openapi.json", 404, nil},
	} {
		w := r.do(c.method, c.target, "")
		if w.Code != c.status {
			t.Errorf("%s %s: status %d, want %d (%s)", c.method, c.target, w.Code, c.status, w.Body)
		}
		for _, want := range c.want {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s %s: %s\nlacks %s", c.method, c.target, w.Body, want)
			}
		}
		if strings.Contains(w.Body.String(), "$schema") || w.Header().Get("Link") != "" {
			t.Errorf("%s %s: decorated with a schema", c.method, c.target)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: not JSON: %s", c.method, c.target, w.Body)
		}
	}
	if got := r.do("GET", "/api/revision", "").Header().Get("ETag"); got != `"r0002"` {
		t.Errorf("ETag %s, want \"r0002\"", got)
	}
}

// TestCheckAndApply follows a draft over HTTP.
func TestCheckAndApply(t *testing.T) {
	r := newRig(t)
	const body = `{"changes":[{"device":"pump","tag":"speed","set":{"scale":"x","interval":"1s","colour":"red"}}]}`
	w := r.do("POST", "/api/draft/check", body, "If-Match", `"r0002"`)
	for _, want := range []string{`"key":"scale"`, `"key":"colour"`, `"hint":"write a number such as 0.1, with a point"`, `"line":41`} {
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("check: %d %s\nlacks %s: want all faults at once", w.Code, w.Body, want)
		}
	}
	const good = `{"changes":[{"device":"pump","tag":"speed","set":{"interval":"1s"}}],"comment":"calmer"}`
	w = r.do("POST", "/api/draft/check", good, "If-Match", `"r0002"`)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"link":"plc"`) || r.plant.Revision().ID != "r0002" {
		t.Errorf("check of a good draft: %d %s, running %s: want the link that restarts and no effect", w.Code, w.Body, r.plant.Revision().ID)
	}
	w = r.do("POST", "/api/draft/apply", good, "If-Match", `"r0002"`)
	if rev := r.plant.Revision(); w.Code != 200 || rev.ID != "r0003" || rev.Comment != "calmer" {
		t.Errorf("apply: %d %s, running %+v", w.Code, w.Body, rev)
	}
	if w = r.do("POST", "/api/draft/apply", good, "If-Match", `"r0002"`); w.Code != 412 {
		t.Errorf("apply on the old revision: %d, want 412", w.Code)
	}
}

// TestWatch: a page that still shows the list of an old tag map is told so,
// without an error that its console would show.
func TestWatch(t *testing.T) {
	r := newRig(t)
	srv := httptest.NewServer(r.handler)
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(srv.URL + "/api/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewScanner(resp.Body)
	var hello struct{ Stream string }
	for hello.Stream == "" && in.Scan() {
		if data, ok := strings.CutPrefix(in.Text(), "data: "); ok {
			if err := json.Unmarshal([]byte(data), &hello); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		body   string
		status int
		want   string
	}{
		{`{"generation":1,"tags":[0,1]}`, 200, `{"watching":true,"generation":1}`},
		{`{"generation":7,"tags":[0,1]}`, 200, `{"watching":false,"generation":1}`},
		{`{"generation":1,"tags":[99999]}`, 422, `watch tag 99999`},
	} {
		w := r.do("POST", "/api/stream/"+hello.Stream+"/watch", c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("watch %s: %d %s, want %d %s", c.body, w.Code, w.Body, c.status, c.want)
		}
	}
}
