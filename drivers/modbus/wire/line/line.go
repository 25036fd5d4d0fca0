package line

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

// Port is a stream of bytes to the devices of a line: a serial port or a TCP
// connection to a converter. Read may return without bytes and without an
// error now and then; any error of it means that the port is gone. Write does
// not block for long. Close ends a Read under way, at once or at its next
// return.
type Port = io.ReadWriteCloser

// Options are the settings of a line. Zero fields mean the defaults.
type Options struct {
	wire.Options
	Framing    frame.Serial
	Char       time.Duration // what one character takes; zero on TCP
	Gap        time.Duration // the silence between two frames, t3.5; zero on TCP
	LateWindow time.Duration // how long an answer may still come after its timeout; default three timeouts, at least 1 s
	Turnaround time.Duration // that all devices have for a broadcast; default 200 ms
	Echo       Echo
	Copied     func(unit byte) // is told of every answer that comes twice, by the goroutine of an Exchange; must not block; nil: nobody
	Longest    Longest         // how far a read may be lengthened; nil: as far as the standard allows
	GiveUp     bool            // end the line when all its units are silent: a TCP connection may be dead, a serial port is not
	Memory     *Memory         // what is to be known of the line when it is opened again; default none
}

// Longest says how many registers or bits the line may ask a unit for, from the
// address of a read on, where it lengthens the read by itself to tell its
// answer from a late one. No more than the quantity of the read means that it
// must stay as it is: what lies behind it is not to be touched. It is called by
// the goroutine of an Exchange and must not block.
type Longest func(unit byte, read frame.PDU) int

func (o Options) withDefaults() Options {
	o.Options = o.WithDefaults()
	if o.LateWindow <= 0 {
		o.LateWindow = max(3*o.Timeout, time.Second)
	}
	if o.Turnaround <= 0 {
		o.Turnaround = 200 * time.Millisecond
	}
	if o.Longest == nil {
		o.Longest = func(byte, frame.PDU) int { return math.MaxInt }
	}
	if o.Memory == nil {
		o.Memory = NewMemory()
	}
	return o
}

// A device or a converter may pause inside a frame for far longer than the
// t1.5 of the standard, so a frame ends by its length; only when this much
// time passes without a byte is the rest taken for lost. ASCII allows a
// second (Modbus over Serial Line V1.02 §2.5.2.1).
const (
	rtuPause   = 100 * time.Millisecond
	asciiPause = time.Second
)

// firstSilence is for how long a line that is opened for the first time is
// listened to, at most: somebody before us may have asked a question.
const firstSilence = 250 * time.Millisecond

var errClosed = errors.New("link closed")

// Memory is what is known of a line beyond the life of its port: the answers
// that may still come. Lines that are opened one after the other on the same
// wire share one.
type Memory struct {
	owner chan struct{} // capacity 1; held by the Exchange that owns the line

	// The rest belongs to the owner.
	late   lateList
	copies copies
	used   bool
}

// NewMemory is that of a line nothing is known of.
func NewMemory() *Memory { return &Memory{owner: make(chan struct{}, 1)} }

// Line is a port that speaks RTU or ASCII.
type Line struct {
	wire.Counters
	port  Port
	o     Options
	mem   *Memory
	quiet *wire.Quiet
	done  chan struct{} // closed by the reader when the port is gone
	wake  chan struct{} // capacity 1; the reader kicks it when bytes have come

	mu     sync.Mutex // guards the fields below
	rx     []byte     // received and not yet looked at
	lastRx time.Time
	err    error // why the port is gone

	// The rest belongs to the owner of mem.
	echo    echoes
	lastTx  time.Time // when the last request had left, or its answer was in
	timer   *time.Timer
	framing [256]*frame.Framing // those in use
}

// New speaks on a port, which it owns from now on.
func New(p Port, o Options) *Line {
	o = o.withDefaults()
	l := &Line{
		port: p, o: o, mem: o.Memory, quiet: wire.NewQuiet(o.Units), echo: newEchoes(o.Echo),
		done: make(chan struct{}), wake: make(chan struct{}, 1), timer: time.NewTimer(time.Hour), lastTx: time.Now(),
	}
	l.timer.Stop()
	go l.pump()
	return l
}

// Close ends the line, interrupts every Exchange and waits for the reader. It
// may be called more than once.
func (l *Line) Close() error {
	l.fail(errClosed)
	<-l.done
	return nil
}

