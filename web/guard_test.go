package web

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"fieldferry/web/api"
	"fieldferry/web/stream"
	"fieldferry/web/webtest"
)

// rig is a server over the made-up plant, with a made-up build of the page.
type rig struct {
	plant   *webtest.Plant
	handler http.Handler
	log     *bytes.Buffer
}

func newRig(t *testing.T) *rig {
	t.Helper()
	p, err := newPage(fstest.MapFS{
		"index.html":            {Data: []byte(`<script nonce="__NONCE__" src="/assets/a-1.js"></script>`)},
		"assets/a-1.js.gz":      {Data: packed(t, "alert(1)")},
		"secret.gz":             {Data: packed(t, "outside assets")},
		"assets/deep/b-1.js.gz": {Data: packed(t, "deep")},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{plant: webtest.New(time.Now), log: &bytes.Buffer{}}
	s, err := newServer(Deps{Plant: r.plant, Editor: r.plant, Control: r.plant, Finder: r.plant, Version: "test", Log: slog.New(slog.NewTextHandler(r.log, nil))}, p, stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r.handler = s.Handler()
	return r
}

func (r *rig) do(method, target, body string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Host = "127.0.0.1:8443"
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	return w
}

func codeOf(w *httptest.ResponseRecorder) string {
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		return "not a problem: " + w.Body.String()
	}
	return p.Code
}

func TestHostIsOurs(t *testing.T) {
	r := newRig(t)
	for host, want := range map[string]int{
		"127.0.0.1:8443": 200, "localhost": 200, "localhost:9000": 200, "[::1]:8443": 200, "127.0.0.2": 200,
		"evil.example": 421, "evil.example:8443": 421, "192.168.1.5:8443": 421, "": 421, "localhost.evil.example": 421, "127.0.0.1.nip.io": 421,
	} {
		if got := r.do("GET", "/api/revision", "", "Host", host); got.Code != want {
			t.Errorf("Host %q: status %d, want %d (%s)", host, got.Code, want, got.Body)
		} else if want == 421 && codeOf(got) != "foreign_host" {
			t.Errorf("Host %q: code %q, want foreign_host", host, codeOf(got))
		}
	}
}

func TestForeignPagesAreRefused(t *testing.T) {
	const change = `{"changes":[{"device":"pump","tag":"speed","set":{"unit":"Hz"}}]}`
	for _, c := range []struct {
		name, method, target string
		header               []string
		want                 int
	}{
		{"read, cross-site", "GET", "/api/read/pump/speed", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"read, other port of this machine", "GET", "/api/read/pump/speed", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"read, foreign origin", "GET", "/api/read/pump/speed", []string{"Origin", "http://127.0.0.1:9999"}, 403},
		{"read, opaque origin", "GET", "/api/read/pump/speed", []string{"Origin", "null"}, 403},
		{"read, own page", "GET", "/api/read/pump/speed", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"read, command line", "GET", "/api/read/pump/speed", nil, 200},
		{"stream, foreign", "GET", "/api/stream", []string{"Origin", "http://evil.example"}, 403},
		{"metrics, foreign", "GET", "/metrics", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"reload, cross-site", "POST", "/api/reload", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"reload, foreign origin", "POST", "/api/reload", []string{"Origin", "http://evil.example"}, 403},
		{"reload, own page", "POST", "/api/reload", []string{"Origin", "http://127.0.0.1:8443", "Sec-Fetch-Site", "same-origin"}, 200},
		{"reload, command line", "POST", "/api/reload", nil, 200},
		{"apply, cross-site", "POST", "/api/draft/apply", []string{"Sec-Fetch-Site", "cross-site", "If-Match", `"r0002"`}, 403},
		{"a link to the page from elsewhere", "GET", "/", []string{"Sec-Fetch-Site", "cross-site"}, 200},
	} {
		r := newRig(t)
		body := ""
		if strings.HasSuffix(c.target, "/apply") {
			body = change
		}
		got := r.do(c.method, c.target, body, c.header...)
		if got.Code != c.want {
			t.Errorf("%s: status %d, want %d (%s)", c.name, got.Code, c.want, got.Body)
		}
		if c.want == 403 && (r.plant.Reads() != 0 || r.plant.Revision().ID != "r0002") {
			t.Errorf("%s: refused, but the plant was asked or changed", c.name)
		}
	}
}

func TestHeaders(t *testing.T) {
	r := newRig(t)
	for _, target := range []string{"/", "/api/status", "/nothing"} {
		h := r.do("GET", target, "").Header()
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", target, name, got, want)
			}
		}
		csp := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "connect-src 'self'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: policy %q lacks %q", target, csp, part)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("%s: policy %q is not strict", target, csp)
		}
	}
}

func TestIndexCarriesTheNonceOfItsPolicy(t *testing.T) {
	r := newRig(t)
	seen := map[string]bool{}
	for range 3 {
		w := r.do("GET", "/tags", "")
		_, rest, _ := strings.Cut(w.Body.String(), `nonce="`)
		n, _, _ := strings.Cut(rest, `"`)
		if len(n) < 22 || seen[n] || !strings.Contains(w.Header().Get("Content-Security-Policy"), "'nonce-"+n+"'") {
			t.Fatalf("nonce %q of %q, policy %q: want a fresh one of at least 128 bits in both", n, w.Body, w.Header().Get("Content-Security-Policy"))
		}
		seen[n] = true
	}
}

