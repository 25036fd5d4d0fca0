package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"fieldferry/web/api"
	"fieldferry/web/find"
	"fieldferry/web/metrics"
	"fieldferry/web/plant"
	"fieldferry/web/stream"
)

// Deps is what a Server shows and acts on. All fields are needed but
// Version.
type Deps struct {
	Plant   plant.Plant
	Editor  plant.Editor
	Control plant.Control
	Finder  find.Finder
	Version string // of the program, for the metrics
	Log     *slog.Logger
}

// Server serves the page, the API, the stream and the metrics. It is safe
// for concurrent use and starts no goroutine but within Serve.
type Server struct {
	handler http.Handler
	log     *slog.Logger
}

// New returns a Server.
func New(d Deps) (*Server, error) {
	p, err := newPage(dist())
	if err != nil {
		return nil, err
	}
	return newServer(d, p, stream.Options{})
}

func newServer(d Deps, p *page, o stream.Options) (*Server, error) {
	if d.Plant == nil || d.Editor == nil || d.Control == nil || d.Finder == nil || d.Log == nil {
		return nil, errors.New("web: a dependency is missing")
	}
	mux := http.NewServeMux()
	api.Register(mux, api.Deps{Plant: d.Plant, Editor: d.Editor, Control: d.Control, Finder: d.Finder, Hub: stream.New(d.Plant, o), Log: d.Log})
	registry, err := metrics.Registry(d.Plant, d.Version)
	if err != nil {
		return nil, err
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	p.register(mux)
	packed, err := compressed(mux)
	if err != nil {
		return nil, err
	}
	return &Server{handler: guard(packed, d.Log), log: d.Log}, nil
}

// Handler returns the page and everything behind it.
func (s *Server) Handler() http.Handler { return s.handler }

// OpenAPI returns the text of api/openapi.json.
func OpenAPI() ([]byte, error) { return api.Spec() }

// Serve serves browsers on ln until ctx ends, then ends the streams, waits
// up to 5 s for other requests, and returns nil. It returns early with an
// error when ln fails. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	return s.serve(ctx, ln, func(ctx context.Context, c net.Conn) context.Context {
		host, _, err := net.SplitHostPort(c.RemoteAddr().String())
		if err != nil {
			host = c.RemoteAddr().String()
		}
		return api.WithAuthor(ctx, "page at "+host)
	})
}

// ServeControl serves the command line on the control socket, like Serve.
// Changes are ascribed to the user at the other end. The client says Host:
// localhost.
func (s *Server) ServeControl(ctx context.Context, ln net.Listener) error {
	return s.serve(ctx, ln, func(ctx context.Context, c net.Conn) context.Context {
		return api.WithAuthor(ctx, peerName(c)+" (control socket)")
	})
}

// maxConns is how many connections are open at once, on each listener.
const maxConns = 256

// stopKey finds the context of Serve in that of a request.
type stopKey struct{}

func (s *Server) serve(ctx context.Context, ln net.Listener, conn func(context.Context, net.Conn) context.Context) error {
	srv := &http.Server{
		Handler:           endWithServer(s.handler),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      60 * time.Second, // streams set their own for each event
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnContext:       conn,
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), stopKey{}, ctx)
		},
	}
	failed := make(chan error, 1) // the goroutine below sends once
	go func() { failed <- srv.Serve(limit(ln, maxConns)) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve the page on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		s.log.Warn("page requests cut off", "err", errors.Join(err, srv.Close()))
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the page on %s: %w", ln.Addr(), err)
	}
	return nil
}

// endWithServer ends the streams when the server stops; other requests are
// finished.
func endWithServer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stop, ok := r.Context().Value(stopKey{}).(context.Context)
		if ok && r.URL.Path == "/api/stream" {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(stop, cancel)()
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}
