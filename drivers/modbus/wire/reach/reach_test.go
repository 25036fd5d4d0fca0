package reach

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience ends a test that hangs.
const patience = 20 * time.Second

// freeAddress is one of 127.0.0.1 that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// dialFrom dials in as a device with an address of its own, as soon as
// somebody listens.
func dialFrom(t *testing.T, from, to string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		if conn, err := d.Dial("tcp", to); err == nil {
			t.Cleanup(func() { conn.Close() })
			return conn
		}
	}
	t.Fatalf("nobody listens at %s", to)
	return nil
}

func door(listen string, from ...string) Door {
	d := Door{Listen: listen, Patience: patience, Refused: func(netip.Addr) {}}
	for _, f := range from {
		d.From = append(d.From, netip.MustParsePrefix(f))
	}
	return d
}

// accept waits for a device in a goroutine of its own.
func accept(t *testing.T, h *Hub, d Door) <-chan net.Conn {
	t.Helper()
	got := make(chan net.Conn, 1)
	go func() {
		defer close(got)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if conn, err := h.Accept(ctx, d); err != nil {
			t.Errorf("accept at %s: %v", d.Listen, err)
		} else {
			got <- conn
		}
	}()
	return got
}

// same says whether two ends are of one connection.
func same(t *testing.T, a, b net.Conn) {
	t.Helper()
	if _, err := a.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = b.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(b, make([]byte, 1)); err != nil {
		t.Fatalf("read at the other end: %v", err)
	}
	_ = b.SetReadDeadline(time.Time{})
}

// refused says that a connection was closed by the hub.
func refused(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	var ne net.Error
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil || errors.As(err, &ne) && ne.Timeout() {
		t.Errorf("the connection was not closed: %d bytes, %v", n, err)
	}
}

// TestSourceTellsTheLink: two links listen at one port, and each gets its
// device, whichever comes first; a stranger is refused.
func TestSourceTellsTheLink(t *testing.T) {
	h, at := NewHub(), freeAddress(t)
	var strangers []netip.Addr
	one := door(at, "127.0.0.2/32")
	two := door(at, "127.0.1.0/24")
	two.Refused = func(a netip.Addr) { strangers = append(strangers, a) }
	first, second := accept(t, h, one), make(<-chan net.Conn)
	d2 := dialFrom(t, "127.0.0.2", at)
	c1 := <-first
	second = accept(t, h, two)
	// The second door is known once it lets its device in.
	d3 := dialFrom(t, "127.0.1.9", at)
	for {
		select {
		case c2 := <-second:
			stranger := dialFrom(t, "127.0.0.3", at)
			refused(t, stranger)
			same(t, d2, c1)
			same(t, d3, c2)
			c1.Close()
			c2.Close()
			if len(strangers) == 0 || strangers[len(strangers)-1] != netip.MustParseAddr("127.0.0.3") {
				t.Errorf("strangers told: %v, want 127.0.0.3 the last", strangers)
			}
			if _, err := net.Dial("tcp", at); err == nil {
				t.Error("the hub listens although no link is left")
			}
			return
		case <-time.After(50 * time.Millisecond): // it came before its door stood: it dials again
			d3 = dialFrom(t, "127.0.1.9", at)
		}
	}
}

// TestDialsInAgain: a device whose old connection is dead takes its place; one
// from another address that is allowed as well does not.
func TestDialsInAgain(t *testing.T) {
	h, at := NewHub(), freeAddress(t)
	d := door(at, "127.0.0.0/24")
	got := accept(t, h, d)
	old := dialFrom(t, "127.0.0.2", at)
	conn := <-got
	refused(t, dialFrom(t, "127.0.0.3", at))
	same(t, old, conn)

	again := dialFrom(t, "127.0.0.2", at)
	refused(t, conn) // our end of the old one was closed
	conn.Close()     // as its link does, before it opens again
	conn = <-accept(t, h, d)
	same(t, again, conn)
	conn.Close()
	conn.Close()
}

func TestAcceptEnds(t *testing.T) {
	h, at := NewHub(), freeAddress(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := h.Accept(ctx, door(at, "127.0.0.2/32")); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "to dial in") {
		t.Errorf("nobody dialled in: %v", err)
	}
	if _, err := net.Dial("tcp", at); err == nil {
		t.Error("the hub listens although nobody waits")
	}
	busy, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if _, err := h.Accept(t.Context(), door(at, "127.0.0.2/32")); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a port that is taken: %v", err)
	}
}

// TestOverlapIsRefused: two links that let one address in could get each
// other's device.
func TestOverlapIsRefused(t *testing.T) {
	h, at := NewHub(), freeAddress(t)
	got := accept(t, h, door(at, "127.0.0.0/24"))
	device := dialFrom(t, "127.0.0.2", at)
	conn := <-got
	if _, err := h.Accept(t.Context(), door(at, "127.0.0.9/32")); err == nil || !strings.Contains(err.Error(), "another link waits for 127.0.0.9/32") {
		t.Errorf("two links for one address: %v", err)
	}
	same(t, device, conn)
	conn.Close()
}

func TestDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := Dial(t.Context(), l.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	l.Close()
	if _, err := Dial(t.Context(), l.Addr().String(), patience); err == nil {
		t.Error("connected to a port that nobody listens at")
	}
}
