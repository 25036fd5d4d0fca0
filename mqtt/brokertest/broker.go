package brokertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/eclipse/paho.golang/packets"
)

// Script is how a broker behaves. A nil function is the behaviour of a good
// broker: it takes everything and acknowledges it at once. The functions run
// in the goroutine that reads from one client.
type Script struct {
	Connect   func(p *Peer, c *packets.Connect)   // answer CONNECT
	Publish   func(p *Peer, m *packets.Publish)   // answer PUBLISH
	Subscribe func(p *Peer, s *packets.Subscribe) // answer SUBSCRIBE
	Ping      func(p *Peer)                       // answer PINGREQ
}

// Message is a message that the broker took.
type Message struct {
	Client  string
	Topic   string
	Payload string
	Retain  bool
}

// Broker is a scripted broker.
type Broker struct {
	t      testing.TB
	listen net.Listener
	script Script
	wg     sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	changed  *sync.Cond
	peers    map[*Peer]bool
	connects []*packets.Connect
	taken    []Message
	closed   bool
}

// Peer is one client of a broker, as its script sees it.
type Peer struct {
	*Broker
	Number int    // of its connection, from 1
	Client string // its client id
	conn   net.Conn
	will   *Message

	write sync.Mutex // held while a packet is written
}

// Start starts a broker.
func Start(t testing.TB, s Script) *Broker {
	t.Helper()
	return StartOn(t, listen(t), s)
}

// StartOn starts a broker on a listener, which it closes.
func StartOn(t testing.TB, l net.Listener, s Script) *Broker {
	t.Helper()
	b := &Broker{t: t, listen: l, script: s, peers: map[*Peer]bool{}}
	b.changed = sync.NewCond(&b.mu)
	b.wg.Add(1)
	go b.accept()
	t.Cleanup(b.Stop)
	return b
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen on 127.0.0.1: %v", err)
	}
	return l
}

// Stop closes every connection and the port, and waits. It may be called more
// than once.
func (b *Broker) Stop() {
	b.mu.Lock()
	b.closed = true
	for p := range b.peers {
		p.conn.Close()
	}
	b.mu.Unlock()
	b.listen.Close()
	b.wg.Wait()
}

// Addr is host:port.
func (b *Broker) Addr() string { return b.listen.Addr().String() }

// URL is the broker as a configuration names it.
func (b *Broker) URL() string { return "mqtt://" + b.Addr() }

func (b *Broker) accept() {
	defer b.wg.Done()
	for n := 1; ; n++ {
		c, err := b.listen.Accept()
		if err != nil {
			return
		}
		p := &Peer{Broker: b, Number: n, conn: c}
		b.mu.Lock()
		if b.closed {
			b.mu.Unlock()
			c.Close()
			return
		}
		b.peers[p] = true
		b.mu.Unlock()
		b.wg.Add(1)
		go p.serve()
	}
}

func (p *Peer) serve() {
	defer p.wg.Done()
	orderly := p.read()
	p.conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.peers, p)
	if !orderly && p.will != nil {
		p.taken = append(p.taken, *p.will)
	}
	p.changed.Broadcast()
}

// read serves the client until it goes, and says whether it took its leave.
func (p *Peer) read() (orderly bool) {
	for {
		cp, err := packets.ReadPacket(p.conn)
		if err != nil {
			return false
		}
		switch c := cp.Content.(type) {
		case *packets.Connect:
			p.connected(c)
		case *packets.Publish:
			call(p.script.Publish, (*Peer).Take, p, c)
		case *packets.Subscribe:
			call(p.script.Subscribe, (*Peer).Grant, p, c)
		case *packets.Pingreq:
			if p.script.Ping != nil {
				p.script.Ping(p)
			} else {
				p.Write(packets.NewControlPacket(packets.PINGRESP))
			}
		case *packets.Disconnect:
			return c.ReasonCode == 0
		case *packets.Puback:
		default:
			p.t.Errorf("the client sent %s, which no client should", cp)
		}
	}
}

func call[C any](f func(*Peer, C), otherwise func(*Peer, C), p *Peer, c C) {
	if f == nil {
		f = otherwise
	}
	f(p, c)
}

