package wire

import (
	"context"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"fieldferry/drivers/modbus/frame"
)

// Options are the settings of a link. Zero fields mean the defaults.
type Options struct {
	Timeout           time.Duration // from the end of a request to its answer; default 1 s
	PauseAfterConnect time.Duration // before the first request
	Pause             time.Duration // between an answer and the next request
	Depth             int           // requests under way at once on TCP, 1-16; default 1
	AnyUnit           bool          // on TCP, accept an answer that names another unit
	LateWindow        time.Duration // how long an RTU answer may still come after its timeout; default three timeouts, at least 1 s
	Units             []byte        // the units of the link: it is given up when all of them are silent
	Tap               Tap           // is told of every frame; nil: nobody
}

// tell tells the tap of a frame.
func (o *Options) tell(unit byte, pdu frame.PDU, bytes []byte, outcome Outcome) {
	if o.Tap != nil {
		o.Tap.Frame(Event{At: time.Now().UTC(), Unit: unit, PDU: pdu, Bytes: bytes, Outcome: outcome})
	}
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = time.Second
	}
	if o.LateWindow <= 0 {
		o.LateWindow = max(3*o.Timeout, time.Second)
	}
	o.Depth = min(max(o.Depth, 1), 16)
	return o
}

// Reply is the checked answer to a request. For a read, Data is what was
// asked for alone, its length as the quantity says: two bytes per register,
// or bits packed lowest first; for anything else what follows the function
// code. It is the caller's to keep.
type Reply struct {
	Data []byte
	At   time.Time // when it arrived; UTC
}

// noAnswer is a Timeout after a wait.
func noAnswer(after time.Duration) *frame.Error {
	return &frame.Error{Kind: frame.Timeout, Sent: true, Err: fmt.Errorf("no answer within %v", after)}
}

// cancelled tells that the context ended.
func cancelled(ctx context.Context, sent bool) *frame.Error {
	return &frame.Error{Kind: frame.Cancelled, Sent: sent, Err: ctx.Err()}
}

// dialTimeout bounds the making of a connection, name look-up included.
const dialTimeout = 10 * time.Second

// dial connects to host:port, so that the kernel notices a peer that is gone:
// by keepalives on an idle connection, by TCP_USER_TIMEOUT on a busy one.
func dial(ctx context.Context, address string, o Options) (net.Conn, error) {
	d := net.Dialer{
		Timeout:         dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		setUserTimeout(tcp, max(10*time.Second, 3*o.Timeout))
	}
	if !pause(ctx, o.PauseAfterConnect) {
		conn.Close()
		return nil, ctx.Err()
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

// pause waits; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
