package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/tty"
)

// Port is a stream of bytes to the devices of a line: a serial port or a TCP
// connection to a converter. Read may return without bytes and without an
// error now and then; any error of it means that the port is gone. Write does
// not block for long. Close ends a Read under way, at once or at its next
// return.
type Port = io.ReadWriteCloser

// timing is what a line takes for its bytes; zero on TCP.
type timing struct {
	char time.Duration // one character
	gap  time.Duration // the silence between two frames, t3.5
}

// A device or a converter may pause inside a frame for far longer than the
// t1.5 of the standard, so a frame ends by its length; only when this much
// time passes without a byte is the rest taken for lost.
const chunkPause = 100 * time.Millisecond

// rtuBuffer is how many received bytes are kept: two frames.
const rtuBuffer = 2 * frame.RTUMax

// RTU is a line that speaks Modbus RTU, with one request under way at a time.
//
// RTU has no transaction ids, so a late answer looks like the answer to
// whatever was asked last. Every request that was given up is therefore
// remembered by the shape of its answer for as long as that may still come,
// and no other request with an answer of that shape is sent meanwhile.
type RTU struct {
	counters
	port   Port
	o      Options
	timing timing
	quiet  *silence      // nil on a serial line, which nothing is won by opening again
	line   chan struct{} // capacity 1; held by the Exchange that owns the line
	done   chan struct{} // closed by the reader when the port is gone
	wake   chan struct{} // capacity 1; the reader kicks it when bytes have come

	mu     sync.Mutex // guards the fields below
	rx     []byte     // received and not yet looked at
	lastRx time.Time
	err    error // why the port is gone

	// The rest belongs to the holder of line.
	late   lateList
	lastTx time.Time // when the last request had left, or its answer was in
	timer  *time.Timer
}

// DialRTU connects to host:port, where RTU frames are spoken on TCP. It
// blocks like DialTCP.
func DialRTU(ctx context.Context, address string, o Options) (*RTU, error) {
	o = o.withDefaults()
	conn, err := dial(ctx, address, o)
	if err != nil {
		return nil, err
	}
	r := newRTU(netPort{conn}, timing{}, o)
	r.quiet = newSilence(o.Units)
	return r, nil
}

// OpenRTU opens a serial port, named by its path, for us alone. It blocks for
// no longer than PauseAfterConnect.
func OpenRTU(ctx context.Context, name string, s tty.Settings, o Options) (*RTU, error) {
	p, err := tty.Open(name, s)
	if err != nil {
		return nil, err
	}
	if !pause(ctx, o.PauseAfterConnect) {
		_ = p.Close() // the context's error is the one to tell
		return nil, ctx.Err()
	}
	char, gap := s.Timing()
	return newRTU(p, timing{char, gap}, o), nil
}

// newRTU speaks RTU on a port, which it owns from now on.
func newRTU(p Port, t timing, o Options) *RTU {
	r := &RTU{
		port: p, o: o.withDefaults(), timing: t,
		line: make(chan struct{}, 1), done: make(chan struct{}), wake: make(chan struct{}, 1),
		timer: time.NewTimer(time.Hour),
	}
	r.timer.Stop()
	go r.pump()
	return r
}

// Close ends the line, interrupts every Exchange and waits for the reader. It
// may be called more than once.
func (r *RTU) Close() error {
	r.fail(errClosed)
	<-r.done
	return nil
}

// Stats tells what the line has seen.
func (r *RTU) Stats() Stats { return r.stats() }

// Exchange sends a request to a unit and returns the answer to it.
func (r *RTU) Exchange(ctx context.Context, unit byte, req frame.PDU) (Reply, error) {
	if err := req.Validate(); err != nil {
		return Reply{}, &frame.Error{Kind: frame.Invalid, Err: err}
	}
	if req.RTUAnswer() == 0 {
		return Reply{}, &frame.Error{Kind: frame.Invalid, Err: fmt.Errorf("the length of an answer to function %d is not known", req.Function)}
	}
	if unit == 0 {
		return Reply{}, &frame.Error{Kind: frame.Invalid, Err: errors.New("unit 0 is everybody: nobody would answer")}
	}
	if err := r.own(ctx); err != nil {
		return Reply{}, err
	}
	defer func() { <-r.line }()
	if err := r.settle(ctx); err != nil {
		return Reply{}, err
	}
	sent, ok := r.late.vary(unit, req)
	if !ok {
		return Reply{}, &frame.Error{Kind: frame.Timeout, Err: errors.New("not sent: the late answer to the same request may still come")}
	}
	x := &exchange{r: r, unit: unit, req: sent, varied: sent.Quantity() != req.Quantity()}
	reply, err := x.run(ctx)
	if err != nil {
		return Reply{}, err
	}
	if req.Reads() {
		reply.Data = reply.Data[:req.AnswerBytes()]
	}
	return reply, nil
}

