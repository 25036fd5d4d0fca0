package brokertest

import (
	"bufio"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// Proxy stands between a client and a broker and does harm on request. What
// it does is set by its methods and holds for open and new connections.
type Proxy struct {
	target string
	listen net.Listener
	wg     sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	opened *sync.Cond // the black hole has ended
	conns  map[net.Conn]bool
	hole   bool
	acks   bool // swallowed
	refuse bool
	count  int
	closed bool
}

// StartProxy starts a proxy to host:port.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p := &Proxy{target: target, listen: listen(t), conns: map[net.Conn]bool{}}
	p.opened = sync.NewCond(&p.mu)
	p.wg.Add(1)
	go p.accept()
	t.Cleanup(p.Stop)
	return p
}

// Stop ends everything and waits.
func (p *Proxy) Stop() {
	p.mu.Lock()
	p.closed, p.hole = true, false
	p.opened.Broadcast()
	p.mu.Unlock()
	p.listen.Close()
	p.Kill()
	p.wg.Wait()
}

// URL is the proxy as a configuration names it.
func (p *Proxy) URL() string { return "mqtt://" + p.listen.Addr().String() }

// Kill cuts every open connection.
func (p *Proxy) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// BlackHole lets nothing through, either way, and keeps connections open.
func (p *Proxy) BlackHole(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hole = on
	p.opened.Broadcast()
}

// SwallowAcks lets every PUBACK vanish.
func (p *Proxy) SwallowAcks(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acks = on
}

// Refuse closes new connections at once.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = on
}

// Connections is how many were made so far, without those refused.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

func (p *Proxy) accept() {
	defer p.wg.Done()
	for {
		c, err := p.listen.Accept()
		if err != nil {
			return
		}
		p.join(c)
	}
}

func (p *Proxy) join(client net.Conn) {
	p.mu.Lock()
	refuse := p.refuse || p.closed
	p.mu.Unlock()
	if refuse {
		client.Close()
		return
	}
	broker, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		client.Close()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		client.Close()
		broker.Close()
		return
	}
	p.conns[client], p.conns[broker] = true, true
	p.count++
	p.wg.Add(2)
	go p.carry(broker, client, p.bytes)
	go p.carry(client, broker, p.packets)
}

// carry moves bytes from one side to the other until one of them ends.
func (p *Proxy) carry(dst, src net.Conn, move func(io.Writer, *bufio.Reader) error) {
	defer p.wg.Done()
	r := bufio.NewReaderSize(src, 64<<10)
	for move(dst, r) == nil {
	}
	dst.Close()
	src.Close()
	p.mu.Lock()
	delete(p.conns, dst)
	delete(p.conns, src)
	p.mu.Unlock()
}

func (p *Proxy) bytes(dst io.Writer, src *bufio.Reader) error {
	if _, err := src.Peek(1); err != nil {
		return err
	}
	p.pass()
	b, _ := src.Peek(src.Buffered()) // never blocks
	if _, err := dst.Write(b); err != nil {
		return err
	}
	_, err := src.Discard(len(b))
	return err
}

// packets moves one packet from the broker to the client, or lets it vanish.
func (p *Proxy) packets(dst io.Writer, src *bufio.Reader) error {
	size, shift, n := 0, 0, 1
	for ; ; n++ {
		head, err := src.Peek(n + 1)
		if err != nil {
			return err
		}
		size |= int(head[n]&0x7f) << shift
		shift += 7
		if head[n]&0x80 == 0 {
			break
		}
	}
	b := make([]byte, n+1+size)
	if _, err := io.ReadFull(src, b); err != nil {
		return err
	}
	p.pass()
	p.mu.Lock()
	swallow := p.acks && b[0]>>4 == packets.PUBACK
	p.mu.Unlock()
	if swallow {
		return nil
	}
	_, err := dst.Write(b)
	return err
}

// pass waits while there is a black hole.
func (p *Proxy) pass() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.hole {
		p.opened.Wait()
	}
}
