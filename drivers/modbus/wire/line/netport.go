package line

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// writeLimit is how long a converter may take to accept a request of a few
// hundred bytes, for which any connection has room.
const writeLimit = 50 * time.Millisecond

// netPort is a Port on a TCP connection.
type netPort struct{ conn net.Conn }

// OnTCP makes a Port of a TCP connection.
func OnTCP(conn net.Conn) Port { return netPort{conn} }

func (p netPort) Read(b []byte) (int, error) {
	n, err := p.conn.Read(b)
	if errors.Is(err, io.EOF) {
		err = errors.New("connection closed by the peer")
	}
	return n, err
}

func (p netPort) Write(b []byte) (int, error) {
	if err := p.conn.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return 0, fmt.Errorf("bound a write: %w", err)
	}
	return p.conn.Write(b)
}

func (p netPort) Close() error { return p.conn.Close() }
