package modbus

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"fieldferry/tag"
)

// endpoint is where a link leads.
type endpoint struct {
	address string // host:port of a TCP connection
	port    string // path of a serial port; one of the two is set
}

// endpoint reads the endpoint of a link: tcp://host or tcp://host:port for
// Modbus TCP; tcp://host:port or the path of a serial port for RTU.
func (d *driver) endpoint(s string) (endpoint, *tag.Fault) {
	fault := func(hint, format string, args ...any) (endpoint, *tag.Fault) {
		return endpoint{}, &tag.Fault{Path: "endpoint", Text: fmt.Sprintf(format, args...), Hint: hint}
	}
	rest, tcp := strings.CutPrefix(s, "tcp://")
	switch {
	case s == "":
		return fault(d.endpointHint(), "an endpoint is missing")
	case tcp:
		e, err := d.tcpEndpoint(rest)
		if err != nil {
			return fault(d.endpointHint(), "endpoint %q %v", s, err)
		}
		return e, nil
	case strings.HasPrefix(s, "/") && d.rtu:
		return endpoint{port: s}, nil
	case strings.HasPrefix(s, "/"):
		return fault("for a serial line use driver modbus-rtu; for TCP write tcp://host:502", "endpoint %q is a serial port", s)
	case strings.Contains(s, "://"):
		return fault(d.endpointHint(), "endpoint %q is of an unknown kind", s)
	}
	return fault(d.endpointHint(), "endpoint %q does not say what it is", s)
}

func (d *driver) endpointHint() string {
	if d.rtu {
		return "write the path of a serial port, best /dev/serial/by-id/..., or tcp://host:port of a converter"
	}
	return "write tcp://host or tcp://host:502"
}

func (d *driver) tcpEndpoint(s string) (endpoint, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil && !d.rtu && !strings.HasSuffix(s, ":") {
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
