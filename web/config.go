package web

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"fieldferry/tag"
)

// Config is the web part of gateway.yaml.
type Config struct {
	// Listen is the loopback address and port of the page, plain HTTP.
	// Default 127.0.0.1:8443. Port 0 takes a free one.
	Listen string `yaml:"listen"`
}

// Default returns the configuration of a gateway that says nothing about its
// page.
func Default() Config { return Config{Listen: "127.0.0.1:8443"} }

// Validate returns tag.Faults, or nil.
func (c Config) Validate() error {
	var f tag.Faults
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return append(f, tag.Fault{Path: "listen", Text: fmt.Sprintf("%q is not an address with a port", c.Listen), Hint: "write 127.0.0.1:8443"}).Err()
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		f = append(f, tag.Fault{Path: "listen", Text: fmt.Sprintf("port %q is not a number from 0 to 65535", port), Hint: "write 127.0.0.1:8443"})
	} else if !loopback(host) {
		f = append(f, tag.Fault{
			Path: "listen",
			Text: fmt.Sprintf("%q can be reached from the network, and the page has no login yet: it listens on loopback only", c.Listen),
			Hint: fmt.Sprintf("write 127.0.0.1:%d, and open the page from elsewhere through ssh -L %d:127.0.0.1:%d HOST", n, n, n),
		})
	}
	return f.Err()
}

// Listen opens the listener of a valid configuration.
func Listen(c Config) (net.Listener, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for the page on %s: %w", c.Listen, err)
	}
	return ln, nil
}

// loopback says whether a host, a name or an address without port and
// brackets, is this machine for certain.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Zone() == "" && a.Unmap().IsLoopback()
}
