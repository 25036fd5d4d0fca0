package wire

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
	"go.uber.org/goleak"

	"fieldferry/drivers"
	"fieldferry/drivers/opcua/scripted"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

func config(endpoint string) Config {
	return Config{Endpoint: endpoint, Name: "test", ApplicationURI: "urn:test", Timeout: 2 * time.Second, Session: time.Minute}
}

func open(t *testing.T, cfg Config) *Session {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

var nodes = scripted.Nodes{"i=1": scripted.Value(int32(7))}

func read() *ua.ReadRequest {
	return &ua.ReadRequest{NodesToRead: []*ua.ReadValueID{{NodeID: ua.NewNumericNodeID(0, 1), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}}}}
}

// wantSeven reads a node and wants its value.
func wantSeven(t *testing.T, s *Session) {
	t.Helper()
	r, err := Call[*ua.ReadResponse](t.Context(), s, read(), patience)
	if err != nil || len(r.Results) != 1 || r.Results[0].Value.Value() != int32(7) {
		t.Errorf("read: got %v, %v, want 7", r, err)
	}
}

func wantLinkDown(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, drivers.ErrLinkDown) {
		t.Errorf("%s: got %v, want an error that wraps ErrLinkDown", what, err)
	}
}

func TestOpenReadClose(t *testing.T) {
	srv := scripted.Start(t, nodes.Handle)
	s := open(t, config(srv.Endpoint))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { wantSeven(t, s) })
	}
	wg.Wait()
	if s.Timeout() != time.Minute || s.RoundTrip() <= 0 {
		t.Errorf("timeout %v and round trip %v, want 1m and more than 0", s.Timeout(), s.RoundTrip())
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if n := srv.Seen("CloseSession"); n != 1 {
		t.Errorf("the session was closed %d times, want 1", n)
	}
	_, err := s.Send(t.Context(), read(), patience)
	wantLinkDown(t, "send after close", err)
	select {
	case <-s.Down():
	default:
		t.Error("Down is open after Close")
	}
}

// TestHurriedCaller: a caller that gives up does no harm, neither to the
// stream of messages nor to the opinion of the server.
func TestHurriedCaller(t *testing.T) {
	release := make(chan struct{})
	srv := scripted.Start(t, func(req ua.Request) ua.Response {
		if _, slow := req.(*ua.ReadRequest); slow {
			<-release
		}
		return nodes.Handle(req)
	})
	s := open(t, config(srv.Endpoint))
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		if _, err := s.Send(ctx, read(), patience); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrTimeout) {
			t.Errorf("send: got %v, want the caller's deadline", err)
		}
		cancel()
		if _, err := s.Send(ctx, read(), patience); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("send with an ended context: got %v, want its error", err)
		}
	}
	close(release)
	wantSeven(t, s)
}

// TestSilence: one request without an answer is a timeout, two in a row are
// the end.
func TestSilence(t *testing.T) {
	silent := make(chan struct{})
	srv := scripted.Start(t, func(req ua.Request) ua.Response {
		if _, asked := req.(*ua.ReadRequest); asked {
			select {
			case <-silent:
				return nil
			default:
			}
		}
		return nodes.Handle(req)
	})
	s := open(t, config(srv.Endpoint))
	wantSeven(t, s)
	close(silent)
	if _, err := s.Send(t.Context(), read(), 20*time.Millisecond); !errors.Is(err, ErrTimeout) || errors.Is(err, drivers.ErrLinkDown) {
		t.Errorf("first: got %v, want ErrTimeout", err)
	}
	_, err := s.Send(t.Context(), read(), 20*time.Millisecond)
	wantLinkDown(t, "second", err)
	start := time.Now()
	s.Close()
	if took := time.Since(start); took > patience/2 {
		t.Errorf("close of a lost session took %v", took)
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name   string
		answer ua.Response
		fatal  bool
		want   error
	}{
		{"a fault", scripted.Fault(ua.StatusBadTooManyOperations), false, ua.StatusBadTooManyOperations},
		{"session gone", scripted.Fault(ua.StatusBadSessionIDInvalid), true, drivers.ErrLinkDown},
		{"shutdown", scripted.Fault(ua.StatusBadShutdown), true, drivers.ErrLinkDown},
		{"a timeout of the server's", scripted.Fault(ua.StatusBadTimeout), false, ErrTimeout},
		{"another type", &ua.WriteResponse{}, false, ErrProtocol},
	}
	for _, tc := range tests {
		first := true
		srv := scripted.Start(t, func(req ua.Request) ua.Response {
			if _, asked := req.(*ua.ReadRequest); asked && first {
				first = false
				return tc.answer
			}
			return nodes.Handle(req)
		})
		s := open(t, config(srv.Endpoint))
		_, err := Call[*ua.ReadResponse](t.Context(), s, read(), patience)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
		if down := s.Err() != nil; down != tc.fatal {
			t.Errorf("%s: session down %v (%v), want %v", tc.name, down, s.Err(), tc.fatal)
		}
		if !tc.fatal {
			wantSeven(t, s)
		}
	}
}

