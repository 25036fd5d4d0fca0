package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"fieldferry/drivers/modbus/frame"
)

// maxStrays is how many answers in a row that nobody waits for make a peer
// one that cannot be talked to.
const maxStrays = 1000

// idRest is how long the transaction id of an abandoned request is not used
// again: no answer comes later than that.
const idRest = 5 * time.Minute

var errClosed = errors.New("link closed")

// TCP is one Modbus TCP connection. Several units may share it.
type TCP struct {
	counters
	conn  net.Conn
	o     Options
	quiet *silence
	slots chan *slot    // the free ones: as many as requests may be under way
	done  chan struct{} // closed by the reader when the connection is gone
	wlock chan struct{} // capacity 1; held while a frame is written

	mu        sync.Mutex // guards the fields below
	waiting   map[uint16]*slot
	abandoned map[uint16]time.Time // ids whose answer may still come, and since when
	lastID    uint16
	strays    int       // in a row
	next      time.Time // before which no request is sent
	err       error     // why the connection is gone
}

// slot is a request under way.
type slot struct {
	answer chan received // capacity 1; the reader sends once per entry in waiting
	timer  *time.Timer
}

// received is an answer as it came, and when.
type received struct {
	adu []byte
	at  time.Time
}

// DialTCP connects to a Modbus TCP server, host:port. It blocks until the
// connection stands, ctx ends or ten seconds have passed.
func DialTCP(ctx context.Context, address string, o Options) (*TCP, error) {
	o = o.withDefaults()
	conn, err := dial(ctx, address, o)
	if err != nil {
		return nil, err
	}
	return newTCP(conn, o), nil
}

// newTCP speaks Modbus TCP on a connection, which it owns from now on.
func newTCP(conn net.Conn, o Options) *TCP {
	o = o.withDefaults()
	c := &TCP{
		conn: conn, o: o, quiet: newSilence(o.Units),
		slots: make(chan *slot, o.Depth), done: make(chan struct{}), wlock: make(chan struct{}, 1),
		waiting: map[uint16]*slot{}, abandoned: map[uint16]time.Time{},
	}
	for range o.Depth {
		t := time.NewTimer(time.Hour)
		t.Stop()
		c.slots <- &slot{answer: make(chan received, 1), timer: t}
	}
	go c.read()
	return c
}

// Close ends the connection, interrupts every Exchange and waits for the
// reader. It may be called more than once.
func (c *TCP) Close() error {
	c.fail(errClosed)
	<-c.done
	return nil
}

// Stats tells what the connection has seen.
func (c *TCP) Stats() Stats { return c.stats() }

// Exchange sends a request to a unit and returns the answer to it.
func (c *TCP) Exchange(ctx context.Context, unit byte, req frame.PDU) (Reply, error) {
	if err := req.Validate(); err != nil {
		return Reply{}, &frame.Error{Kind: frame.Invalid, Err: err}
	}
	s, err := c.acquire(ctx)
	if err != nil {
		return Reply{}, err
	}
	defer c.release(s)
	p := frame.TCP(unit)
	adu, err := p.Encode(req)
	if err != nil {
		return Reply{}, err
	}
	id := c.enter(s)
	binary.BigEndian.PutUint16(adu, id)
	c.o.tell(unit, req, adu, Request)
	failed := c.send(ctx, adu)
	if failed == nil {
		failed = c.await(ctx, s)
	}
	// An answer that came in the same moment lies in the slot, and has to
	// be taken out of it in any case.
	if failed == nil || !c.abandon(id) {
		return c.accept(p, req, adu, <-s.answer)
	}
	if failed.Kind == frame.Timeout {
		c.timeouts.Add(1)
		c.o.tell(unit, req, nil, Silence)
		c.missed(unit)
	}
	return Reply{}, failed
}

// acquire takes a slot once the pause since the last answer is over.
func (c *TCP) acquire(ctx context.Context) (*slot, error) {
	if ctx.Err() != nil {
		return nil, cancelled(ctx, false)
	}
	var s *slot
	select {
	case <-c.done:
		return nil, c.down(false)
	default:
	}
	select {
	case s = <-c.slots:
	case <-c.done:
		return nil, c.down(false)
	case <-ctx.Done():
		return nil, cancelled(ctx, false)
	}
	if c.o.Pause > 0 {
		c.mu.Lock()
		wait := time.Until(c.next)
		c.mu.Unlock()
		if !pause(ctx, wait) {
			c.slots <- s
			return nil, cancelled(ctx, false)
		}
	}
	return s, nil
}

func (c *TCP) release(s *slot) {
	if c.o.Pause > 0 {
		c.mu.Lock()
		c.next = time.Now().Add(c.o.Pause)
		c.mu.Unlock()
	}
	c.slots <- s
}

// enter gives the request a transaction id that no answer on its way carries.
func (c *TCP) enter(s *slot) uint16 {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		c.lastID++
		since, resting := c.abandoned[c.lastID]
		if c.waiting[c.lastID] != nil || resting && time.Since(since) < idRest && len(c.abandoned) < 1<<15 {
			continue
		}
		delete(c.abandoned, c.lastID)
		c.waiting[c.lastID] = s
		return c.lastID
	}
}

// abandon gives a request up; false when its answer has come meanwhile and
// lies in its slot.
func (c *TCP) abandon(id uint16) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting[id] == nil {
		return false
	}
	delete(c.waiting, id)
	c.abandoned[id] = time.Now()
	return true
}

// writeStep is how long one attempt to write may keep ctx waiting.
const writeStep = 50 * time.Millisecond

