package modbus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/learn"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/drivers/modbus/poll"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/tag"
)

// serve starts a server with units and opens a link to it.
func serve(t testing.TB, units map[byte]*modbustest.Memory, tags map[int][]string) (*modbustest.Server, *tag.Link, []drivers.Group) {
	t.Helper()
	s := modbustest.New(t, units)
	l := newLink(t, "modbus-tcp", s.Endpoint(), tags)
	_, groups := open(t, l)
	return s, l, groups
}

func TestReadTakesEveryTagOutOfItsBlock(t *testing.T) {
	m := memory()
	m.Bits[0][17], m.Bits[1][4] = true, true
	m.Words[1][9] = 0xFFFE
	m.Set(20, 0x42F6, 0xE979, 0x5055, 0x4D50, 0x1234, 0x12A4)
	s, _, g := serve(t, map[byte]*modbustest.Memory{1: m}, map[int][]string{1: {
		"i ir:9 int16", "last hr:3 uint16", "first hr:0 uint16", "again 40001 uint16", "bit hr:2.1 bool",
		"f hr:20 float32", "txt hr:22 string - 2", "bcd hr:24 bcd16", "bad hr:25 bcd16", "c coil:17", "c2 coil:0x0", "d 10005 bool",
	}})
	for range 3 {
		wantRead(t, g[0], "i=-2 last=103 first=100 again=100 bit=true f=123.456 txt=PUMP bcd=1234 bad!bad value c=true c2=false d=true")
	}
	if n := s.Requests(0); n != 3*5 {
		t.Errorf("%d requests in three cycles, want 15: one per table, and two for hr", n)
	}
}

// TestRefusedBlockIsTakenApart: a register that the device does not have is
// bad alone, in the same cycle; it is then left alone, and comes back.
func TestRefusedBlockIsTakenApart(t *testing.T) {
	m := memory()
	m.Hole(5)
	var tags []string
	want, back := "", ""
	for i := range 10 {
		tags = append(tags, fmt.Sprintf("t%d hr:%d uint16", i, i))
		v := fmt.Sprintf(" t%d=%d", i, 100+i)
		back += v
		if i == 5 {
			v = " t5!bad address"
		}
		want += v
	}
	s, l, g := serve(t, map[byte]*modbustest.Memory{1: m}, map[int][]string{1: tags})
	wantRead(t, g[0], want[1:])
	first := s.Requests(0)
	if first > 1+2*4 {
		t.Errorf("the first cycle took %d requests, want at most 9: a bisection", first)
	}
	wantRead(t, g[0], want[1:])
	second := s.Requests(0) - first
	if second >= first || second > 4 {
		t.Errorf("the second cycle took %d requests: the refused register was asked for again", second)
	}
	m.Fill(5)
	wantRead(t, g[0], want[1:]) // its rest is not over
	d, _ := drivers.Lookup(l.Driver)
	if n, err := d.(drivers.Learner).Forget(l, "d1/hr:5"); n != 1 || err != nil {
		t.Fatalf("forgot %d facts, %v; known are %v", n, err, d.(drivers.Learner).Facts(l))
	}
	wantRead(t, g[0], back[1:])
	before := s.Requests(0)
	wantRead(t, g[0], back[1:])
	if n := s.Requests(0) - before; n != 1 {
		t.Errorf("after its return a cycle took %d requests, want 1", n)
	}
}

// TestSizeLimitIsFound: a device that refuses long reads is read in shorter
// ones, and no tag is bad.
func TestSizeLimitIsFound(t *testing.T) {
	var tags, want []string
	for i := range 100 {
		tags = append(tags, fmt.Sprintf("t%d hr:%d uint16", i, i))
		want = append(want, fmt.Sprintf("t%d=%d", i, 100+i))
	}
	s, _, g := serve(t, map[byte]*modbustest.Memory{1: memory()}, map[int][]string{1: tags})
	s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
		if r.PDU[4] > 30 {
			c.Write(c.Frame(r.ID, r.Unit, []byte{0x83, 3}))
			return
		}
		c.Write(c.Answer(r))
	})
	for range 8 { // the limit is looked for by halving
		wantRead(t, g[0], strings.Join(want, " "))
	}
	before := s.Requests(0)
	wantRead(t, g[0], strings.Join(want, " "))
	if n := s.Requests(0) - before; n != 4 {
		t.Errorf("a later cycle took %d requests, want 4 of at most 30", n)
	}
}