func TestCutIsNoticed(t *testing.T) {
	srv := scripted.Start(t, nodes.Handle)
	s := open(t, config(srv.Endpoint))
	srv.Cut()
	select {
	case <-s.Down():
		wantLinkDown(t, "cause", s.Err())
	case <-time.After(patience):
		t.Error("a cut connection was not noticed without a request")
	}
}

// TestOpenFaults: a server that goes wrong while the session is made. The
// session is closed where it exists.
func TestOpenFaults(t *testing.T) {
	tests := []struct {
		name   string
		user   string
		answer func(req ua.Request) (ua.Response, bool)
		want   string
		closed int
	}{
		{"no session", "", func(r ua.Request) (ua.Response, bool) {
			_, is := r.(*ua.CreateSessionRequest)
			return scripted.Fault(ua.StatusBadTooManySessions), is
		}, "create a session", 0},
		{"a session of another type", "", func(r ua.Request) (ua.Response, bool) {
			_, is := r.(*ua.CreateSessionRequest)
			return &ua.ReadResponse{}, is
		}, "protocol error", 0},
		{"user refused", "x", func(r ua.Request) (ua.Response, bool) {
			_, is := r.(*ua.ActivateSessionRequest)
			return scripted.Fault(ua.StatusBadUserAccessDenied), is
		}, "no way to send a password", 1},
		{"activation refused", "", func(r ua.Request) (ua.Response, bool) {
			_, is := r.(*ua.ActivateSessionRequest)
			return scripted.Fault(ua.StatusBadUserAccessDenied), is
		}, "activate the session", 1},
		{"silence", "", func(r ua.Request) (ua.Response, bool) {
			_, is := r.(*ua.CreateSessionRequest)
			return nil, is
		}, "no answer in time", 0},
	}
	for _, tc := range tests {
		srv := scripted.Start(t, func(req ua.Request) ua.Response {
			if resp, is := tc.answer(req); is {
				return resp
			}
			return nodes.Handle(req)
		})
		cfg := config(srv.Endpoint)
		cfg.Timeout = 300 * time.Millisecond
		cfg.User = User{Name: tc.user, Password: "p"}
		_, err := Open(t.Context(), cfg)
		wantLinkDown(t, tc.name, err)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error with %q", tc.name, err, tc.want)
		}
		if n := srv.Seen("CloseSession"); n != tc.closed {
			t.Errorf("%s: the session was closed %d times, want %d", tc.name, n, tc.closed)
		}
	}
}

// hello is a server that answers the hello with some bytes and then reads on.
func hello(t *testing.T, answer []byte, hangUp bool) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b := make([]byte, 4096)
		if _, err := c.Read(b); err != nil || hangUp {
			return
		}
		_, _ = c.Write(answer)
		for err == nil {
			_, err = c.Read(b)
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return "opc.tcp://" + l.Addr().String()
}

