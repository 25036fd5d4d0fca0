package wire

import (
	"net"
	"time"
)

// netPort is a Port on a TCP connection.
type netPort struct{ conn net.Conn }

func (p netPort) Read(b []byte) (int, error) {
	n, err := p.conn.Read(b)
	if err != nil {
		err = streamEnd(err)
	}
	return n, err
}

func (p netPort) Write(b []byte) (int, error) {
	_ = p.conn.SetWriteDeadline(time.Now().Add(writeStep)) // fails only on a closed connection, as Write then does
	return p.conn.Write(b)
}

func (p netPort) Close() error { return p.conn.Close() }
