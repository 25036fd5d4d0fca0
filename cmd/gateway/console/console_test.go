package console

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// gateway answers on a socket as a handler says.
func gateway(t *testing.T, h http.HandlerFunc) Socket {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(h)
	srv.Listener.Close()
	srv.Listener = ln
	srv.Start()
	t.Cleanup(srv.Close)
	return Socket(path)
}

func TestCall(t *testing.T) {
	s := gateway(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil:
			t.Error(err)
		case r.URL.Path == "/echo":
			_, _ = w.Write(body) // the client would tell
		case r.URL.Path == "/no":
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("{\"title\":\"Not Found\",\"detail\":\"no such\\u001b link\",\"code\":\"unknown_link\"}"))
		case r.URL.Path == "/odd":
			_, _ = w.Write([]byte("<html>"))
		default:
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	var got map[string]int
	if err := s.Call(t.Context(), http.MethodPost, "/echo", map[string]int{"a": 7}, &got); err != nil || got["a"] != 7 {
		t.Errorf("got %v, %v", got, err)
	}
	var refused *Refusal
	err := s.Call(t.Context(), http.MethodGet, "/no", nil, &got)
	if !errors.As(err, &refused) || refused.Status != 404 || refused.Code != "unknown_link" || err.Error() != "no such\uFFFD link" {
		t.Errorf("a refusal: %v", err)
	}
	for path, want := range map[string]string{"/odd": "the gateway's answer", "/else": "502 Bad Gateway"} {
		var c *Coded
		if err := s.Call(t.Context(), http.MethodGet, path, nil, &got); !errors.As(err, &c) || c.Code != ExitFailed || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Call(ctx, http.MethodGet, "/echo", nil, &got); !errors.Is(err, context.Canceled) || Absent(err) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestAbsent(t *testing.T) {
	err := Socket(filepath.Join(t.TempDir(), "none")).Call(t.Context(), http.MethodGet, "/", nil, nil)
	var c *Coded
	if !Absent(err) || !errors.As(err, &c) || c.Code != ExitUnreachable {
		t.Errorf("got %v, want that no gateway runs, with 69", err)
	}
}