// ack is an ACK message with the given buffer sizes.
func ack(receive, send uint32) []byte {
	b := append([]byte("ACKF"), 28, 0, 0, 0, 0, 0, 0, 0)
	for _, n := range []uint32{receive, send, 0, 0} {
		b = append(b, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	}
	return b
}

func TestHello(t *testing.T) {
	tests := []struct {
		name   string
		answer []byte
		hangUp bool
		want   string
	}{
		{"silence", nil, false, "timeout"},
		{"hangs up", nil, true, "is it an OPC UA server"},
		{"another protocol", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), false, "hello"},
		{"ERR", append([]byte("ERRF"), 16, 0, 0, 0, 0, 0, 0x83, 0x80, 0xff, 0xff, 0xff, 0xff), false, "hello"},
		{"torn", []byte("ACKF\x1c\x00\x00\x00\x00"), false, "timeout"},
		{"size 0", []byte("ACKF\x00\x00\x00\x00"), false, "hello"},
		{"no receive buffer", ack(0, 65535), false, "buffer of 0 bytes"},
		{"tiny send buffer", ack(65535, 4), false, "buffer of 4 bytes"},
		{"huge buffer", ack(1<<31-1, 65535), false, "buffer of 2147483647 bytes"},
		{"silence after the hello", ack(65535, 65535), false, "silent"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			cfg := config(hello(t, tc.answer, tc.hangUp))
			cfg.Timeout = 200 * time.Millisecond
			_, err := Open(t.Context(), cfg)
			wantLinkDown(t, "open", err)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// TestOpenCancelled: the end of the context ends the attempt at once, at any
// step.
func TestOpenCancelled(t *testing.T) {
	for name, endpoint := range map[string]string{"hello": hello(t, nil, false), "channel": hello(t, ack(65535, 65535), false)} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		cfg := config(endpoint)
		cfg.Timeout = time.Hour
		start := time.Now()
		_, err := Open(ctx, cfg)
		cancel()
		wantLinkDown(t, name, err)
		if took := time.Since(start); took > patience {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func TestChoose(t *testing.T) {
	const none = ua.SecurityPolicyURINone
	const b256 = ua.SecurityPolicyURIBasic256Sha256
	const a256 = ua.SecurityPolicyURIAes256Sha256RsaPss
	const sign, encrypt = ua.MessageSecurityModeSign, ua.MessageSecurityModeSignAndEncrypt
	tests := []struct {
		name   string
		sec    Security
		plain  bool
		offers []string // policies of the offers
		want   int      // its number; -1: none
	}{
		{"open channel", Security{}, false, []string{none, b256}, -1},
		{"open channel, allowed, encrypted", Security{}, true, []string{none, b256, a256}, 2},
		{"open channel, allowed, plain", Security{}, true, []string{none}, 0},
		{"open channel, allowed, unnamed", Security{}, true, []string{""}, 0},
		{"open channel, broken policy only", Security{}, true, []string{ua.SecurityPolicyURIBasic128Rsa15}, -1},
		{"signed, unnamed is the channel's", Security{Policy: b256, Mode: sign}, false, []string{""}, 0},
		{"signed, plain", Security{Policy: b256, Mode: sign}, false, []string{none}, -1},
		{"signed, plain allowed", Security{Policy: b256, Mode: sign}, true, []string{none}, 0},
		{"encrypted, plain inside", Security{Policy: b256, Mode: encrypt}, false, []string{none}, 0},
		{"encrypted, better first", Security{Policy: b256, Mode: encrypt}, false, []string{none, "", a256}, 2},
		{"nothing", Security{Policy: b256, Mode: encrypt}, true, nil, -1},
	}
	for _, tc := range tests {
		s := &Session{cfg: Config{Security: tc.sec, User: User{Name: "u", AllowPlain: tc.plain}}}
		var offers []*ua.UserTokenPolicy
		for _, p := range tc.offers {
			offers = append(offers, &ua.UserTokenPolicy{SecurityPolicyURI: p})
		}
		got := -1
		for i, o := range offers {
			if o == s.choose(offers) {
				got = i
			}
		}
		if got != tc.want {
			t.Errorf("%s: offers %q: got %d, want %d", tc.name, tc.offers, got, tc.want)
		}
	}
}
