package tcp

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/drivers/modbus/wire"
)

// short is a timeout for servers that are silent on purpose.
const short = 60 * time.Millisecond

func TestTCPSeveralUnits(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: unit(1000), 2: unit(2000), 255: unit(3000)})
	c := connect(t, s, Options{})
	for i := range 50 {
		mustRead(t, c, 1, i, 1000)
		mustRead(t, c, 2, i, 2000)
		mustRead(t, c, 255, i, 3000)
	}
	if got := c.Stats(); got.Requests != 150 || got.Answers != 150 || s.Connections() != 1 {
		t.Errorf("stats %+v on %d connections, want 150 answers on one", got, s.Connections())
	}
}

// TestTCPBadAnswers: each of these is answered instead of the right thing, and
// the next request on the same connection gets its own answer.
func TestTCPBadAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(c *modbustest.Conn, r modbustest.Request) []byte
		kind   frame.Kind
		text   string
	}{
		{"another unit", func(c *modbustest.Conn, r modbustest.Request) []byte {
			return c.Frame(r.ID, 9, []byte{3, 2, 0, 1})
		}, frame.BadFrame, "unit"},
		{"another function", func(c *modbustest.Conn, r modbustest.Request) []byte {
			return c.Frame(r.ID, 1, []byte{4, 2, 0, 1})
		}, frame.BadFrame, "function 4"},
		{"fewer registers", func(c *modbustest.Conn, r modbustest.Request) []byte {
			return c.Frame(r.ID, 1, []byte{3, 0})
		}, frame.BadFrame, "byte count 0"},
		{"more registers", func(c *modbustest.Conn, r modbustest.Request) []byte {
			return c.Frame(r.ID, 1, []byte{3, 4, 0, 1, 0, 2})
		}, frame.BadFrame, "byte count 4"},
		{"a lie about the count", func(c *modbustest.Conn, r modbustest.Request) []byte {
			return c.Frame(r.ID, 1, []byte{3, 2, 0, 1, 0})
		}, frame.BadFrame, "byte count 2 and 3 bytes"},
		{"an exception", func(c *modbustest.Conn, r modbustest.Request) []byte {
			return c.Frame(r.ID, 1, []byte{0x83, 6})
		}, frame.Exception, "exception 6 (server device busy)"},
		{"a foreign transaction", func(c *modbustest.Conn, r modbustest.Request) []byte {
			return c.Frame(r.ID+77, 1, []byte{3, 2, 0, 1})
		}, frame.Timeout, "no answer within"},
		{"silence", func(c *modbustest.Conn, r modbustest.Request) []byte { return nil }, frame.Timeout, "no answer within"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := modbustest.New(t, map[byte]*modbustest.Memory{1: unit(0)})
			link := connect(t, s, Options{Options: wire.Options{Timeout: short}})
			s.Handle(func(conn *modbustest.Conn, r modbustest.Request) { conn.Write(c.answer(conn, r)) })
			e := wantKind(t, read(t, link, 1, 5, 0), c.kind)
			if !strings.Contains(e.Error(), c.text) || !e.Sent || e.Suspect {
				t.Errorf("got %+v %v, want %q", e, e, c.text)
			}
			s.Handle(nil)
			mustRead(t, link, 1, 6, 0)
			if s.Connections() != 1 {
				t.Errorf("%d connections, want 1", s.Connections())
			}
		})
	}
}

// TestTCPBrokenStreams: after each of these nothing on the connection can be
// trusted, and it must say so rather than go on.
func TestTCPBrokenStreams(t *testing.T) {
	for name, raw := range map[string][]byte{
		"protocol id":     {0, 1, 0, 1, 0, 5, 1, 3, 2, 0, 1},
		"length zero":     {0, 1, 0, 0, 0, 0, 1, 3, 2, 0, 1},
		"length one":      {0, 1, 0, 0, 0, 1, 1},
		"length 255":      {0, 1, 0, 0, 0, 255, 1, 3},
		"a banner":        []byte("login: "),
		"half a frame":    {0, 1, 0, 0, 0, 5, 1, 3},
		"half a header":   {0, 1, 0},
		"closed at once":  nil,
		"closed in frame": {0, 1, 0, 0, 0, 5, 1, 3, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := modbustest.New(t, map[byte]*modbustest.Memory{1: unit(0)})
			c := connect(t, s, Options{Options: wire.Options{Timeout: 2 * short}})
			mustRead(t, c, 1, 0, 0)
			s.Handle(func(conn *modbustest.Conn, r modbustest.Request) {
				conn.Write(raw)
				if strings.HasPrefix(name, "closed") {
					conn.Close()
				}
			})
			// A frame that stays unfinished is a timeout first.
			err := read(t, c, 1, 1, 0)
			for deadline := time.Now().Add(patience); err != nil && time.Now().Before(deadline); err = read(t, c, 1, 1, 0) {
				var e *frame.Error
				if errors.As(err, &e) && e.Kind == frame.LinkDown {
					return
				}
			}
			t.Fatalf("got %v, want the link down", err)
		})
	}
}

