// Package tcp speaks Modbus TCP on a connection that somebody else has made.
// Every answer is matched to its request by the transaction id; one that
// comes late, twice or unasked is dropped and counted.
//
// A Link starts one goroutine, which reads; Close waits for it.
package tcp

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

// maxStrays is how many answers in a row that nobody waits for make a peer
// one that cannot be talked to.
const maxStrays = 1000

// idRest is how long the transaction id of an abandoned request is not used
// again: no answer comes later than that.
const idRest = 5 * time.Minute

var errClosed = errors.New("link closed")

// MaxDepth is the most requests that may be under way at once.
const MaxDepth = 16

// Options are the settings of a connection. Zero fields mean the defaults.
type Options struct {
	wire.Options
	Depth   int  // requests under way at once, 1-MaxDepth; default 1
	AnyUnit bool // accept an answer that names another unit
}

// Link is one Modbus TCP connection. Several units may share it.
type Link struct {
	wire.Counters
	conn  net.Conn
	o     Options
	quiet *wire.Quiet
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

// New speaks Modbus TCP on a connection, which it owns from now on. The first
// transaction id is a random one, since a gateway may send on a new connection
// what was asked for on the one before; a small one, since some servers repeat
// one byte of it.
func New(conn net.Conn, o Options) *Link {
	o.Options, o.Depth = o.WithDefaults(), min(max(o.Depth, 1), MaxDepth)
	c := &Link{
		conn: conn, o: o, quiet: wire.NewQuiet(o.Units),
		slots: make(chan *slot, o.Depth), done: make(chan struct{}), wlock: make(chan struct{}, 1),
		waiting: map[uint16]*slot{}, abandoned: map[uint16]time.Time{}, lastID: uint16(rand.UintN(128)),
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
func (c *Link) Close() error {
	c.fail(errClosed)
	<-c.done
	return nil
}

// Exchange sends a request to a unit and returns the answer to it.
func (c *Link) Exchange(ctx context.Context, unit byte, req frame.PDU) (wire.Reply, error) {
	if err := req.Validate(); err != nil {
		return wire.Reply{}, &frame.Error{Kind: frame.Invalid, Err: err}
	}
	s, err := c.acquire(ctx)
	if err != nil {
		return wire.Reply{}, err
	}
	defer c.release(s)
	p := frame.TCP(unit)
	adu, err := p.Encode(req)
	if err != nil {
		return wire.Reply{}, err
	}
	id := c.enter(s)
	binary.BigEndian.PutUint16(adu, id)
	c.o.Tell(unit, req, adu, wire.Request)
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
		c.Counters.Timeouts.Add(1)
		c.o.Tell(unit, req, nil, wire.Silence)
		c.missed(unit)
	}
	return wire.Reply{}, failed
}

// acquire takes a slot once the pause since the last answer is over.
func (c *Link) acquire(ctx context.Context) (*slot, error) {
	if ctx.Err() != nil {
		return nil, wire.Cancelled(ctx)
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
		return nil, wire.Cancelled(ctx)
	}
	if c.o.Pause > 0 {
		c.mu.Lock()
		wait := time.Until(c.next)
		c.mu.Unlock()
		if !wire.Pause(ctx, wait) {
			c.slots <- s
			return nil, wire.Cancelled(ctx)
		}
	}
	return s, nil
}

func (c *Link) release(s *slot) {
	if c.o.Pause > 0 {
		c.mu.Lock()
		c.next = time.Now().Add(c.o.Pause)
		c.mu.Unlock()
	}
	c.slots <- s
}

// enter gives the request a transaction id that no answer on its way carries.
func (c *Link) enter(s *slot) uint16 {
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
func (c *Link) abandon(id uint16) bool {
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

// cancelled is the error of a request whose context ended.
func cancelled(ctx context.Context, sent bool) *frame.Error {
	e := wire.Cancelled(ctx)
	e.Sent = sent
	return e
}

// send writes one frame. A peer whose window is shut for the whole timeout,
// or a context that ends in mid-frame, costs the connection: half a frame
// cannot be taken back.
func (c *Link) send(ctx context.Context, adu []byte) *frame.Error {
	select {
	case c.wlock <- struct{}{}:
	case <-c.done:
		return c.down(false)
	case <-ctx.Done():
		return wire.Cancelled(ctx)
	}
	defer func() { <-c.wlock }()
	c.Counters.Requests.Add(1)
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
func (c *Link) await(ctx context.Context, s *slot) *frame.Error {
	s.timer.Reset(c.o.Timeout)
	defer s.timer.Stop()
	select {
	case f := <-s.answer:
		s.answer <- f
		return nil
	case <-s.timer.C:
		return wire.NoAnswer(c.o.Timeout)
	case <-ctx.Done():
		return cancelled(ctx, true)
	case <-c.done:
		return c.down(true)
	}
}

// accept checks an answer whose transaction id is the request's.
func (c *Link) accept(p frame.Framing, req frame.PDU, request []byte, f received) (wire.Reply, error) {
	if c.o.AnyUnit {
		f.adu[frame.TCPHeader] = request[frame.TCPHeader]
	}
	answer, err := p.Decode(request, f.adu)
	var data []byte
	if err == nil {
		data, err = req.Check(answer)
	}
	unit, outcome := request[frame.TCPHeader], wire.Answer
	var e *frame.Error
	if errors.As(err, &e) && e.Kind == frame.BadFrame {
		outcome = wire.Refused
	}
	c.o.Tell(unit, answer, f.adu, outcome)
	if outcome == wire.Refused {
		c.Counters.BadFrames.Add(1)
		c.missed(unit)
		return wire.Reply{}, err
	}
	c.Counters.Answers.Add(1)
	c.quiet.Answered()
	if err != nil {
		c.Counters.Exceptions.Add(1)
	}
	return wire.Reply{Data: data, At: f.at}, err
}

// missed gives the connection up when nobody answers on it any more.
func (c *Link) missed(unit byte) {
	if c.quiet.Miss(unit) {
		c.fail(wire.ErrQuiet)
	}
}

// down is the error of a request on a connection that is gone, or going.
func (c *Link) down(sent bool) *frame.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &frame.Error{Kind: frame.LinkDown, Sent: sent, Err: c.err}
}

// fail ends the connection; the first reason stays.
func (c *Link) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	_ = c.conn.Close() // nothing is left to be said to the peer
}

// read takes frames from the connection until it ends.
func (c *Link) read() {
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
func (c *Link) readFrame(r *bufio.Reader) ([]byte, error) {
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
func (c *Link) hurry(r *bufio.Reader, n int) (lift func()) {
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
func (c *Link) deliver(adu []byte, at time.Time) error {
	outcome, strays := c.claim(adu, at)
	switch outcome {
	case wire.Answer:
		return nil
	case wire.Late:
		c.Counters.Late.Add(1)
	default:
		c.Counters.Foreign.Add(1)
	}
	c.o.Tell(adu[frame.TCPHeader], frame.PDU{Function: adu[frame.TCPHeader+1], Data: adu[frame.TCPHeader+2:]}, adu, outcome)
	if strays > maxStrays {
		return fmt.Errorf("%d answers in a row that nobody asked for", strays)
	}
	return nil
}

// claim finds out whose answer a frame is, and how many in a row were nobody's.
func (c *Link) claim(adu []byte, at time.Time) (wire.Outcome, int) {
	id := binary.BigEndian.Uint16(adu)
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.waiting[id]; s != nil {
		delete(c.waiting, id)
		c.strays = 0
		s.answer <- received{adu, at}
		return wire.Answer, 0
	}
	c.strays++
	if _, late := c.abandoned[id]; late {
		delete(c.abandoned, id)
		return wire.Late, c.strays
	}
	return wire.Foreign, c.strays
}
