package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uacp"
	"github.com/gopcua/opcua/uasc"

	"fieldferry/drivers"
)

// ErrTimeout is wrapped by an error when the server did not answer a request
// in time; the session goes on until a second request in a row stays without
// an answer.
var ErrTimeout = errors.New("no answer in time")

// ErrProtocol is wrapped by an error when an answer cannot be what was asked
// for: another type, fewer results, undecodable bytes.
var ErrProtocol = errors.New("protocol error")

// ErrDecode is the ErrProtocol of an answer that the library could not
// decode: a request for less may succeed.
var ErrDecode = fmt.Errorf("%w: answer cannot be decoded", ErrProtocol)

// silentRequests is how many requests in a row may time out, with nothing at
// all heard between them, until the connection counts as lost.
const silentRequests = 2

// Session is an activated session. It is made by Open.
type Session struct {
	cfg     Config
	tcp     *net.TCPConn
	channel *uasc.SecureChannel
	token   *ua.NodeID // authentication token; set before the session is shared
	rtt     time.Duration
	revised time.Duration // how long the server keeps the session
	down    chan struct{} // closed by fail, once

	mu      sync.Mutex // guards the fields below
	cause   error      // why the session is down; wraps drivers.ErrLinkDown
	silent  int        // requests in a row without an answer
	shut    bool       // no further goroutine may start
	running sync.WaitGroup

	closing sync.Once
}

// answer is what came back for one request.
type answer struct {
	resp ua.Response
	err  error
}

// Send sends a request and waits for its answer, at most for timeout. Its
// error wraps drivers.ErrLinkDown when the connection is lost, ErrTimeout,
// ErrProtocol, or the ua.StatusCode that the server refused the request with;
// when ctx ends it is ctx's. req must not be used again.
func (s *Session) Send(caller context.Context, req ua.Request, timeout time.Duration) (ua.Response, error) {
	ctx, cancel := context.WithTimeout(caller, timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, s.hurried(caller, req)
	}
	done := make(chan answer, 1)
	if !s.start(func() { done <- s.exchange(req, timeout) }) {
		return nil, s.gone()
	}
	select {
	case a := <-done:
		return s.judge(caller, req, a)
	case <-s.down:
		return nil, s.Err()
	case <-ctx.Done():
		return s.judge(caller, req, answer{err: ctx.Err()})
	}
}

// Call sends a request and wants an answer of one type.
func Call[R ua.Response](ctx context.Context, s Sender, req ua.Request, timeout time.Duration) (R, error) {
	var none R
	resp, err := s.Send(ctx, req, timeout)
	if err != nil {
		return none, err
	}
	r, ok := resp.(R)
	if !ok {
		return none, fmt.Errorf("%w: %T answered by %T", ErrProtocol, req, resp)
	}
	return r, nil
}

// Sender is what Call needs of a Session.
type Sender interface {
	Send(ctx context.Context, req ua.Request, timeout time.Duration) (ua.Response, error)
}

// start runs f on a goroutine that Close waits for; false when the session is
// closed.
func (s *Session) start(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut || s.cause != nil {
		return false
	}
	s.running.Go(f)
	return true
}

// exchange runs one request in the library. It is on a goroutine of its own
// because the library waits for locks and writes without looking at a
// context, and it is given none that can end: between counting a message and
// sending it the library looks at the context, and a number that is counted
// and not sent makes servers close the connection.
func (s *Session) exchange(req ua.Request, timeout time.Duration) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			s.fail(fmt.Errorf("the OPC UA library panicked on %T: %v", req, p))
			a = answer{err: s.Err()}
		}
	}()
	a.err = s.channel.SendRequestWithTimeout(context.Background(), req, s.token, timeout, func(r ua.Response) error {
		a.resp = r
		return nil
	})
	return a
}

// judge sorts what came back and keeps count of silence.
func (s *Session) judge(caller context.Context, req ua.Request, a answer) (ua.Response, error) {
	var status ua.StatusCode
	var network net.Error
	switch {
	case a.err == nil && a.resp == nil:
		s.heard()
		return nil, fmt.Errorf("%w: %T answered by nothing", ErrProtocol, req)
	case a.err == nil:
		s.heard()
		return a.resp, nil
	case errors.Is(a.err, context.DeadlineExceeded) || errors.Is(a.err, context.Canceled):
		return nil, s.hurried(caller, req)
	case errors.Is(a.err, drivers.ErrLinkDown):
		return nil, a.err
	case errors.Is(a.err, io.EOF) || errors.As(a.err, &network) || errors.Is(a.err, net.ErrClosed):
		s.fail(a.err)
		return nil, s.Err()
	case errors.As(a.err, &status):
		return nil, s.refused(req, status)
	}
	s.heard()
	return nil, fmt.Errorf("%w: %T: %w", ErrDecode, req, a.err)
}

