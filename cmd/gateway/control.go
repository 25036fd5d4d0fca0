package main

import (
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

	"github.com/spf13/cobra"
)

// defaultSocket is where a packaged gateway is reached.
const defaultSocket = "/run/fieldferry/control.sock"

// control talks to a running gateway through its socket, with the same API
// that the page uses.
type control struct{ socket string }

func addSocketFlag(c *cobra.Command, socket *string) {
	c.Flags().StringVar(socket, "socket", defaultSocket, "control socket of the running gateway")
}

// problem is the API's form of an error (RFC 9457).
type problem struct {
	Title  string  `json:"title"`
	Detail string  `json:"detail"`
	Faults []fault `json:"faults"`
}

// call sends a request and decodes the answer into out.
func (c control) call(ctx context.Context, method, path string, out any) error {
	client := &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", c.socket)
		}},
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, http.NoBody)
	if err != nil {
		return failed(err)
	}
	res, err := client.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return failed(fmt.Errorf("read the gateway's answer: %w", err))
	}
	if res.StatusCode >= 300 {
		var p problem
		if json.Unmarshal(body, &p) != nil || p.Title == "" {
			p.Title = res.Status
		}
		if len(p.Faults) > 0 {
			return report{Faults: p.Faults}.print(os.Stdout)
		}
		if p.Detail != "" {
			p.Title = p.Detail
		}
		return failed(errors.New(safe(p.Title)))
	}
	if err := json.Unmarshal(body, out); err != nil {
		return failed(fmt.Errorf("the gateway's answer: %w", err))
	}
	return nil
}

// unreachable explains why nobody answers, with the exit code 69.
func (c control) unreachable(err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist):
		err = fmt.Errorf("no gateway is running: there is no socket %s (start it, or name another with --socket)", c.socket)
	case errors.Is(err, syscall.ECONNREFUSED):
		err = fmt.Errorf("no gateway listens on %s: it has stopped or crashed", c.socket)
	case errors.Is(err, os.ErrPermission):
		err = fmt.Errorf("not allowed to use %s: run this as root or as the user of the gateway", c.socket)
	}
	return &coded{exitUnreachable, err}
}
