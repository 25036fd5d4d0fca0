package wire

import (
	"context"
	"io"
	"sync"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho/log"
	"github.com/eclipse/paho.golang/paho/session"
)

// Result is what the broker made of one message that Send sent.
type Result struct {
	Token  uint64 // as given to Send
	Code   Code
	Reason string // the broker's own words, if it sent any
}

// tokens carries the token of a message through the library into the session:
// the library derives the context it gives to AddToSession from this one.
type tokens struct {
	context.Context
	token uint64
}

type tokenKey struct{}

func (t *tokens) Value(key any) any {
	if key == (tokenKey{}) {
		return t.token
	}
	return t.Context.Value(key)
}

// request is a packet that waits for its answer.
type request struct {
	async bool // sent by Send: the result is told by token
	token uint64
	reply chan<- packets.ControlPacket // buffered; told once, with an empty packet when the connection is lost
}

// flow is the session state of one connection (paho/session.SessionManager):
// it hands out packet ids and pairs answers with requests. It stores no
// message, for the buffer has them all, and knows nothing after the
// connection is lost. Its methods never block: they run in the goroutine that
// reads from the broker.
type flow struct {
	fail   func(error)
	result func(Result) // told every outcome of Send, in the order the broker tells

	mu       sync.Mutex // guards the fields below
	w        io.Writer  // the connection; nil before CONNACK and after the end
	waiting  map[uint16]request
	lastID   uint16
	received map[uint16]bool // ids of messages of QoS 2 between PUBREC and PUBREL: none, unless the broker sends what we did not ask for
}

func newFlow(result func(Result), fail func(error)) *flow {
	return &flow{fail: fail, result: result, waiting: map[uint16]request{}, received: map[uint16]bool{}}
}

var _ session.SessionManager = (*flow)(nil)

// ConAckReceived begins the connection.
func (f *flow) ConAckReceived(w io.Writer, _ *packets.Connect, _ *packets.Connack) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.w = w
	return nil
}

// ConnectionLost forgets everything and releases who waits. The library calls
// it more than once, and while PacketReceived may still run.
func (f *flow) ConnectionLost(dp *packets.Disconnect) error {
	if dp != nil {
		e := &Error{Kind: Dismissed, Code: Code(dp.ReasonCode)}
		if dp.Properties != nil {
			e.Reason = dp.Properties.ReasonString
		}
		f.fail(e)
	}
	f.mu.Lock()
	waiting := f.waiting
	f.w, f.waiting, f.received = nil, map[uint16]request{}, map[uint16]bool{}
	f.mu.Unlock()
	for _, r := range waiting {
		if !r.async {
			r.reply <- packets.ControlPacket{}
		}
	}
	return nil
}

// AddToSession gives a packet an id. The window is the caller's care, so that
// this never has to wait for an id.
func (f *flow) AddToSession(ctx context.Context, p session.Packet, reply chan<- packets.ControlPacket) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.w == nil {
		return session.ErrNoConnection
	}
	id, ok := f.freeIDLocked()
	if !ok {
		return session.ErrPacketIdentifiersExhausted
	}
	r := request{reply: reply}
	if t, ok := ctx.Value(tokenKey{}).(uint64); ok {
		r = request{async: true, token: t}
	}
	f.waiting[id] = r
	p.SetIdentifier(id)
	return nil
}

func (f *flow) freeIDLocked() (uint16, bool) {
	if len(f.waiting) >= 0xffff {
		return 0, false
	}
	for {
		f.lastID++
		if f.lastID == 0 {
			continue // 0 is no id
		}
		if _, used := f.waiting[f.lastID]; !used {
			return f.lastID, true
		}
	}
}

// PacketReceived takes everything that carries a packet id.
func (f *flow) PacketReceived(cp *packets.ControlPacket, publishes chan<- *packets.Publish) error {
	switch p := cp.Content.(type) {
	case *packets.Puback:
		f.answer(cp, p.PacketID, Code(p.ReasonCode), p.Properties)
	case *packets.Pubrec:
		f.pubrec(cp, p)
	case *packets.Pubcomp:
		f.answer(cp, p.PacketID, Code(p.ReasonCode), p.Properties)
	case *packets.Suback:
		f.answer(cp, p.PacketID, Success, p.Properties)
	case *packets.Unsuback:
		f.answer(cp, p.PacketID, Success, p.Properties)
	case *packets.Pubrel:
		f.mu.Lock()
		delete(f.received, p.PacketID)
		f.mu.Unlock()
		f.send(&packets.Pubcomp{PacketID: p.PacketID})
	case *packets.Publish:
		f.publish(p, publishes)
	}
	return nil
}

// answer tells whoever sent the packet of this id. An id that nobody waits
// for is no harm: nothing is settled by it.
func (f *flow) answer(cp *packets.ControlPacket, id uint16, code Code, props *packets.Properties) {
	f.mu.Lock()
	r, ok := f.waiting[id]
	delete(f.waiting, id)
	f.mu.Unlock()
	switch {
	case !ok:
	case r.async:
		res := Result{Token: r.token, Code: code}
		if props != nil {
			res.Reason = props.ReasonString
		}
		f.result(res)
	default:
		r.reply <- *cp
	}
}

// pubrec goes on with a message of QoS 2, unless it was refused.
func (f *flow) pubrec(cp *packets.ControlPacket, p *packets.Pubrec) {
	if code := Code(p.ReasonCode); code.Refused() {
		f.answer(cp, p.PacketID, code, p.Properties)
		return
	}
	f.send(&packets.Pubrel{PacketID: p.PacketID})
}

// publish passes a message on. It may wait for room, for as long as callbacks
// take, which do not block. How many a broker may send at once is not held
// against it: mosquitto without a limit of its own does not keep to ours.
func (f *flow) publish(p *packets.Publish, publishes chan<- *packets.Publish) {
	f.mu.Lock()
	again := p.QoS == 2 && f.received[p.PacketID]
	if p.QoS == 2 {
		f.received[p.PacketID] = true
	}
	f.mu.Unlock()
	if again {
		f.send(&packets.Pubrec{PacketID: p.PacketID})
		return
	}
	publishes <- p
}

// Ack acknowledges a message that was handed over.
func (f *flow) Ack(p *packets.Publish) error {
	switch p.QoS {
	case 1:
		f.send(&packets.Puback{PacketID: p.PacketID})
	case 2:
		f.send(&packets.Pubrec{PacketID: p.PacketID})
	}
	return nil
}

// send writes an answer. A failed write ends the connection by itself.
func (f *flow) send(p interface {
	WriteTo(io.Writer) (int64, error)
}) {
	f.mu.Lock()
	w := f.w
	f.mu.Unlock()
	if w != nil {
		_, _ = p.WriteTo(w) // the conn keeps the error, and its reader ends the connection
	}
}

// Close does nothing: the state ends with the connection.
func (f *flow) Close() error { return nil }

// SetErrorLogger does nothing: every fault has a cause, which is returned.
func (f *flow) SetErrorLogger(log.Logger) {}

// SetDebugLogger does nothing.
func (f *flow) SetDebugLogger(log.Logger) {}
