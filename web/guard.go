package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"fieldferry/web/api"
)

// maxBody is the largest body that is read, in bytes: a draft of thousands
// of changes.
const maxBody = 1 << 20

// guard puts the gate in front of next; see the package comment.
func guard(next http.Handler, log *slog.Logger) http.Handler {
	next = buffered(next)
	next = sameOrigin(next)
	next = ownHost(next)
	next = headers(next)
	return recovered(next, log)
}

// recovered turns a panic into an answer: the gateway runs on.
func recovered(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p)
			default:
				api.Internal(log, r.Method+" "+r.URL.Path, p).Write(w)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

type nonceKey struct{}

func nonce(ctx context.Context) string {
	n, _ := ctx.Value(nonceKey{}).(string)
	return n
}

// headers sets what every answer carries, and the nonce of the page.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := rand.Text()
		h := w.Header()
		h.Set("Content-Security-Policy", strings.Join([]string{
			"default-src 'none'",
			"script-src 'self' 'nonce-" + n + "'",
			"style-src 'self' 'nonce-" + n + "'",
			"img-src 'self' data:",
			"connect-src 'self'",
			"manifest-src 'self'",
			"base-uri 'none'",
			"form-action 'none'",
			"frame-ancestors 'none'",
		}, "; "))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), usb=(), serial=()")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), nonceKey{}, n)))
	})
}

// ownHost refuses a Host that is not this machine: a foreign name that was
// made to point at loopback (DNS rebinding) would otherwise be same-origin.
func ownHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if !loopback(strings.Trim(host, "[]")) {
			api.NewProblem(http.StatusMisdirectedRequest,
				fmt.Sprintf("this gateway is not called %q: open it as http://127.0.0.1 or http://localhost, through ssh -L from another machine", r.Host)).Write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// sameOrigin refuses requests that a foreign page makes: all that change
// something, and everything below /api, since a read may ask a device.
func sameOrigin(next http.Handler) http.Handler {
	var writes http.CrossOriginProtection
	writes.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { foreignPage().Write(w) }))
	guarded := writes.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site := r.Header.Get("Sec-Fetch-Site")
		foreign := site != "" && site != "same-origin" && site != "none"
		if o := r.Header.Get("Origin"); o != "" && o != "http://"+r.Host {
			foreign = true
		}
		inside := strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Path == "/metrics"
		if foreign && inside {
			foreignPage().Write(w)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

func foreignPage() *api.Problem {
	return api.NewProblem(http.StatusForbidden, "this request comes from another page than the gateway's own")
}

// buffered reads the body before anything is done, within the server's read
// timeout, and then lifts that timeout: it would otherwise end the context of
// a request that waits for a device, and of every stream.
func buffered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			api.NewProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody)).Write(w)
			return
		case err != nil:
			api.NewProblem(http.StatusRequestTimeout, "the body did not arrive in full and in time").Write(w)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		// A writer that has no deadlines, in a test, needs none lifted.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		next.ServeHTTP(w, r)
	})
}