// own takes the line.
func (r *RTU) own(ctx context.Context) *frame.Error {
	if ctx.Err() != nil {
		return cancelled(ctx, false)
	}
	select {
	case <-r.done:
		return r.down(false)
	default:
	}
	select {
	case r.line <- struct{}{}:
		return nil
	case <-r.done:
		return r.down(false)
	case <-ctx.Done():
		return cancelled(ctx, false)
	}
}

// settle waits until the line has been silent for long enough, and drops what
// it heard: late answers, and noise.
func (r *RTU) settle(ctx context.Context) *frame.Error {
	limit := time.Now().Add(r.o.Timeout)
	for {
		now := time.Now()
		r.discard()
		r.late.purge(now)
		wait := max(r.lastTx.Add(max(r.o.Pause, r.timing.gap)).Sub(now), r.heard().Add(r.timing.gap).Sub(now))
		if wait <= 0 {
			return nil
		}
		if now.After(limit) {
			return badAnswerUnsent("the line is never silent: check baud rate and parity, and for a second master")
		}
		r.timer.Reset(wait)
		select {
		case <-r.timer.C:
		case <-r.done:
			return r.down(false)
		case <-ctx.Done():
			return cancelled(ctx, false)
		}
	}
}

func badAnswerUnsent(text string) *frame.Error {
	return &frame.Error{Kind: frame.BadFrame, Err: errors.New(text)}
}

// heard is when the last byte came in.
func (r *RTU) heard() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lastRx
}

// discard looks through what came in while nobody waited for it.
func (r *RTU) discard() {
	for {
		f, rest := r.take(true, shape{})
		if f == nil {
			r.drop(rest)
			return
		}
		r.stray(shapeOf(f))
	}
}

// stray counts a frame that answers nothing which was asked just now.
func (r *RTU) stray(s shape) {
	if r.late.drop(s) {
		r.counters.late.Add(1)
	} else {
		r.foreign.Add(1)
	}
}

func shapeOf(adu []byte) shape { return shape{adu[0], adu[1], len(adu)} }

// take removes the first whole frame, and the noise ahead of it, from what was
// received, and returns a copy. Without one it tells how many bytes there are.
func (r *RTU) take(final bool, want shape) (adu []byte, rest int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	expected := func(unit, function byte, length int) bool {
		s := shape{unit, function, length}
		exception := unit == want.unit && function == want.function|frame.ExceptionBit
		return s == want || exception || r.late.has(s)
	}
	if final {
		expected = nil
	}
	start, end := frame.ScanRTU(r.rx, expected)
	if end == 0 {
		return nil, len(r.rx)
	}
	r.noise.Add(uint64(start))
	adu = append([]byte(nil), r.rx[start:end]...)
	r.rx = append(r.rx[:0], r.rx[end:]...)
	return adu, len(r.rx)
}

// drop removes the first n received bytes as noise.
func (r *RTU) drop(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noise.Add(uint64(n))
	r.rx = append(r.rx[:0], r.rx[n:]...)
}

// down is the error of a request on a line that is gone.
func (r *RTU) down(sent bool) *frame.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &frame.Error{Kind: frame.LinkDown, Sent: sent, Err: r.err}
}

// fail ends the line; the first reason stays.
func (r *RTU) fail(err error) {
	r.mu.Lock()
	first := r.err == nil
	if first {
		r.err = err
	}
	r.mu.Unlock()
	if first {
		_ = r.port.Close() // nothing is left to be said on it
	}
}

// pump reads from the port until it is gone.
func (r *RTU) pump() {
	defer close(r.done)
	buf := make([]byte, frame.RTUMax)
	for {
		n, err := r.port.Read(buf)
		if n > 0 {
			r.received(buf[:n])
		}
		if err != nil {
			r.fail(fmt.Errorf("read: %w", err))
			return
		}
		r.mu.Lock()
		gone := r.err != nil
		r.mu.Unlock()
		if gone {
			return
		}
	}
}

// received keeps bytes for whoever waits; of a flood, the newest.
func (r *RTU) received(b []byte) {
	r.mu.Lock()
	if over := len(r.rx) + len(b) - rtuBuffer; over > 0 {
		over = min(over, len(r.rx))
		r.noise.Add(uint64(over))
		r.rx = append(r.rx[:0], r.rx[over:]...)
	}
	r.rx = append(r.rx, b...)
	r.lastRx = time.Now()
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
