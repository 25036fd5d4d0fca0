package wire

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// Kind is what sort of end a connection had, or why there was none.
type Kind uint8

// The kinds.
const (
	Unreachable Kind = iota // no name, no route, refused, or no answer in time
	BadTLS                  // no TLS spoken, or one side refuses the other's certificate
	NotMQTT                 // something answers, but it is no broker
	Only311                 // a broker that does not speak MQTT 5
	Refused                 // the broker refused CONNECT or SUBSCRIBE; Code says why
	Closed                  // the broker closed the connection without a word
	Dismissed               // the broker sent DISCONNECT; Code says why
	Silent                  // the broker neither answers pings nor takes bytes
	Broken                  // the broker sent what the standard does not allow
	Local                   // something on this side: a file that cannot be read, a limit, our own close
)

// Error is why a connection could not be made, or why it ended.
type Error struct {
	Kind   Kind
	Code   Code   // of the broker, for Refused and Dismissed
	Reason string // the broker's own words, if it sent any
	Err    error  // what happened, in our words or the system's; nil for Refused and Dismissed
}

func (e *Error) Error() string {
	var b strings.Builder
	switch e.Kind {
	case Refused:
		b.WriteString("refused by the broker: " + e.Code.String())
	case Dismissed:
		b.WriteString("disconnected by the broker: " + e.Code.String())
	}
	if e.Err != nil {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	if e.Reason != "" {
		b.WriteString(", it says " + quote(e.Reason))
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// quote quotes what a broker sent, cut to a length that fits a log line.
func quote(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.ToValidUTF8(`"`+strings.NewReplacer("\n", " ", "\r", " ", `"`, "'").Replace(s)+`"`, "?")
}

// broken makes an Error of something the standard does not allow.
func broken(err error) *Error { return &Error{Kind: Broken, Err: err} }

// errClosedByUs is the cause of a connection that was ended from this side.
var errClosedByUs = &Error{Kind: Local, Err: errors.New("closed by the gateway")}

// dialError sorts an error of the dialer or of the TLS handshake.
func dialError(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	if isTLS(err) {
		return &Error{Kind: BadTLS, Err: err}
	}
	return &Error{Kind: Unreachable, Err: err}
}

// ioError sorts an error of a read or write on an open connection.
func ioError(err error) *Error {
	var known *Error
	switch {
	case errors.As(err, &known):
		return known
	case isTLS(err):
		return &Error{Kind: BadTLS, Err: err}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &Error{Kind: Silent, Err: errors.New("the broker takes no more bytes")}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Kind: Closed, Err: errors.New("closed by the broker without a word")}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return &Error{Kind: Closed, Err: errors.New("reset by the broker without a word")}
	}
	return &Error{Kind: Unreachable, Err: err}
}

// isTLS says that err comes from TLS itself: a certificate that one side does
// not accept, or a peer that does not speak it. An alert of the peer arrives
// as a net.OpError of its own kind.
func isTLS(err error) bool {
	var (
		verify *tls.CertificateVerificationError
		record tls.RecordHeaderError
		host   x509.HostnameError
		op     *net.OpError
	)
	if errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &host) {
		return true
	}
	return errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
}