func TestExceptionsThatSayNothingOfTheAddress(t *testing.T) {
	for code, want := range map[byte]string{
		4: "a!server device failure b!server device failure",
		5: "a!acknowledge b!acknowledge",
		6: "a!server device busy b!server device busy",
		9: "a!unknown b!unknown",
	} {
		s, _, g := serve(t, map[byte]*modbustest.Memory{1: memory()}, map[int][]string{1: {"a hr:0 uint16", "b hr:1 uint16"}})
		s.Handle(func(c *modbustest.Conn, r modbustest.Request) { c.Write(c.Frame(r.ID, r.Unit, []byte{0x83, code})) })
		wantRead(t, g[0], want)
		most := 1
		if code == 5 || code == 6 {
			most = 3 // it is given time
		}
		if n := s.Requests(0); n != most {
			t.Errorf("exception %d: %d requests, want %d: nothing is to be learnt from it", code, n, most)
		}
		s.Handle(nil)
		wantRead(t, g[0], "a=100 b=101")
	}
}

func TestGatewayFaultIsThatOfTheDevice(t *testing.T) {
	s, _, g := serve(t, map[byte]*modbustest.Memory{1: memory(), 2: memory()}, map[int][]string{1: {"a hr:0 uint16"}, 2: {"a hr:0 uint16"}})
	s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
		if r.Unit == 1 {
			c.Write(c.Frame(r.ID, r.Unit, []byte{0x83, 11}))
			return
		}
		c.Write(c.Answer(r))
	})
	var de *drivers.DeviceError
	if _, err := show(t, g[0]); !errors.As(err, &de) || de.Device != "d1" || de.Reason != "gateway target device failed to respond" {
		t.Errorf("got %v, want a DeviceError of d1", err)
	}
	wantRead(t, g[1], "a=100")
}

// TestSilentBlockDoesNotStarveTheOthers: a device that never answers for one
// address costs one timeout a cycle, and its other tags are read.
func TestSilentBlockDoesNotStarveTheOthers(t *testing.T) {
	s, _, g := serve(t, map[byte]*modbustest.Memory{1: memory()},
		map[int][]string{1: {"a hr:0 uint16", "b hr:50 uint16", "c hr:100 uint16", "d hr:150 uint16"}})
	dumb := func(addresses ...byte) {
		s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
			for _, a := range addresses {
				if r.PDU[2] == a {
					return
				}
			}
			c.Write(c.Answer(r))
		})
	}
	dumb(0)
	var de *drivers.DeviceError
	if _, err := show(t, g[0]); !errors.As(err, &de) || de.Reason != tag.ReasonTimeout {
		t.Fatalf("first read: got %v, want a DeviceError: nothing has answered yet", err)
	}
	for range 3 {
		wantRead(t, g[0], "a!timeout b=150 c=200 d=250")
	}
	before := s.Requests(0)
	dumb(0, 100, 150)
	wantRead(t, g[0], "a!timeout b=150 c!timeout d!timeout")
	if n := s.Requests(0) - before; n != 3 {
		t.Errorf("%d requests in a cycle with two blocks that fell silent, want 3: two misses end it", n)
	}
	for range 6 {
		wantRead(t, g[0], "a!timeout b=150 c!timeout d!timeout")
	}
	if n := s.Requests(0) - before; n != 3+6*2 {
		t.Errorf("%d requests in seven cycles, want 15: one silent block is asked in each", n)
	}
	dumb(100)
	for range 3 {
		_, _ = show(t, g[0])
	}
	wantRead(t, g[0], "a=100 b=150 c!timeout d=250")
	s.Handle(nil)
	wantRead(t, g[0], "a=100 b=150 c=200 d=250")
}

