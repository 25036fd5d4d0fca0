package modbus

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"fieldferry/tag"
)

// endpoint is where a link leads; one of the first three is set.
type endpoint struct {
	address string     // host:port of a TCP connection
	port    string     // path of a serial port
	listen  string     // host:port where the device dials in
	from    netip.Addr // with listen: its address, where that is said
}

// endpoint reads the endpoint of a link: tcp://host or tcp://host:port for
// Modbus TCP; tcp://host:port or the path of a serial port for RTU and ASCII;
// for all of them listen://host:port, where the device dials in.
func (d *driver) endpoint(s string) (endpoint, *tag.Fault) {
	fault := func(hint, format string, args ...any) (endpoint, *tag.Fault) {
		return endpoint{}, &tag.Fault{Path: "endpoint", Text: fmt.Sprintf(format, args...), Hint: hint}
	}
	kind, rest, url := strings.Cut(s, "://")
	switch {
	case s == "":
		return fault(d.endpointHint(), "an endpoint is missing")
	case url && kind == "tcp":
		e, err := d.tcpEndpoint(rest)
		if err != nil {
			return fault(d.endpointHint(), "endpoint %q %v", s, err)
		}
		return e, nil
	case url && kind == "listen":
		e, err := listenEndpoint(rest)
		if err != nil {
			return fault("write listen://:5020, or listen://:5020?from=10.1.0.7 where several devices dial in there", "endpoint %q %v", s, err)
		}
		return e, nil
	case strings.HasPrefix(s, "/") && d.serial():
		return endpoint{port: s}, nil
	case strings.HasPrefix(s, "/"):
		return fault("for a serial line use driver modbus-rtu or modbus-ascii; for TCP write tcp://host:502", "endpoint %q is a serial port", s)
	case url:
		return fault(d.endpointHint(), "endpoint %q is of an unknown kind", s)
	}
	return fault(d.endpointHint(), "endpoint %q does not say what it is", s)
}

func (d *driver) endpointHint() string {
	if d.serial() {
		return "write the path of a serial port, best /dev/serial/by-id/..., or tcp://host:port of a converter"
	}
	return "write tcp://host or tcp://host:502"
}

// listenEndpoint reads host:port, or host:port?from=address.
func listenEndpoint(s string) (endpoint, error) {
	where, query, asked := strings.Cut(s, "?")
	host, port, err := net.SplitHostPort(where)
	if err != nil {
		return endpoint{}, fmt.Errorf("has no port")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return endpoint{}, fmt.Errorf("has the port %q, outside 1-65535", port)
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil {
		return endpoint{}, fmt.Errorf("listens at %q, which is not an address of this machine", host)
	}
	e := endpoint{listen: net.JoinHostPort(host, port)}
	if !asked {
		return e, nil
	}
	from, ok := strings.CutPrefix(query, "from=")
	if e.from, err = netip.ParseAddr(from); !ok || err != nil {
		return endpoint{}, fmt.Errorf("ends with %q, which is not from= and an address", query)
	}
	return e, nil
}

func (d *driver) tcpEndpoint(s string) (endpoint, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil && !d.serial() && !strings.HasSuffix(s, ":") {
		bare := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
		if bare == s && strings.Contains(s, ":") {
			return endpoint{}, fmt.Errorf("has an IPv6 address without brackets")
		}
		host, port, err = bare, "502", nil
	}
	if err != nil {
		return endpoint{}, fmt.Errorf("has no port")
	}
	if host == "" || strings.ContainsAny(host, "/@ ") {
		return endpoint{}, fmt.Errorf("has no usable host: %q", host)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return endpoint{}, fmt.Errorf("has the port %q, outside 1-65535", port)
	}
	return endpoint{address: net.JoinHostPort(host, port)}, nil
}
