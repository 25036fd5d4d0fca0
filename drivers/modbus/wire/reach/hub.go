package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Door is where a device dials in, and who it may be.
type Door struct {
	Listen   string         // host:port; an empty host is every address of ours
	From     []netip.Prefix // the addresses that the device may have; never empty
	Patience time.Duration  // how long sent bytes may stay unacknowledged
	Refused  func(netip.Addr)
}

// Hub holds the listeners that devices dial in at. Links that listen at the
// same address share one; the source address tells whose a connection is. A
// connection from any other address is closed before a byte of it is read.
type Hub struct {
	mu        sync.Mutex // guards the field below, and the fields of listeners
	listeners map[string]*listener
}

// NewHub is a hub that does not listen yet.
func NewHub() *Hub { return &Hub{listeners: map[string]*listener{}} }

// listener is one address that is listened at. It is closed when it has
// neither doors nor parked connections.
type listener struct {
	l      net.Listener
	done   chan struct{} // closed when its goroutine has ended
	doors  []*visit
	parked []net.Conn
}

// parking is for how long a connection is kept for a link that is about to
// open again, because its device dialled in anew.
const parking = 10 * time.Second

// visit is a link that waits for its device, or has it.
type visit struct {
	door Door
	came chan net.Conn // capacity 1; the newest connection that nobody has taken yet
	conn *guest        // the one that was taken; nil before
}

// guest is a connection that was dialled in. The door stays open until it is
// closed.
type guest struct {
	net.Conn
	from  netip.Addr
	leave func()
	once  sync.Once
}

// Close ends the connection, and the listening where it was the last.
func (g *guest) Close() error {
	err := g.Conn.Close()
	g.once.Do(g.leave)
	return err
}

// Accept waits until the device of a door has dialled in, and returns its
// connection. The hub listens from the call until the connection is closed,
// or ctx ends. A device that dials in again from the same address takes the
// place of its old connection, which is closed; one from another address that
// the door lets in as well is refused as long as the first is there.
func (h *Hub) Accept(ctx context.Context, d Door) (net.Conn, error) {
	v := &visit{door: d, came: make(chan net.Conn, 1)}
	l, err := h.enter(v)
	if err != nil {
		return nil, err
	}
	leave := func() { h.leave(l, v) }
	select {
	case conn := <-v.came:
		g := &guest{Conn: conn, from: source(conn), leave: leave}
		h.mu.Lock()
		v.conn = g
		h.mu.Unlock()
		return g, nil
	case <-ctx.Done():
		leave()
		return nil, fmt.Errorf("wait at %s for the device to dial in: %w", d.Listen, ctx.Err())
	}
}

// enter adds a door to its listener.
func (h *Hub) enter(v *visit) (*listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.listeners[v.door.Listen]
	if l == nil {
		nl, err := net.Listen("tcp", v.door.Listen)
		if err != nil {
			return nil, fmt.Errorf("listen for the device: %w", err)
		}
		l = &listener{l: nl, done: make(chan struct{})}
		h.listeners[v.door.Listen] = l
		go h.serve(l)
	}
	for _, other := range l.doors {
		if p, both := overlap(other.door.From, v.door.From); both {
			return nil, fmt.Errorf("listen at %s: another link waits for %s there too: name the address of each device", v.door.Listen, p)
		}
	}
	l.doors = append(l.doors, v)
	for i, conn := range l.parked {
		if lets(v.door.From, source(conn)) {
			l.parked = slices.Delete(l.parked, i, i+1)
			v.came <- conn
			break
		}
	}
	return l, nil
}

// leave takes a door away. A connection that has come for it meanwhile is
// kept for a while: the device dialled in anew, and the link opens again.
func (h *Hub) leave(l *listener, v *visit) {
	h.mu.Lock()
	l.doors = slices.DeleteFunc(l.doors, func(x *visit) bool { return x == v })
	select {
	case conn := <-v.came:
		l.parked = append(l.parked, conn)
		time.AfterFunc(parking, func() { h.unpark(l, conn) })
	default:
	}
	closed := h.closeUnusedLocked(l)
	h.mu.Unlock()
	if closed {
		<-l.done
	}
}

// unpark ends the waiting of a connection that nobody took.
func (h *Hub) unpark(l *listener, conn net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.Index(l.parked, conn)
	if i < 0 {
		return
	}
	l.parked = slices.Delete(l.parked, i, i+1)
	_ = conn.Close() // nobody waits for it
	h.closeUnusedLocked(l)
}

// closeUnusedLocked closes a listener that nobody needs, and says whether it did.
func (h *Hub) closeUnusedLocked(l *listener) bool {
	if len(l.doors) > 0 || len(l.parked) > 0 {
		return false
	}
	for address, x := range h.listeners {
		if x == l {
			delete(h.listeners, address)
			_ = l.l.Close() // its goroutine sees that it is closed
			return true
		}
	}
	return false
}

// serve hands on connections until the listener is closed.
func (h *Hub) serve(l *listener) {
	defer close(l.done)
	for {
		conn, err := l.l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, or gone before we came: let others have theirs
			t := time.NewTimer(100 * time.Millisecond)
			<-t.C
			continue
		}
		if old := h.admit(l, conn); old != nil {
			_ = old.Close()
		}
	}
}

// admit gives a connection to the door that its source belongs to, and returns
// the one that is to be closed: it, where there is none, or the one before it.
func (h *Hub) admit(l *listener, conn net.Conn) net.Conn {
	from := source(conn)
	h.mu.Lock()
	defer h.mu.Unlock()
	var refused func(netip.Addr)
	for _, v := range l.doors {
		refused = v.door.Refused
		if !lets(v.door.From, from) {
			continue
		}
		var old net.Conn
		if v.conn != nil {
			if v.conn.from != from {
				break
			}
			old = v.conn.Conn // its link opens again, and finds this one
		}
		select {
		case before := <-v.came:
			if source(before) != from {
				v.came <- before
				return conn
			}
			old = before
		default:
		}
		prepare(conn, v.door.Patience)
		v.came <- conn
		return old
	}
	if refused != nil {
		refused(from)
	}
	return conn
}

func prepare(conn net.Conn, patience time.Duration) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(keepalive) // as with setUserTimeout
		setUserTimeout(tcp, patience)
	}
}

// source is the address that a connection comes from.
func source(conn net.Conn) netip.Addr {
	ap, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

func lets(from []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(from, func(p netip.Prefix) bool { return p.Contains(a) })
}

func overlap(a, b []netip.Prefix) (netip.Prefix, bool) {
	for _, p := range a {
		for _, q := range b {
			if p.Overlaps(q) {
				if q.Bits() > p.Bits() {
					return q, true
				}
				return p, true
			}
		}
	}
	return netip.Prefix{}, false
}