func TestAssets(t *testing.T) {
	r := newRig(t)
	zipped := r.do("GET", "/assets/a-1.js", "", "Accept-Encoding", "gzip, br")
	if zipped.Code != 200 || zipped.Header().Get("Content-Encoding") != "gzip" || !strings.Contains(zipped.Header().Get("Cache-Control"), "immutable") || !strings.HasPrefix(zipped.Header().Get("Content-Type"), "text/javascript") {
		t.Errorf("asset: status %d, headers %v: want gzip, immutable JavaScript", zipped.Code, zipped.Header())
	}
	plain := r.do("GET", "/assets/a-1.js", "")
	if plain.Body.String() != "alert(1)" || plain.Header().Get("Content-Encoding") != "" {
		t.Errorf("asset without gzip: %q, headers %v", plain.Body, plain.Header())
	}
	for _, target := range []string{
		"/assets/none.js", "/assets/..%2fsecret", "/assets/..%2findex.html", "/assets/%2e%2e/secret", "/assets/deep%2fb-1.js.gz", "/assets/deep/b-1.js",
		"/assets/", "/assets/a-1.js%00", "/index.html", "/assets/" + strings.Repeat("a", 5000), "/assets/..%5csecret", "/tags/", "/wp-login.php",
	} {
		if w := r.do("GET", target, ""); w.Code == 200 {
			t.Errorf("GET %.60q: status 200 with %q, want not found", target, w.Body)
		}
	}
}

func TestBodies(t *testing.T) {
	const match = `"r0002"`
	for _, c := range []struct {
		name, target, body, match string
		status                    int
		code                      string
	}{
		{"huge", "/api/draft/check", `{"changes":[],"comment":"` + strings.Repeat("x", maxBody) + `"}`, match, 413, "too_large"},
		{"not JSON", "/api/draft/check", `{"changes":`, match, 400, "bad_request"},
		{"not an object", "/api/draft/check", `[]`, match, 422, "invalid"},
		{"no body", "/api/draft/check", ``, match, 400, "bad_request"},
		{"unknown field", "/api/draft/check", `{"changes":[],"force":true}`, match, 422, "invalid"},
		{"wrong type", "/api/draft/check", `{"changes":[{"device":"pump","tag":"speed","set":{"scale":0.1}}]}`, match, 422, "invalid"},
		{"empty device", "/api/draft/check", `{"changes":[{"device":"","tag":"speed","set":{}}]}`, match, 422, "invalid"},
		{"no revision", "/api/draft/check", `{"changes":[]}`, "", 428, "revision_required"},
		{"any revision", "/api/draft/apply", `{"changes":[]}`, "*", 428, "revision_required"},
		{"old revision", "/api/draft/check", `{"changes":[]}`, `"r0001"`, 412, "stale_revision"},
		{"apply on an old revision", "/api/draft/apply", `{"changes":[{"device":"pump","tag":"speed","set":{"unit":"Hz"}}]}`, `"r0001"`, 412, "stale_revision"},
		{"apply with faults", "/api/draft/apply", `{"changes":[{"device":"pump","tag":"speed","set":{"scale":"x"}}]}`, match, 422, "faults"},
		{"unknown stream", "/api/stream/NONE/watch", `{"generation":1,"tags":[]}`, "", 404, "unknown_stream"},
		{"negative tag", "/api/stream/NONE/watch", `{"generation":-1,"tags":[]}`, "", 422, "invalid"},
	} {
		r := newRig(t)
		w := r.do("POST", c.target, c.body, "If-Match", c.match)
		if w.Code != c.status || codeOf(w) != c.code || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s %s\n%s\nwant %d %s as application/problem+json", c.name, w.Code, codeOf(w), w.Header().Get("Content-Type"), w.Body, c.status, c.code)
		}
		if r.plant.Revision().ID != "r0002" {
			t.Errorf("%s: the configuration was changed", c.name)
		}
	}
}

func TestPanicIsAnswered(t *testing.T) {
	var log bytes.Buffer
	h := guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the secret cause at /srv/x.go") }), slog.New(slog.NewTextHandler(&log, nil)))
	req := httptest.NewRequest("GET", "/api/status", nil)
	req.Host = "localhost"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if w.Code != 500 || p.ID == "" || strings.Contains(w.Body.String(), "secret") || !strings.Contains(log.String(), p.ID) || !strings.Contains(log.String(), "secret cause") {
		t.Errorf("answer %d %s, log %s: want 500 with an id that the log has beside the cause", w.Code, w.Body, &log)
	}
}

func TestPlainPage(t *testing.T) {
	p, err := newPage(nil)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	p.register(mux)
	for target, want := range map[string]int{"/": 200, "/tags": 200, "/assets/x.js": 404} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		if w.Code != want {
			t.Errorf("GET %s without a build: %d, want %d", target, w.Code, want)
		}
		if want == 200 && !strings.Contains(w.Body.String(), "make build") {
			t.Errorf("GET %s without a build: %q does not say what to do", target, w.Body)
		}
	}
}

func TestMetrics(t *testing.T) {
	r := newRig(t)
	r.plant.SetUplinkDown(true)
	body, err := io.ReadAll(r.do("GET", "/metrics", "").Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`fieldferry_link_up{link="line1"} 1`, `fieldferry_link_overruns_total{link="plc"} 214`, `fieldferry_link_cycle_seconds{link="plc"} 0.62`,
		`fieldferry_link_seen_total{kind="late",link="line1"} 3`, `fieldferry_link_notes{link="line1"} 1`,
		`fieldferry_device_up{device="meter05"} 0`, `fieldferry_device_up{device="meter06"} 1`, `fieldferry_uplink_up{uplink="plant"} 0`,
		`fieldferry_uplink_pending_samples{uplink="plant"} 1742`, `fieldferry_buffer_bytes 3.27155712e+08`, `fieldferry_tags{quality="bad"} 20`,
		`fieldferry_build_info{`, `go_goroutines `,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("metrics lack %q", want)
		}
	}
	if strings.Contains(string(body), `tag="`) {
		t.Error("metrics have a label tag")
	}
}
