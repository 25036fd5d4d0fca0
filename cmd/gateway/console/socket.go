package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// DefaultSocket is where a packaged gateway is reached.
const DefaultSocket = "/run/fieldferry/control.sock"

// Socket talks to a running gateway through its control socket, named by its
// path, with the same API that the page uses.
type Socket string

// Refusal is an answer of the gateway that says no (RFC 9457).
type Refusal struct {
	Status int
	Title  string          `json:"title"`
	Detail string          `json:"detail"`
	Code   string          `json:"code"` // stable name of the problem
	Faults json.RawMessage `json:"faults"`
}

func (r *Refusal) Error() string {
	if r.Detail != "" {
		return Safe(r.Detail)
	}
	return Safe(r.Title)
}

// Call sends a request, with in as its JSON body unless that is nil, and
// decodes the answer into out. Its errors are *Coded: 69 where nobody answers,
// 1 around a *Refusal where the gateway says no.
func (s Socket) Call(ctx context.Context, method, path string, in, out any) error {
	client := &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", string(s))
		}},
	}
	defer client.CloseIdleConnections()
	req, err := s.request(ctx, method, path, in)
	if err != nil {
		return Failed(err)
	}
	res, err := client.Do(req)
	if err != nil {
		return s.unreachable(ctx, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return Failed(fmt.Errorf("read the gateway's answer: %w", err))
	}
	if res.StatusCode >= 300 {
		p := &Refusal{}
		if json.Unmarshal(body, p) != nil || p.Title == "" {
			p.Title = res.Status
		}
		p.Status = res.StatusCode
		return Failed(p)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return Failed(fmt.Errorf("the gateway's answer: %w", err))
	}
	return nil
}

func (s Socket) request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	if in == nil {
		return http.NewRequestWithContext(ctx, method, "http://localhost"+path, http.NoBody)
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, bytes.NewReader(body))
	if err == nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, err
}

// absence is that no gateway runs.
type absence string

func (a absence) Error() string { return string(a) }

// unreachable explains why nobody answers, with the exit code 69.
func (s Socket) unreachable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return Failed(ctx.Err())
	case errors.Is(err, os.ErrNotExist):
		err = absence(fmt.Sprintf("no gateway is running: there is no socket %s (start it, or name another with --socket)", s))
	case errors.Is(err, syscall.ECONNREFUSED):
		err = absence(fmt.Sprintf("no gateway listens on %s: it has stopped or crashed", s))
	case errors.Is(err, os.ErrPermission):
		err = fmt.Errorf("not allowed to use %s: run this as root or as the user of the gateway", s)
	}
	return &Coded{ExitUnreachable, err}
}

// Absent says that an error of Call means that no gateway runs there.
func Absent(err error) bool {
	var a absence
	return errors.As(err, &a)
}