// TestTCPLateAnswers: the answer to each request comes only with the next
// one, just ahead of its own; no value is ever shifted.
func TestTCPLateAnswers(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: unit(0), 2: unit(0)})
	c := connect(t, s, Options{Options: wire.Options{Timeout: short, Units: []byte{1, 2}}})
	var held []byte
	s.Handle(func(conn *modbustest.Conn, r modbustest.Request) {
		answer := conn.Answer(r)
		conn.Write(held)
		held = nil
		if r.N%4 == 0 {
			held = answer
			return
		}
		conn.Write(answer)
	})
	timeouts := 0
	for i := range 40 {
		if err := read(t, c, byte(1+i%2), i, 0); err != nil {
			wantKind(t, err, frame.Timeout)
			timeouts++
		}
	}
	got := c.Stats()
	if timeouts != 10 || got.Late != 10 || got.Timeouts != 10 || got.Answers != 30 || got.Foreign != 0 {
		t.Errorf("%d timeouts, stats %+v; want 10 late answers dropped", timeouts, got)
	}
}

func TestTCPDuplicatesAndForeignAnswersAreDropped(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: unit(0)})
	c := connect(t, s, Options{})
	s.Handle(func(conn *modbustest.Conn, r modbustest.Request) {
		answer := conn.Answer(r)
		foreign := conn.Frame(r.ID+1000, 1, []byte{3, 2, 0xEE, 0xEE})
		conn.Write(append(append(append(foreign, answer...), answer...), foreign...)) // all in one segment
	})
	for i := range 20 {
		mustRead(t, c, 1, i, 0)
	}
	if got := c.Stats(); got.Answers != 20 || got.Foreign < 3*19+1 {
		t.Errorf("stats %+v, want 20 answers and about 60 foreign ones", got)
	}
}

func TestTCPByteByByte(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: unit(0)})
	c := connect(t, s, Options{Options: wire.Options{Timeout: patience}})
	s.Handle(func(conn *modbustest.Conn, r modbustest.Request) {
		for _, b := range conn.Answer(r) {
			conn.Write([]byte{b})
		}
	})
	for i := range 10 {
		mustRead(t, c, 1, i, 0)
	}
}

func TestTCPAcceptsAnyUnitWhenAsked(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{7: unit(0)})
	s.Handle(func(conn *modbustest.Conn, r modbustest.Request) {
		conn.Write(conn.Frame(r.ID, 255, []byte{3, 2, 0, 5}))
	})
	c := connect(t, s, Options{AnyUnit: true})
	mustRead(t, c, 7, 5, 0)
}

