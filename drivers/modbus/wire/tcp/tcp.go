// Package tcp speaks Modbus TCP on a connection that somebody else has made.
// Every answer is matched to its request by the transaction id; one that
// comes late, twice or unasked is dropped and counted.
//
// A Link starts no goroutine. Of the requests under way, one reads for all of
// them: a request and its answer cost no change of goroutines that a plain
// client would not have.
package tcp

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
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

// busy is how soon after an answer the next request goes out without a look
// whether the peer has hung up in between.
const busy = time.Millisecond

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
	raw   syscall.RawConn // of conn; nil where it has none
	o     Options
	quiet *wire.Quiet
	slots chan *slot    // the free ones: as many as requests may be under way
	done  chan struct{} // closed when the connection is gone
	turn  chan struct{} // capacity 1; held while a request reads for all
	wlock chan struct{} // capacity 1; held while a frame is written

	mu        sync.Mutex // guards the fields below
	waiting   map[uint16]*slot
	abandoned map[uint16]time.Time // ids whose answer may still come, and since when
	lastID    uint16
	framing   [256]*frame.Framing // those in use
	strays    int                 // in a row
	next      time.Time           // before which no request is sent
	err       error               // why the connection is gone

	// The rest belongs to the holder of turn.
	r       *bufio.Reader
	horizon time.Time // until when a read may block
	began   time.Time // when the frame that is coming in did; zero between frames
}

// slot is a request under way.
type slot struct {
	answer chan received // capacity 1; who reads sends once per entry in waiting
	timer  *time.Timer
	freed  time.Time // when the request before had its answer
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
		slots: make(chan *slot, o.Depth), done: make(chan struct{}), turn: make(chan struct{}, 1), wlock: make(chan struct{}, 1),
		r:       bufio.NewReaderSize(conn, 4096),
		waiting: map[uint16]*slot{}, abandoned: map[uint16]time.Time{}, lastID: uint16(rand.UintN(128)),
	}
	if sc, ok := conn.(syscall.Conn); ok {
		c.raw, _ = sc.SyscallConn() // nil on an error, and then not used
	}
	for range o.Depth {
		t := time.NewTimer(time.Hour)
		t.Stop()
		c.slots <- &slot{answer: make(chan received, 1), timer: t}
	}
	return c
}

// Close ends the connection and interrupts every Exchange. It may be called
// more than once.
func (c *Link) Close() error {
	c.fail(errClosed)
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
	p := c.frameOf(unit)
	adu, err := p.Encode(req)
	if err != nil {
		return wire.Reply{}, err
	}
	id := c.enter(s)
	binary.BigEndian.PutUint16(adu, id)
	c.o.Tell(unit, req, adu, wire.Request)
	var answer received
	failed := c.send(ctx, adu)
	if failed == nil {
		answer, failed = c.await(ctx, s)
	}
	if failed != nil && !c.abandon(id) {
		// It came in the same moment, and has to be taken out of the slot.
		answer, failed = <-s.answer, nil
	}
	if failed == nil {
		return c.accept(p, req, adu, answer)
	}
	if failed.Kind == frame.Timeout {
		c.Counters.Timeouts.Add(1)
		c.o.Tell(unit, req, nil, wire.Silence)
		c.missed(unit)
	}
	return wire.Reply{}, failed
}

// frameOf is the framing of a unit.
func (c *Link) frameOf(unit byte) frame.Framing {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.framing[unit] == nil {
		f := frame.TCP(unit)
		c.framing[unit] = &f
	}
	return *c.framing[unit]
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
	if time.Since(s.freed) > busy && c.hungUp() {
		c.slots <- s
		c.fail(errors.New("connection closed by the peer"))
		return nil, c.down(false)
	}
	return s, nil
}

func (c *Link) release(s *slot) {
	if c.o.Pause > 0 {
		c.mu.Lock()
		c.next = time.Now().Add(c.o.Pause)
		c.mu.Unlock()
	}
	s.freed = time.Now()
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
	sent := c.writeNow(adu)
	if sent == len(adu) {
		return nil
	}
	start := time.Now()
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

// writeNow writes what the connection takes without waiting, which is
// everything as long as the peer reads, and returns how much that was. Whatever
// goes wrong goes wrong again in send.
func (c *Link) writeNow(adu []byte) (sent int) {
	if c.raw == nil {
		return 0
	}
	_ = c.raw.Write(func(fd uintptr) bool {
		n, err := syscall.Write(int(fd), adu)
		if err == nil {
			sent = n
		}
		return true
	})
	return sent
}

// await waits for the answer to a request that was sent, or tells why there
// is none. It reads itself, unless another request does.
func (c *Link) await(ctx context.Context, s *slot) (received, *frame.Error) {
	limit := time.Now().Add(c.o.Timeout)
	select {
	case c.turn <- struct{}{}:
		return c.lead(ctx, s, limit)
	default:
	}
	s.timer.Reset(c.o.Timeout)
	defer s.timer.Stop()
	select {
	case c.turn <- struct{}{}:
		return c.lead(ctx, s, limit)
	case f := <-s.answer:
		return f, nil
	case <-s.timer.C:
		return received{}, wire.NoAnswer(c.o.Timeout)
	case <-ctx.Done():
		return received{}, cancelled(ctx, true)
	case <-c.done:
		return received{}, c.down(true)
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
	first := c.err == nil
	if first {
		c.err = err
	}
	c.mu.Unlock()
	if first {
		close(c.done)
		_ = c.conn.Close() // nothing is left to be said to the peer
	}
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