// send writes one frame. A peer whose window is shut for the whole timeout,
// or a context that ends in mid-frame, costs the connection: half a frame
// cannot be taken back.
func (c *TCP) send(ctx context.Context, adu []byte) *frame.Error {
	select {
	case c.wlock <- struct{}{}:
	case <-c.done:
		return c.down(false)
	case <-ctx.Done():
		return cancelled(ctx, false)
	}
	defer func() { <-c.wlock }()
	c.requests.Add(1)
	start, sent := time.Now(), 0
	for sent < len(adu) {
		_ = c.conn.SetWriteDeadline(time.Now().Add(writeStep)) // fails only on a closed connection, as Write then does
		n, err := c.conn.Write(adu[sent:])
		sent += n
		var ne net.Error
		switch {
		case err == nil:
		case !errors.As(err, &ne) || !ne.Timeout() || time.Since(start) >= c.o.Timeout:
			c.fail(fmt.Errorf("write: %w", err))
			return c.down(sent > 0)
		case ctx.Err() != nil:
			if sent > 0 {
				c.fail(errors.New("a request was cancelled in mid-frame"))
			}
			return cancelled(ctx, sent > 0)
		}
	}
	return nil
}

// await waits until the answer to a request that was sent lies in its slot,
// or tells why there is none.
func (c *TCP) await(ctx context.Context, s *slot) *frame.Error {
	s.timer.Reset(c.o.Timeout)
	defer s.timer.Stop()
	select {
	case f := <-s.answer:
		s.answer <- f
		return nil
	case <-s.timer.C:
		return noAnswer(c.o.Timeout)
	case <-ctx.Done():
		return cancelled(ctx, true)
	case <-c.done:
		return c.down(true)
	}
}

// accept checks an answer whose transaction id is the request's.
func (c *TCP) accept(p frame.Framing, req frame.PDU, request []byte, f received) (Reply, error) {
	if c.o.AnyUnit {
		f.adu[frame.TCPHeader] = request[frame.TCPHeader]
	}
	answer, err := p.Decode(request, f.adu)
	var data []byte
	if err == nil {
		data, err = req.Check(answer)
	}
	var e *frame.Error
	if errors.As(err, &e) && e.Kind == frame.BadFrame {
		c.badFrames.Add(1)
		c.missed(request[frame.TCPHeader])
		return Reply{}, err
	}
	c.answers.Add(1)
	c.quiet.answered()
	if err != nil {
		c.exceptions.Add(1)
	}
	return Reply{Data: data, At: f.at}, err
}

// missed gives the connection up when nobody answers on it any more.
func (c *TCP) missed(unit byte) {
	if c.quiet.miss(unit) {
		c.fail(fmt.Errorf("%d requests in a row without a usable answer", silenceCount))
	}
}

// down is the error of a request on a connection that is gone, or going.
func (c *TCP) down(sent bool) *frame.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &frame.Error{Kind: frame.LinkDown, Sent: sent, Err: c.err}
}

// fail ends the connection; the first reason stays.
func (c *TCP) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	_ = c.conn.Close() // nothing is left to be said to the peer
}

// read takes frames from the connection until it ends.
func (c *TCP) read() {
	defer close(c.done)
	r := bufio.NewReaderSize(c.conn, 4096)
	for {
		adu, err := c.readFrame(r)
		if err == nil {
			err = c.deliver(adu, time.Now().UTC())
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
}

// readFrame reads one frame. A header that is none means that the stream can
// no longer be cut into frames, and so does a frame that stays unfinished for
// longer than a request waits.
func (c *TCP) readFrame(r *bufio.Reader) ([]byte, error) {
	if r.Buffered() == 0 {
		if _, err := r.Peek(1); err != nil {
			return nil, streamEnd(err)
		}
	}
	defer c.hurry(r, frame.TCPHeader)()
	head, err := r.Peek(frame.TCPHeader)
	if err != nil {
		return nil, streamEnd(err)
	}
	protocol, length := binary.BigEndian.Uint16(head[2:]), int(binary.BigEndian.Uint16(head[4:]))
	if protocol != 0 || length < frame.TCPMinLength || length > frame.TCPMaxLength {
		return nil, fmt.Errorf("the peer does not speak Modbus TCP: header % x", head)
	}
	adu := make([]byte, frame.TCPHeader+length)
	defer c.hurry(r, len(adu))()
	if _, err := io.ReadFull(r, adu); err != nil {
		return nil, streamEnd(err)
	}
	return adu, nil
}

// hurry bounds the reading of n bytes, unless they are there, and returns what
// lifts the bound again.
func (c *TCP) hurry(r *bufio.Reader, n int) (lift func()) {
	if r.Buffered() >= n {
		return func() {}
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(c.o.Timeout)) // fails only on a closed connection, as reading then does
	return func() { _ = c.conn.SetReadDeadline(time.Time{}) }
}

func streamEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("connection closed by the peer")
	}
	return fmt.Errorf("read: %w", err)
}

// deliver hands a frame to the request with its transaction id, or drops it.
func (c *TCP) deliver(adu []byte, at time.Time) error {
	id := binary.BigEndian.Uint16(adu)
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.waiting[id]; s != nil {
		delete(c.waiting, id)
		c.strays = 0
		s.answer <- received{adu, at}
		return nil
	}
	if _, late := c.abandoned[id]; late {
		delete(c.abandoned, id)
		c.late.Add(1)
	} else {
		c.foreign.Add(1)
	}
	if c.strays++; c.strays > maxStrays {
		return fmt.Errorf("%d answers in a row that nobody asked for", c.strays)
	}
	return nil
}
