package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	maxUnsent    = 256 << 10        // bytes gathered before a writer has to wait
	writeTimeout = 20 * time.Second // a peer that takes nothing for so long is gone
	closeTimeout = time.Second      // for the last bytes, such as DISCONNECT
	lastWords    = time.Second      // after a failed write, how long to read on for the broker's reason
)

// conn gathers the packets that are written while the write before is under
// way and sends them as one; it hands over only sound packets.
//
// The library writes one packet as several small pieces between Lock and
// Unlock, because conn is a sync.Locker: that is how pieces of two packets
// are kept apart and how conn knows when there is something worth sending.
// No timer is involved: an idle connection sends a packet at once.
type conn struct {
	net.Conn
	in   *reader     // owned by the library's reading goroutine
	fail func(error) // told the first cause of the end

	pkt sync.Mutex // held while one packet is written

	mu      sync.Mutex // guards the fields below
	room    *sync.Cond // unsent has room again, or there is an error
	unsent  []byte
	spare   []byte // the buffer that was sent last, to be filled next
	err     error  // of a failed write; every later write returns it
	closing bool
	orderly bool // the end was announced: a write gets closeTimeout, and the broker may hang up first

	kick    chan struct{} // capacity 1; sent to by whoever has bytes to flush, never closed
	flushed chan struct{} // closed by the flusher when it has ended
	once    sync.Once     // closes once
}

// newConn starts the flusher; Close ends it and waits for it.
func newConn(nc net.Conn, maxInbound int, fail func(error)) *conn {
	c := &conn{
		Conn: nc, in: newReader(nc, maxInbound), fail: fail,
		kick: make(chan struct{}, 1), flushed: make(chan struct{}),
	}
	c.room = sync.NewCond(&c.mu)
	go c.flush()
	return c
}

// Lock begins a packet.
func (c *conn) Lock() { c.pkt.Lock() }

// Unlock ends a packet and has it sent.
func (c *conn) Unlock() {
	c.pkt.Unlock()
	c.wake()
}

func (c *conn) wake() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// Write copies b. It blocks while too much is unsent, which the write timeout
// bounds.
func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.unsent) >= maxUnsent && c.err == nil && !c.closing {
		c.wake()
		c.room.Wait()
	}
	switch {
	case c.err != nil:
		return 0, c.err
	case c.closing:
		return 0, net.ErrClosed
	}
	c.unsent = append(c.unsent, b...)
	return len(b), nil
}

// flush sends what was gathered until Close.
func (c *conn) flush() {
	defer close(c.flushed)
	for range c.kick {
		b, last := c.take()
		if len(b) > 0 {
			if _, err := c.Conn.Write(b); err != nil {
				c.broke(err)
				return
			}
		}
		c.give(b)
		if last && len(b) == 0 {
			return
		}
		if last {
			c.wake() // a packet may have been gathered since
		}
	}
}

// take swaps the buffers and sets the deadline of the write to come.
func (c *conn) take() (b []byte, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, c.unsent, c.spare = c.unsent, c.spare[:0], nil
	limit := writeTimeout
	if c.orderly || c.closing {
		limit = closeTimeout
	}
	if len(b) > 0 {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(limit)) // fails only on a closed connection, and then so does the write
	}
	c.room.Broadcast()
	return b, c.closing
}

// give returns a sent buffer, unless one large burst made it too large to keep.
func (c *conn) give(b []byte) {
	if cap(b) > 2*maxUnsent {
		b = nil
	}
	c.mu.Lock()
	c.spare = b
	c.mu.Unlock()
}

// broke notes a failed write. The reading side lives on for a moment: the
// broker's reason may be on its way.
func (c *conn) broke(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	c.room.Broadcast()
	if !c.closing {
		_ = c.Conn.SetReadDeadline(time.Now().Add(lastWords)) // as above
	}
}

// Read hands out sound packets. An error ends the connection.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.in.rest) == 0 {
		if err := c.in.next(); err != nil {
			c.fail(c.readError(err))
			return 0, err
		}
	}
	n := copy(p, c.in.rest)
	c.in.rest = c.in.rest[n:]
	return n, nil
}

// readError prefers the failed write that set the deadline to the deadline.
func (c *conn) readError(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(err, os.ErrDeadlineExceeded) && c.err != nil {
		return c.err
	}
	return err
}

// Close sends what was gathered, waiting a second at most, and closes. It may
// be called more than once.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		c.mu.Lock()
		c.closing = true
		c.room.Broadcast()
		orderly := c.orderly
		c.hurryLocked()
		c.mu.Unlock()
		c.wake()
		<-c.flushed
		if orderly {
			c.linger()
		}
		err = c.Conn.Close()
	})
	return err
}

// linger lets the broker hang up first, for a second. A socket that is closed
// while bytes of the other side are unread is reset, and a reset can destroy
// what the broker has not read yet: the last messages and DISCONNECT.
func (c *conn) linger() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if c.Conn.SetReadDeadline(time.Now().Add(closeTimeout)) == nil {
		_, _ = io.Copy(io.Discard, c.Conn) // any end will do
	}
}

// announce prepares an orderly end: the writes from now on, and the one under
// way, get a second.
func (c *conn) announce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.orderly = true
	c.hurryLocked()
}

func (c *conn) hurryLocked() {
	_ = c.Conn.SetWriteDeadline(time.Now().Add(closeTimeout)) // fails only on a closed connection
}
