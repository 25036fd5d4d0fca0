package tcp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

// readStep is how long a read may keep ctx waiting.
const readStep = 50 * time.Millisecond

// lead reads for all requests until the answer to its own has come. It holds
// turn, and gives it back.
func (c *Link) lead(ctx context.Context, s *slot, limit time.Time) (received, *frame.Error) {
	defer func() { <-c.turn }()
	for {
		select {
		case f := <-s.answer:
			return f, nil
		default:
		}
		if err := c.step(limit); err != nil {
			c.fail(err)
			return received{}, c.down(true)
		}
		if len(s.answer) > 0 {
			continue
		}
		if ctx.Err() != nil {
			return received{}, cancelled(ctx, true)
		}
		if !time.Now().Before(limit) {
			return received{}, wire.NoAnswer(c.o.Timeout)
		}
	}
}

// step reads one frame and delivers it, or waits for a moment. Its error is
// that of a connection that is gone.
func (c *Link) step(limit time.Time) error {
	now := time.Now()
	if until := earlier(now.Add(readStep), limit); c.horizon.Before(now.Add(readStep/2)) || until.Before(c.horizon) {
		c.horizon = until
		_ = c.conn.SetReadDeadline(until) // fails only on a closed connection, as reading then does
	}
	adu, err := c.readFrame()
	switch {
	case adu != nil:
		c.began = time.Time{}
		return c.deliver(adu, time.Now().UTC())
	case !isTimeout(err):
		return streamEnd(err)
	case c.r.Buffered() == 0:
		return nil
	case c.began.IsZero():
		c.began = now
	case time.Since(c.began) >= c.o.Timeout:
		return errors.New("a frame stays unfinished")
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// readFrame reads one frame. What has come in of one that is not whole yet
// stays where it is. A header that is none means that the stream can no longer
// be cut into frames.
func (c *Link) readFrame() ([]byte, error) {
	head, err := c.r.Peek(frame.TCPHeader)
	if err != nil {
		return nil, err
	}
	protocol, length := binary.BigEndian.Uint16(head[2:]), int(binary.BigEndian.Uint16(head[4:]))
	if protocol != 0 || length < frame.TCPMinLength || length > frame.TCPMaxLength {
		return nil, fmt.Errorf("the peer does not speak Modbus TCP: header % x", head)
	}
	whole, err := c.r.Peek(frame.TCPHeader + length)
	if err != nil {
		return nil, err
	}
	adu := append([]byte(nil), whole...)
	_, err = c.r.Discard(len(adu)) // they are there
	return adu, err
}

func streamEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("connection closed by the peer")
	}
	return fmt.Errorf("read: %w", err)
}

// hungUp says whether the peer has closed the connection while nobody read:
// a request that is not sent is better than one whose outcome is not known.
func (c *Link) hungUp() bool {
	if c.raw == nil {
		return false
	}
	gone := false
	_ = c.raw.Read(func(fd uintptr) bool { // fails on a closed connection, as writing then does
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		gone = err == nil && n == 0 || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.ETIMEDOUT)
		return true
	})
	return gone
}
