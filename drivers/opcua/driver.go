package opcua

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/opcua/trust"
	"fieldferry/drivers/opcua/wire"
	"fieldferry/tag"
)

func init() { drivers.Register("opcua", Driver{}) }

// Driver is the OPC UA driver. It has no state.
type Driver struct{}

// Options returns the options with their defaults. A device adds none.
func (Driver) Options() drivers.Options {
	return drivers.Options{Link: newLinkOptions(), Tag: newTagOptions()}
}

// Check finds every fault of a link, its devices and tags. It reads no file.
func (Driver) Check(l *tag.Link) []drivers.Fault { return check(l) }

// Open connects to the server, activates a session, and reads the namespaces
// and limits of the server.
func (Driver) Open(ctx context.Context, l *tag.Link, log *slog.Logger) (drivers.Conn, error) {
	cfg, err := sessionConfig(l, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", drivers.ErrLinkDown, err)
	}
	s, err := wire.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	c := newConn(l, s, log)
	if err := c.introduce(ctx); err != nil {
		c.Close()
		return nil, err
	}
	c.start()
	return c, nil
}

// sessionConfig reads the files that a link names. They are read on every
// attempt, so that a replaced one takes effect.
func sessionConfig(l *tag.Link, now time.Time) (wire.Config, error) {
	o := linkOptions(l)
	host, err := os.Hostname()
	if err != nil {
		host = "gateway"
	}
	cfg := wire.Config{
		Endpoint:       l.Endpoint,
		Name:           "fieldferry " + l.Name,
		ApplicationURI: trust.URI(host),
		Timeout:        o.Timeout,
		Session:        max(sessionLifetime, 3*o.Timeout),
	}
	if o.Security.Policy != "none" {
		if cfg.Security, err = security(o.Security, host, now); err != nil {
			return cfg, err
		}
		cfg.ApplicationURI = cfg.Security.Own.URI
	}
	if o.Auth.Username != "" {
		password, err := readPassword(o.Auth.PasswordFile)
		if err != nil {
			return cfg, err
		}
		cfg.User = wire.User{Name: o.Auth.Username, Password: password, AllowPlain: o.Auth.AllowUnencrypted}
	}
	return cfg, nil
}

func security(s Security, host string, now time.Time) (wire.Security, error) {
	policy, known := policies[s.Policy]
	mode, knownMode := modes[s.Mode]
	if !known || !knownMode {
		return wire.Security{}, fmt.Errorf("security policy %q with mode %q is not known", s.Policy, s.Mode)
	}
	server, err := trust.Server(s.ServerCertFile, now)
	if err != nil {
		return wire.Security{}, err
	}
	own, err := trust.Own(s.OwnCertDir, host, now)
	if err != nil {
		return wire.Security{}, err
	}
	return wire.Security{Policy: policy, Mode: mode, Server: server, Own: own}, nil
}

// maxPassword bounds what is read as a password.
const maxPassword = 4096

// readPassword returns the first line of a file.
func readPassword(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPassword))
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}
