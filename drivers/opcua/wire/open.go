package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uacp"
	"github.com/gopcua/opcua/uapolicy"
	"github.com/gopcua/opcua/uasc"

	"fieldferry/drivers"
	"fieldferry/drivers/opcua/trust"
)

// Open connects, opens the channel, and creates and activates a session. It
// ends with ctx. Its error wraps drivers.ErrLinkDown and says which step
// failed; a session that was half opened is closed again.
func Open(ctx context.Context, cfg Config) (*Session, error) {
	s := &Session{cfg: cfg, down: make(chan struct{})}
	// Before there is a session to close, the end of ctx cuts the wire.
	stop := context.AfterFunc(ctx, func() { s.fail(context.Cause(ctx)) })
	defer stop()
	if err := s.open(ctx); err != nil {
		if cause := s.Err(); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w (%w)", err, cause)
		}
		s.Close()
		if !errors.Is(err, drivers.ErrLinkDown) {
			err = fmt.Errorf("%w: %w", drivers.ErrLinkDown, err)
		}
		return nil, err
	}
	return s, nil
}

func (s *Session) open(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the OPC UA library panicked while connecting: %v", p)
		}
	}()
	conn, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", s.cfg.Endpoint, err)
	}
	if err := s.openChannel(ctx, conn); err != nil {
		return fmt.Errorf("open a secure channel: %w", s.channelHint(err))
	}
	created, err := s.createSession(ctx)
	if err != nil {
		return fmt.Errorf("create a session: %w", err)
	}
	if err := s.activate(ctx, created); err != nil {
		return fmt.Errorf("activate the session: %w", err)
	}
	return nil
}

// dial connects and exchanges HEL and ACK. The name is resolved on each
// attempt.
func (s *Session) dial(ctx context.Context) (*uacp.Conn, error) {
	u, err := url.Parse(s.cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
	c, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	tcp := c.(*net.TCPConn)
	if !s.own(tcp) {
		tcp.Close()
		return nil, s.Err()
	}
	conn, err := uacp.NewConn(tcp, &uacp.Acknowledge{ReceiveBufSize: ourBuffer, SendBufSize: ourBuffer, MaxMessageSize: ourMessage, MaxChunkCount: ourChunks})
	if err != nil {
		return nil, err
	}
	if err := conn.Handshake(ctx, s.cfg.Endpoint); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("hello: the server closed the connection: is it an OPC UA server?")
		}
		return nil, fmt.Errorf("hello: %w", err)
	}
	for _, size := range []uint32{conn.ReceiveBufSize(), conn.SendBufSize()} {
		if size < smallestBuffer || size > largestBuffer {
			return nil, fmt.Errorf("%w: the server announces a buffer of %d bytes", ErrProtocol, size)
		}
	}
	return conn, nil
}

// own takes the connection over; false when the session failed meanwhile.
func (s *Session) own(tcp *net.TCPConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tcp = tcp
	return s.cause == nil
}

func (s *Session) openChannel(ctx context.Context, conn *uacp.Conn) error {
	cfg := &uasc.Config{
		SecurityPolicyURI: ua.SecurityPolicyURINone,
		SecurityMode:      ua.MessageSecurityModeNone,
		Lifetime:          uint32(channelLifetime / time.Millisecond),
		RequestTimeout:    s.cfg.Timeout,
	}
	sec := s.cfg.Security
	if sec.secured() {
		cfg.SecurityPolicyURI, cfg.SecurityMode = sec.Policy, sec.Mode
		cfg.Certificate, cfg.LocalKey = sec.Own.Certificate, sec.Own.Key
		cfg.RemoteCertificate, cfg.Thumbprint = sec.Server, uapolicy.Thumbprint(sec.Server)
	}
	errs := make(chan error, 16)
	ch, err := uasc.NewSecureChannel(s.cfg.Endpoint, conn, cfg, errs)
	if err != nil {
		return err
	}
	s.channel = ch
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	done := make(chan error, 1)
	s.start(func() { s.watch(errs) })
	if !s.start(func() { done <- openRecovered(ctx, ch) }) {
		return s.gone()
	}
	select {
	case err = <-done:
	case <-s.down:
		return s.Err()
	case <-ctx.Done():
		return fmt.Errorf("%w: the server is silent", ErrTimeout)
	}
	// The library copies the certificate of any OPN message over ours before
	// it looks at it.
	if err == nil && sec.secured() && !bytes.Equal(cfg.RemoteCertificate, sec.Server) && !trust.Same(sec.Server, cfg.RemoteCertificate) {
		return fmt.Errorf("the server shows another certificate than the pinned one: got %s, want %s",
			trust.Thumbprint(cfg.RemoteCertificate), trust.Thumbprint(sec.Server))
	}
	return err
}

func openRecovered(ctx context.Context, ch *uasc.SecureChannel) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the OPC UA library panicked: %v", p)
		}
	}()
	return ch.Open(ctx)
}

// channelHint explains the two ways in which servers refuse a certificate:
// the library hides their error message and shows the closed connection
// alone.
func (s *Session) channelHint(err error) error {
	var status ua.StatusCode
	closed := errors.Is(err, io.EOF) || s.Err() != nil
	if s.cfg.Security.secured() && (closed || errors.As(err, &status)) {
		return fmt.Errorf("%w: the server may not trust our certificate (SHA-256 %s), offer another policy, or have another certificate than the pinned one",
			explain(err), trust.Thumbprint(s.cfg.Security.Own.Certificate))
	}
	return explain(err)
}
