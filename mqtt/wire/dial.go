package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Broker is where a broker listens.
type Broker struct {
	Host string // name or address, without brackets
	Port string
	TLS  bool
}

// ParseBroker reads mqtt://host:port or mqtts://host:port. The ports default
// to 1883 and 8883. Credentials in the URL are refused: they would show up in
// logs and pages.
func ParseBroker(s string) (Broker, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Broker{}, fmt.Errorf("%s is no URL", redacted(s))
	}
	b := Broker{Host: u.Hostname(), Port: u.Port()}
	switch u.Scheme {
	case "mqtt":
		b.Port = or(b.Port, "1883")
	case "mqtts":
		b.TLS, b.Port = true, or(b.Port, "8883")
	case "ws", "wss":
		return Broker{}, fmt.Errorf("%s: MQTT over websockets is not supported yet", redacted(s))
	default:
		return Broker{}, fmt.Errorf("%s does not begin with mqtt:// or mqtts://", redacted(s))
	}
	switch {
	case u.User != nil:
		return Broker{}, fmt.Errorf("%s has a user name or password in it", redacted(s))
	case b.Host == "":
		return Broker{}, fmt.Errorf("%s names no host", redacted(s))
	case strings.Contains(b.Host, ":") && !isAddress(b.Host):
		return Broker{}, fmt.Errorf("%s has more than a host and a port", redacted(s))
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
		return Broker{}, fmt.Errorf("%s has something behind the port", redacted(s))
	}
	if n, err := strconv.Atoi(b.Port); err != nil || n < 1 || n > 65535 {
		return Broker{}, fmt.Errorf("%s: port %s is not between 1 and 65535", redacted(s), b.Port)
	}
	return b, nil
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// redacted quotes a URL without what may be a password: what stands before an
// @, also where that is written as %40 or the scheme comes too late, what
// stands where a port should be, and a query.
func redacted(s string) string {
	const mask = "***"
	scheme := ""
	if at := strings.Index(s, "://"); at >= 0 && !strings.ContainsAny(s[:at], "@:/?#%") {
		scheme, s = s[:at+3], s[at+3:]
	}
	if at := max(strings.LastIndexByte(s, '@'), strings.LastIndex(s, "%40")); at >= 0 {
		s = mask + s[at:]
	}
	if at := strings.IndexAny(s, "?#"); at >= 0 {
		s = s[:at+1] + mask
	}
	end := strings.IndexAny(s+"/", "/?#")
	host, rest := s[:end], s[end:]
	port := strings.IndexByte(host, ']') + 1 // an address in brackets has colons of its own
	if at := strings.IndexByte(host[port:], ':'); at >= 0 && strings.Trim(host[port+at+1:], "0123456789") != "" {
		host = host[:port+at+1] + mask
	}
	return strconv.Quote(scheme + host + rest)
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// String is the broker as a URL.
func (b Broker) String() string {
	scheme := "mqtt"
	if b.TLS {
		scheme = "mqtts"
	}
	return scheme + "://" + net.JoinHostPort(b.Host, b.Port)
}

// TLS says how a broker proves who it is, and how we do. The files are read
// at every connect, so that a renewed certificate needs no restart.
type TLS struct {
	CAFile     string // PEM; empty: the certificates that the system trusts
	CertFile   string // PEM; empty: no client certificate
	KeyFile    string // PEM
	ServerName string // that the broker's certificate must carry; empty: the host of its URL
	Insecure   bool   // accept any certificate
}

// config returns what crypto/tls needs. TLS 1.2 is the least that is spoken.
func (t TLS) config(host string, clock func() time.Time) (*tls.Config, error) {
	c := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         or(t.ServerName, host),
		InsecureSkipVerify: t.Insecure,
		Time:               clock,
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("CA file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file %s holds no PEM certificate", t.CAFile)
		}
	}
	if t.CertFile != "" {
		if _, err := t.pair(nil); err != nil {
			return nil, err // here, because an error of the handshake would look like the broker's
		}
		c.GetClientCertificate = t.pair
	}
	return c, nil
}

// pair reads the client certificate, once for each handshake.
func (t TLS) pair(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("client certificate: %w", err)
	}
	return &cert, nil
}

// dial opens the socket and, for TLS, ends the handshake, all before ctx ends.
func dial(ctx context.Context, b Broker, t TLS, clock func() time.Time) (net.Conn, error) {
	if !b.TLS {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(b.Host, b.Port))
		return c, unreachable(err)
	}
	conf, err := t.config(b.Host, clock)
	if err != nil {
		return nil, &Error{Kind: Local, Err: err}
	}
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(b.Host, b.Port))
	if err != nil {
		return nil, unreachable(err)
	}
	c := tls.Client(raw, conf)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, handshakeError(err)
	}
	return c, nil
}

func unreachable(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer in time: %w", err)
	}
	return &Error{Kind: Unreachable, Err: err}
}

func handshakeError(err error) error {
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record):
		err = fmt.Errorf("no TLS is spoken there, is it a plain mqtt:// listener? %w", err)
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no end of the TLS handshake in time: %w", err)
	default:
		err = fmt.Errorf("TLS handshake: %w", err)
	}
	return dialError(err)
}