// Exchange sends a request to a unit and returns the answer to it. A write to
// unit 0 is a broadcast: nobody answers it, and the reply is empty.
func (l *Line) Exchange(ctx context.Context, unit byte, req frame.PDU) (wire.Reply, error) {
	if err := l.sendable(unit, req); err != nil {
		return wire.Reply{}, &frame.Error{Kind: frame.Invalid, Err: err}
	}
	if err := l.own(ctx); err != nil {
		return wire.Reply{}, err
	}
	defer func() { <-l.mem.owner }()
	x := l.newExchange(unit, req)
	if probe, ok := x.probe(); ok && !l.mem.late.has(unit, req) {
		_, err := l.exchange(ctx, l.newExchange(unit, probe))
		if err != nil && (err.Kind == frame.LinkDown || err.Kind == frame.Cancelled) {
			err.Sent = false // the write itself was not
			return wire.Reply{}, err
		}
	}
	reply, err := l.exchange(ctx, x)
	if err != nil {
		return wire.Reply{}, err
	}
	return reply, nil
}

// sendable tells what makes a request one that cannot be answered here.
func (l *Line) sendable(unit byte, req frame.PDU) error {
	switch err := req.Validate(); {
	case err != nil:
		return err
	case !l.o.Framing.Known(req):
		return fmt.Errorf("the form of an answer to function %d is not known", req.Function)
	case unit == 0 && req.Echo() == nil:
		return errors.New("unit 0 is everybody: nobody would answer")
	}
	return nil
}

// exchange makes one request, of the owner of the line.
func (l *Line) exchange(ctx context.Context, x *exchange) (wire.Reply, *frame.Error) {
	if err := l.settle(ctx); err != nil {
		return wire.Reply{}, err
	}
	asked := x.req
	sent, ok := l.vary(x.unit, asked)
	if !ok {
		waited, err := l.outwait(ctx, x.unit, asked, l.o.Timeout)
		if err != nil {
			return wire.Reply{}, err
		}
		if !waited {
			return wire.Reply{}, &frame.Error{Kind: frame.Timeout, Err: errors.New("not sent: the late answer to the same request may still come")}
		}
		sent = asked
	}
	x.req, x.varied = sent, sent.Quantity() != asked.Quantity()
	reply, err := x.run(ctx)
	if err != nil && err.Kind == frame.Exception && x.varied {
		// Only the register more may have been refused.
		if waited, failed := l.outwait(ctx, x.unit, asked, 0); failed != nil {
			return wire.Reply{}, failed
		} else if waited {
			x = l.newExchange(x.unit, asked)
			reply, err = x.run(ctx)
		}
	}
	if err == nil && x.double != nil {
		reply, err = l.confirm(ctx, x, reply, x.double)
	}
	if err == nil && asked.Reads() {
		reply.Data = reply.Data[:asked.AnswerBytes()]
	}
	return reply, err
}

// own takes the line.
func (l *Line) own(ctx context.Context) error {
	if ctx.Err() != nil {
		return wire.Cancelled(ctx)
	}
	select {
	case <-l.done:
		return l.down(false)
	default:
	}
	select {
	case l.mem.owner <- struct{}{}:
		return nil
	case <-l.done:
		return l.down(false)
	case <-ctx.Done():
		return wire.Cancelled(ctx)
	}
}

// settle waits until the line has been silent for long enough, and drops what
// it heard: late answers, and noise.
func (l *Line) settle(ctx context.Context) *frame.Error {
	limit := time.Now().Add(l.o.Timeout)
	rest := max(l.o.Pause, l.o.Gap)
	if !l.mem.used {
		rest = max(rest, min(l.o.Timeout, firstSilence))
	}
	for {
		now := time.Now()
		l.discard()
		l.mem.late.purge(now)
		wait := max(l.lastTx.Add(rest).Sub(now), l.heard().Add(l.o.Gap).Sub(now))
		if wait <= 0 {
			l.mem.used = true
			return nil
		}
		if now.After(limit) {
			return &frame.Error{Kind: frame.BadFrame, Err: errors.New("the line is never silent: check baud rate and parity, and for a second master")}
		}
		if err := l.sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// sleep waits, unless the line or the context ends.
func (l *Line) sleep(ctx context.Context, d time.Duration) *frame.Error {
	l.timer.Reset(d)
	select {
	case <-l.timer.C:
		return nil
	case <-l.done:
		return l.down(false)
	case <-ctx.Done():
		return wire.Cancelled(ctx)
	}
}

// heard is when the last byte came in.
func (l *Line) heard() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastRx
}

// frameOf is the framing of a unit.
func (l *Line) frameOf(unit byte) frame.Framing {
	if l.framing[unit] == nil {
		f := l.o.Framing.Framing(unit)
		l.framing[unit] = &f
	}
	return *l.framing[unit]
}

// down is the error of a request on a line that is gone.
func (l *Line) down(sent bool) *frame.Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &frame.Error{Kind: frame.LinkDown, Sent: sent, Err: l.err}
}

// fail ends the line; the first reason stays.
func (l *Line) fail(err error) {
	l.mu.Lock()
	first := l.err == nil
	if first {
		l.err = err
	}
	l.mu.Unlock()
	if first {
		_ = l.port.Close() // nothing is left to be said on it
	}
}