func (p *Peer) connected(c *packets.Connect) {
	p.mu.Lock()
	p.Client = c.ClientID
	p.connects = append(p.connects, c)
	if c.WillFlag {
		p.will = &Message{Client: c.ClientID, Topic: c.WillTopic, Payload: string(c.WillMessage), Retain: c.WillRetain}
	}
	p.changed.Broadcast()
	p.mu.Unlock()
	call(p.script.Connect, (*Peer).Welcome, p, c)
}

// Welcome accepts a CONNECT, once an earlier connection of the same client is
// closed and what had arrived on it is taken (MQTT 5, 3.1.4-3).
func (p *Peer) Welcome(*packets.Connect) {
	p.takeOver()
	p.Connack(0, &packets.Properties{})
}

func (p *Peer) takeOver() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for older := range p.peers {
		if older.Number >= p.Number || older.Client != p.Client {
			continue
		}
		older.conn.Close()
		for p.peers[older] {
			p.changed.Wait()
		}
	}
}

// Connack answers CONNECT.
func (p *Peer) Connack(code byte, props *packets.Properties) {
	p.Write(&packets.ControlPacket{
		FixedHeader: packets.FixedHeader{Type: packets.CONNACK},
		Content:     &packets.Connack{ReasonCode: code, Properties: props},
	})
}

// Take takes a message and acknowledges it.
func (p *Peer) Take(m *packets.Publish) {
	p.mu.Lock()
	p.taken = append(p.taken, Message{Client: p.Client, Topic: m.Topic, Payload: string(m.Payload), Retain: m.Retain})
	p.changed.Broadcast()
	p.mu.Unlock()
	p.Ack(m, 0, "")
}

// Ack answers a message without taking it.
func (p *Peer) Ack(m *packets.Publish, code byte, reason string) {
	if m.QoS == 0 {
		return
	}
	p.Write(&packets.ControlPacket{
		FixedHeader: packets.FixedHeader{Type: packets.PUBACK},
		Content: &packets.Puback{PacketID: m.PacketID, ReasonCode: code,
			Properties: &packets.Properties{ReasonString: reason}},
	})
}

// Grant accepts a subscription.
func (p *Peer) Grant(s *packets.Subscribe) { p.Suback(s, 1) }

// Suback answers a subscription.
func (p *Peer) Suback(s *packets.Subscribe, code byte) {
	p.Write(&packets.ControlPacket{
		FixedHeader: packets.FixedHeader{Type: packets.SUBACK},
		Content:     &packets.Suback{PacketID: s.PacketID, Reasons: []byte{code}, Properties: &packets.Properties{}},
	})
}

// Dismiss sends DISCONNECT and closes.
func (p *Peer) Dismiss(code byte, reason string) {
	p.Write(&packets.ControlPacket{
		FixedHeader: packets.FixedHeader{Type: packets.DISCONNECT},
		Content:     &packets.Disconnect{ReasonCode: code, Properties: &packets.Properties{ReasonString: reason}},
	})
	p.Close()
}

// Write sends a packet. An error means that the client has gone, which its
// reader will notice.
func (p *Peer) Write(cp *packets.ControlPacket) {
	var b bytes.Buffer
	if _, err := cp.WriteTo(&b); err != nil {
		p.t.Errorf("encode %s: %v", cp, err)
	}
	p.Raw(b.Bytes())
}

// Raw sends bytes as they are.
func (p *Peer) Raw(b []byte) {
	p.write.Lock()
	defer p.write.Unlock()
	if _, err := p.conn.Write(b); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
		p.conn.Close()
	}
}

// Close ends the connection without a word.
func (p *Peer) Close() { p.conn.Close() }

// Reset ends the connection with RST.
func (p *Peer) Reset() {
	if c, ok := p.conn.(*net.TCPConn); ok {
		if err := c.SetLinger(0); err != nil {
			p.t.Errorf("reset: %v", err)
		}
	}
	p.conn.Close()
}

// Connects are the CONNECTs that arrived so far.
func (b *Broker) Connects() []*packets.Connect {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.connects)
}

// Taken are the messages that were taken so far, wills among them.
func (b *Broker) Taken() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.taken)
}

// Clients are the connections that are open, by client id.
func (b *Broker) Clients(id string) []*Peer {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []*Peer
	for p := range b.peers {
		if p.Client == id {
			list = append(list, p)
		}
	}
	return list
}

// String helps a failing test.
func (m Message) String() string {
	return fmt.Sprintf("%s %s retain=%v", m.Topic, m.Payload, m.Retain)
}