func TestSilentDeviceCostsOneTimeoutAndComesBack(t *testing.T) {
	s, _, g := serve(t, map[byte]*modbustest.Memory{1: memory(), 2: memory()},
		map[int][]string{1: {"a hr:0 uint16", "b hr:50 uint16", "c hr:100 uint16"}, 2: {"n hr:0 uint16"}})
	s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
		if r.Unit != 1 {
			c.Write(c.Answer(r))
		}
	})
	for i := range 6 {
		var de *drivers.DeviceError
		if _, err := show(t, g[0]); !errors.As(err, &de) {
			t.Fatalf("read %d of a silent device: %v", i, err)
		}
		if n := s.Requests(1); n != i+1 {
			t.Fatalf("%d requests after %d reads, want one each", n, i+1)
		}
		wantRead(t, g[1], "n=100")
	}
	s.Handle(nil)
	wantRead(t, g[0], "a=100 b=150 c=200")
}

func TestBadFramesAreNoValues(t *testing.T) {
	s, _, g := serve(t, map[byte]*modbustest.Memory{1: memory()}, map[int][]string{1: {"a hr:0 uint16", "b hr:50 uint16"}})
	s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
		if r.PDU[2] == 50 {
			c.Write(c.Frame(r.ID, r.Unit, []byte{3, 4, 1, 1, 1, 1}))
			return
		}
		c.Write(c.Answer(r))
	})
	wantRead(t, g[0], "a=100 b!bad answer")
}

func TestLinkDownIsTold(t *testing.T) {
	s, _, g := serve(t, map[byte]*modbustest.Memory{1: memory()}, map[int][]string{1: {"a hr:0 uint16", "b hr:50 uint16"}})
	s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
		if r.PDU[2] == 50 {
			c.Write(c.Answer(r)[:5]) // in mid-frame
			c.Close()
			return
		}
		c.Write(c.Answer(r))
	})
	if got, err := show(t, g[0]); !errors.Is(err, drivers.ErrLinkDown) {
		t.Errorf("got %q, %v; want ErrLinkDown", got, err)
	}
}

func TestCancelledReadTellsItsContext(t *testing.T) {
	s, _, g := serve(t, map[byte]*modbustest.Memory{1: memory()}, map[int][]string{1: {"a hr:0 uint16"}})
	arrived := make(chan struct{}, 1)
	s.Handle(func(*modbustest.Conn, modbustest.Request) { arrived <- struct{}{} })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if _, err := g[0].Read(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	s.Handle(nil)
	wantRead(t, g[0], "a=100")
}

func TestWriteOnlyTagIsNeverRead(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: memory()})
	l := newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: {"cmd hr:0 uint16"}})
	l.Devices[0].Tags[0].Access = tag.AccessWrite
	_, g := open(t, l)
	wantRead(t, g[0], "cmd!write only")
	if s.Requests(0) != 0 {
		t.Errorf("a write-only tag was read")
	}
}

// canned is a link that answers every read with the same bytes.
type canned struct{ data []byte }

func (c canned) Exchange(_ context.Context, _ byte, req frame.PDU) (wire.Reply, error) {
	return wire.Reply{Data: c.data[:req.AnswerBytes()], At: time.Now().UTC()}, nil
}
func (c canned) Close() error      { return nil }
func (c canned) Stats() wire.Stats { return wire.Stats{} }

// TestPollDoesNotAllocate: from the answer to the samples nothing is
// allocated, however many tags there are.
func TestPollDoesNotAllocate(t *testing.T) {
	var list []string
	for i := range 200 {
		list = append(list, fmt.Sprintf("f%d hr:%d float32 CDAB", i, 4*i), fmt.Sprintf("i%d hr:%d int16", i, 4*i+2), fmt.Sprintf("c%d coil:%d bool", i, i))
	}
	l := newLink(t, "modbus-tcp", "tcp://127.0.0.1", map[int][]string{1: list})
	link := canned{make([]byte, 250)}
	c := newConn(link, quiet, poll.Setup{Link: link, Log: quiet, Facts: learn.Open("", quiet)})
	g, err := c.Prepare(t.Context(), l.Devices[0], l.Devices[0].Tags)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]tag.Sample, 0, len(list))
	n := testing.AllocsPerRun(100, func() {
		if got, err := g.Read(context.Background(), dst); err != nil || len(got) != len(list) {
			t.Errorf("read: %d samples, %v", len(got), err)
		}
	})
	if n != 0 {
		t.Errorf("a read of %d tags makes %v allocations, want 0", len(list), n)
	}
}
