package reach

import (
	"context"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// dialTimeout bounds the making of a connection, name look-up included.
const dialTimeout = 10 * time.Second

// keepalive finds out within half a minute that an idle peer is gone.
var keepalive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// Dial connects to host:port. It blocks until the connection stands, ctx ends
// or ten seconds have passed; the name is looked up anew each time. Sent bytes
// that stay unacknowledged for longer than patience end the connection.
func Dial(ctx context.Context, address string, patience time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout, KeepAliveConfig: keepalive}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		setUserTimeout(tcp, patience)
	}
	return conn, nil
}

// setUserTimeout bounds how long sent bytes may stay unacknowledged. Without
// it the link still notices, later, by its own timeouts: an error is no
// reason not to connect.
func setUserTimeout(conn *net.TCPConn, d time.Duration) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	})
}