// refused sorts the status that a server, or the library in its place,
// refused a request with.
func (s *Session) refused(req ua.Request, status ua.StatusCode) error {
	if status == ua.StatusBadTimeout {
		return s.timedOut(req)
	}
	s.heard()
	if fatal[status] {
		s.fail(status)
		return s.Err()
	}
	return status
}

// fatal are the refusals after which the session or its channel is of no
// further use.
var fatal = map[ua.StatusCode]bool{
	ua.StatusBadSessionIDInvalid:          true,
	ua.StatusBadSessionClosed:             true,
	ua.StatusBadSessionNotActivated:       true,
	ua.StatusBadSecureChannelIDInvalid:    true,
	ua.StatusBadSecureChannelClosed:       true,
	ua.StatusBadSecureChannelTokenUnknown: true,
	ua.StatusBadSecurityChecksFailed:      true,
	ua.StatusBadConnectionClosed:          true,
	ua.StatusBadConnectionRejected:        true,
	ua.StatusBadServerNotConnected:        true,
	ua.StatusBadServerHalted:              true,
	ua.StatusBadShutdown:                  true,
	ua.StatusBadTCPInternalError:          true,
	ua.StatusBadTCPSecureChannelUnknown:   true,
}

// heard notes that the server is there.
func (s *Session) heard() {
	s.mu.Lock()
	s.silent = 0
	s.mu.Unlock()
}

// hurried is the error of a request whose time is over. Where it was the
// caller's own, it says nothing about the server.
func (s *Session) hurried(caller context.Context, req ua.Request) error {
	if err := caller.Err(); err != nil {
		return err
	}
	return s.timedOut(req)
}

// timedOut counts a request without an answer. A Publish may wait for long
// and is watched by its subscription's keep-alives instead.
func (s *Session) timedOut(req ua.Request) error {
	if _, publish := req.(*ua.PublishRequest); !publish {
		s.mu.Lock()
		s.silent++
		silent := s.silent
		s.mu.Unlock()
		if silent >= silentRequests {
			s.Fail(fmt.Errorf("server silent: %d requests in a row without an answer", silent))
			return s.Err()
		}
	}
	return fmt.Errorf("%w: %T", ErrTimeout, req)
}

// Fail ends the session for a reason that the caller found: a watchdog, an
// answer that shows it to be unusable. The first reason counts.
func (s *Session) Fail(cause error) { s.fail(cause) }

func (s *Session) fail(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil {
		return
	}
	if !errors.Is(cause, drivers.ErrLinkDown) {
		cause = fmt.Errorf("%w: %w", drivers.ErrLinkDown, explain(cause))
	}
	s.cause = cause
	close(s.down)
	if s.tcp != nil {
		s.tcp.Close() // unblocks whatever waits for the wire
	}
}

// explain gives words to the library's bare EOF.
func explain(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the server closed the connection")
	}
	return err
}

// Down is closed when the session is lost or closed.
func (s *Session) Down() <-chan struct{} { return s.down }

// Err tells why the session is down; nil while it is up. It wraps
// drivers.ErrLinkDown.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// gone is why nothing can be sent any more.
func (s *Session) gone() error {
	if err := s.Err(); err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", drivers.ErrLinkDown, errClosed)
}

// Timeout is how long the server keeps the session without a request.
func (s *Session) Timeout() time.Duration { return s.revised }

// RoundTrip is how long the server took to answer the first plain request.
func (s *Session) RoundTrip() time.Duration { return s.rtt }

// watch waits for the library's report that the connection is lost, so that
// it is noticed while no request is under way.
func (s *Session) watch(errs <-chan error) {
	for {
		select {
		case err := <-errs:
			var wire *uacp.Error
			if errors.Is(err, io.EOF) || errors.As(err, &wire) {
				s.fail(err)
				return
			}
		case <-s.down:
			return
		}
	}
}

// Close ends the session in order, within two seconds, else abandons it. It
// interrupts calls under way and may be called more than once.
func (s *Session) Close() error {
	s.closing.Do(s.close)
	return nil
}

func (s *Session) close() {
	if s.token != nil && s.Err() == nil {
		ctx, cancel := context.WithTimeout(context.Background(), closing)
		_, _ = s.Send(ctx, &ua.CloseSessionRequest{DeleteSubscriptions: true}, closing) // a courtesy: the server's timeout does it too
		cancel()
	}
	s.mu.Lock()
	s.shut = true
	if s.channel != nil {
		s.running.Go(s.closeChannel)
	}
	s.mu.Unlock()
	s.hangUp()
	s.running.Wait()
}

// closeChannel tells the server, where it can, and ends the library's timers.
func (s *Session) closeChannel() {
	defer func() { _ = recover() }()
	s.channel.Close()
	s.fail(errClosed)
}

var errClosed = errors.New("closed by us")

// hangUp closes the TCP connection once the channel is closed, or when that
// takes too long.
func (s *Session) hangUp() {
	if s.channel == nil {
		s.fail(errClosed)
		return
	}
	t := time.NewTimer(closing / 2)
	defer t.Stop()
	select {
	case <-s.down:
	case <-t.C:
		s.fail(errClosed)
	}
}