// TestTCPPipelined: with several requests under way the answers come back in
// reverse order, and each reaches its asker.
func TestTCPPipelined(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: unit(0)})
	const depth = 4
	var held [][]byte
	s.Handle(func(conn *modbustest.Conn, r modbustest.Request) {
		held = append(held, conn.Answer(r))
		if len(held) < depth {
			return
		}
		for i := depth - 1; i >= 0; i-- {
			conn.Write(held[i])
		}
		held = nil
	})
	c := connect(t, s, Options{Options: wire.Options{Timeout: patience}, Depth: depth})
	var wg sync.WaitGroup
	for w := range depth {
		wg.Go(func() {
			for i := range 25 {
				if err := read(t, c, 1, w*25+i, 0); err != nil {
					t.Errorf("register %d: %v", w*25+i, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestTCPCancelReturnsAtOnce(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: unit(0)})
	c := connect(t, s, Options{Options: wire.Options{Timeout: time.Hour}})
	ctx, cancel := context.WithCancel(t.Context())
	arrived := make(chan struct{})
	s.Handle(func(conn *modbustest.Conn, r modbustest.Request) { close(arrived) })
	go func() { <-arrived; cancel() }()
	_, err := c.Exchange(ctx, 1, frame.Read(3, 0, 1))
	if e := wantKind(t, err, frame.Cancelled); !e.Sent || !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v, want a sent request and context.Canceled", e)
	}
	_, err = c.Exchange(ctx, 1, frame.Read(3, 0, 1))
	if e := wantKind(t, err, frame.Cancelled); e.Sent {
		t.Errorf("a request with an ended context was sent: %+v", e)
	}
	s.Handle(nil)
	mustRead(t, c, 1, 3, 0)
}

func TestTCPCloseInterrupts(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: unit(0)})
	c := connect(t, s, Options{Options: wire.Options{Timeout: time.Hour}})
	arrived := make(chan struct{})
	s.Handle(func(conn *modbustest.Conn, r modbustest.Request) { close(arrived) })
	go func() { <-arrived; c.Close() }()
	e := wantKind(t, read(t, c, 1, 0, 0), frame.LinkDown)
	if !e.Sent || !errors.Is(e, errClosed) {
		t.Errorf("got %+v, want a sent request on a closed link", e)
	}
	if e := wantKind(t, read(t, c, 1, 0, 0), frame.LinkDown); e.Sent {
		t.Errorf("a request was sent on a closed link: %+v", e)
	}
}

// TestTCPSilenceOfAllEndsTheConnection, and that of one among several does not.
func TestTCPSilenceOfAllEndsTheConnection(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: unit(0)})
	c := connect(t, s, Options{Options: wire.Options{Timeout: short, Units: []byte{1, 2}}})
	for i := range 2 * 3 {
		wantKind(t, read(t, c, 2, i, 0), frame.Timeout)
	}
	mustRead(t, c, 1, 0, 0)
	s.Handle(func(*modbustest.Conn, modbustest.Request) {})
	wantKind(t, read(t, c, 2, 0, 0), frame.Timeout)
	wantKind(t, read(t, c, 1, 0, 0), frame.Timeout)
	wantKind(t, read(t, c, 1, 0, 0), frame.Timeout)
	wantKind(t, read(t, c, 1, 0, 0), frame.LinkDown)
}

func TestTCPFloodEndsTheConnection(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: unit(0)})
	c := connect(t, s, Options{Options: wire.Options{Timeout: patience}})
	s.Handle(func(conn *modbustest.Conn, r modbustest.Request) {
		for range maxStrays + 2 {
			conn.Write(conn.Frame(r.ID+9, 1, []byte{3, 2, 0, 1}))
		}
	})
	wantKind(t, read(t, c, 1, 0, 0), frame.LinkDown)
}

func TestTCPPauses(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: unit(0)})
	c := connect(t, s, Options{Options: wire.Options{Pause: 20 * time.Millisecond}})
	start := time.Now()
	for i := range 4 {
		mustRead(t, c, 1, i, 0)
	}
	if d := time.Since(start); d < 60*time.Millisecond {
		t.Errorf("four reads with pauses of 20 ms between took %v", d)
	}
}

func TestTCPIDsOfAbandonedRequestsRest(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: unit(0)})
	c := connect(t, s, Options{Options: wire.Options{Timeout: short}})
	c.mu.Lock()
	c.lastID = 65533
	c.abandoned[65535], c.abandoned[0] = time.Now(), time.Now()
	c.abandoned[1] = time.Now().Add(-2 * idRest)
	c.mu.Unlock()
	var ids []uint16
	s.Handle(func(conn *modbustest.Conn, r modbustest.Request) {
		ids = append(ids, r.ID)
		conn.Write(conn.Answer(r))
	})
	for i := range 3 {
		mustRead(t, c, 1, i, 0)
	}
	if len(ids) != 3 || ids[0] != 65534 || ids[1] != 1 || ids[2] != 2 {
		t.Errorf("transaction ids %v, want 65534, 1, 2: 65535 and 0 rest", ids)
	}
}

func TestRequestsThatCannotBeSent(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: unit(0)})
	c := connect(t, s, Options{})
	_, err := c.Exchange(t.Context(), 1, frame.Read(3, 65530, 10))
	if e := wantKind(t, err, frame.Invalid); e.Sent {
		t.Errorf("got %+v", e)
	}
	if s.Requests(0) != 0 {
		t.Errorf("%d requests arrived, want none", s.Requests(0))
	}
}
