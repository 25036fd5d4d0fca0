package modbus

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/drivers/modbus/option"
	"fieldferry/tag"
)

// auto lets the plan of every device be as is cheapest.
func auto(l *tag.Link) *tag.Link {
	for _, d := range l.Devices {
		d.Options.(*DeviceOptions).Coalesce = option.Coalesce{}
	}
	return l
}

// listed writes tags "t0 hr:0 uint16" for some registers of memory(), and what
// a read of them all gives.
func listed(registers ...int) (tags []string, want string) {
	for _, r := range registers {
		tags = append(tags, fmt.Sprintf("t%d hr:%d uint16", r, r))
		want += fmt.Sprintf(" t%d=%d", r, 100+r)
	}
	return tags, strings.TrimSpace(want)
}

func facts(l *tag.Link) string {
	d, _ := drivers.Lookup(l.Driver)
	var ids []string
	for _, f := range d.(drivers.Learner).Facts(l) {
		ids = append(ids, f.ID)
	}
	return strings.Join(ids, " ")
}

// TestLearning: whatever a device refuses, no tag is ever bad that it has; what
// is learnt is the cause; and afterwards a cycle is one request for each block
// that the device can give.
func TestLearning(t *testing.T) {
	tags, want := listed(0, 1, 2, 20, 21, 40, 41, 60, 80, 99)
	for name, c := range map[string]struct {
		refuse   func(start, n int) byte // the exception, 0: answer
		facts    string
		requests int // of a cycle in the end
	}{
		"nothing":           {func(int, int) byte { return 0 }, "", 1},
		"hole in a gap":     {func(s, n int) byte { return when(s <= 50 && s+n > 50, 2) }, "d1/hr:42-59", 2},
		"hole, other code":  {func(s, n int) byte { return when(s <= 50 && s+n > 50, 3) }, "d1/hr:42-59", 2},
		"limit":             {func(_, n int) byte { return when(n > 50, 3) }, "d1/hr:limit", 3},
		"limit, other code": {func(_, n int) byte { return when(n > 50, 2) }, "d1/hr:limit", 3},
		"boundary":          {func(s, n int) byte { return when(s < 21 && s+n > 21, 2) }, "d1/hr:|21", 2},
		"one at a time":     {func(_, n int) byte { return when(n > 1, 1) }, "d1/hr:limit", 10},
		"hole and limit":    {func(s, n int) byte { return when(n > 45 || s <= 70 && s+n > 70, 2) }, "d1/hr:limit", 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := modbustest.New(t, map[byte]*modbustest.Memory{1: memory()})
			l := auto(newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: tags}))
			s.Handle(func(conn *modbustest.Conn, r modbustest.Request) {
				start, n := int(r.PDU[1])<<8|int(r.PDU[2]), int(r.PDU[4])
				if code := c.refuse(start, n); code != 0 {
					conn.Write(conn.Frame(r.ID, r.Unit, []byte{0x83, code}))
					return
				}
				conn.Write(conn.Answer(r))
			})
			_, g := open(t, l)
			for range 12 {
				wantRead(t, g[0], want)
			}
			before := s.Requests(0)
			wantRead(t, g[0], want)
			if n := s.Requests(0) - before; n != c.requests || facts(l) != c.facts {
				t.Errorf("a cycle takes %d requests, and known is %q; want %d and %q", n, facts(l), c.requests, c.facts)
			}
		})
	}
}

func when(yes bool, code byte) byte {
	if yes {
		return code
	}
	return 0
}

// TestNothingIsLearnt: from silence, from a busy or broken device, and from
// what a gateway says.
func TestNothingIsLearnt(t *testing.T) {
	tags, want := listed(0, 1, 30, 60)
	for code := range 12 {
		if code >= 1 && code <= 3 {
			continue
		}
		s := modbustest.New(t, map[byte]*modbustest.Memory{1: memory()})
		l := auto(newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: tags}))
		_, g := open(t, l)
		wantRead(t, g[0], want)
		s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
			if code > 0 {
				c.Write(c.Frame(r.ID, r.Unit, []byte{0x83, byte(code)}))
			}
		})
		for range 2 { // a third silence would end the link
			_, _ = show(t, g[0])
		}
		s.Handle(nil)
		wantRead(t, g[0], want)
		if known := facts(l); known != "" {
			t.Errorf("exception %d taught %s", code, known)
		}
	}
}

// TestFactsOutliveTheConnection: what was learnt is on the disk at once, and a
// new connection does not ask again; forgotten, it is learnt anew.
func TestFactsOutliveTheConnection(t *testing.T) {
	tags, want := listed(0, 1, 40, 41)
	m := memory()
	m.Hole(20)
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: m})
	l := auto(newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: tags}))
	c, g := open(t, l)
	wantRead(t, g[0], want)
	text, err := os.ReadFile(factsFile(l))
	if err != nil || !strings.Contains(string(text), "exception 2 (illegal data address)") {
		t.Fatalf("not kept: %v\n%s", err, text)
	}
	c.Close()
	_, g = open(t, l)
	before := s.Requests(0)
	wantRead(t, g[0], want)
	if n := s.Requests(0) - before; n != 2 {
		t.Errorf("%d requests of a new connection, want 2", n)
	}
	m.Fill(20)
	d, _ := drivers.Lookup(l.Driver)
	if n, err := d.(drivers.Learner).Forget(l, "d1"); n != 1 || err != nil {
		t.Fatalf("forgot %d, %v", n, err)
	}
	before = s.Requests(0)
	wantRead(t, g[0], want)
	if n := s.Requests(0) - before; n != 1 || facts(l) != "" {
		t.Errorf("%d requests when the hole is forgotten and gone, want 1; known: %s", n, facts(l))
	}
}

// TestPauseIsLearnt: a device that refuses what comes too soon is given time.
func TestPauseIsLearnt(t *testing.T) {
	tags, want := listed(0, 1, 2)
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: memory()})
	l := auto(newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: tags}))
	var last time.Time
	s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
		soon := time.Since(last) < 60*time.Millisecond
		last = time.Now()
		if soon && r.PDU[4] > 2 {
			c.Write(c.Frame(r.ID, r.Unit, []byte{0x83, 2}))
			return
		}
		c.Write(c.Answer(r))
	})
	_, g := open(t, l)
	for range 6 {
		wantRead(t, g[0], want)
	}
	if known := facts(l); known != "d1/pause" {
		t.Fatalf("known is %q, want d1/pause", known)
	}
	before := s.Requests(0)
	for range 3 {
		wantRead(t, g[0], want)
	}
	if n := s.Requests(0) - before; n != 3 {
		t.Errorf("%d requests in three cycles with the pause, want 3", n)
	}
}

// TestSlowTagsRide: an hourly tag between fast ones costs no request; one far
// away costs one in its own time, and none with the fast ones.
func TestSlowTagsRide(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: memory()})
	l := auto(newLink(t, "modbus-rtu", s.Endpoint(), map[int][]string{1: {"a hr:0 uint16", "slow hr:1 uint16", "b hr:2 uint16", "far hr:90 uint16"}}))
	dev := l.Devices[0]
	dev.Tags[1].Interval, dev.Tags[3].Interval = time.Hour, time.Hour
	s = modbustest.NewRTU(t, s.Units)
	l.Endpoint = s.Endpoint()
	d, _ := drivers.Lookup(l.Driver)
	c, err := d.Open(t.Context(), l, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	prepare := func(tags ...*tag.Tag) drivers.Group {
		g, err := c.Prepare(t.Context(), dev, tags)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	fast, slow := prepare(dev.Tags[0], dev.Tags[2]), prepare(dev.Tags[1], dev.Tags[3])
	for range 5 {
		wantRead(t, fast, "a=100 b=102")
	}
	if n := s.Requests(0); n != 5 {
		t.Errorf("%d requests of five fast reads, want 5", n)
	}
	wantRead(t, slow, "slow=101 far=190")
	if n := s.Requests(0); n != 6 {
		t.Errorf("the slow read took %d requests, want 1 for what lies far", n-5)
	}
	// A person who asks for the slow tag gets it from the device.
	wantRead(t, prepare(dev.Tags[1]), "slow=101")
	wantRead(t, prepare(dev.Tags[1], dev.Tags[3]), "slow=101 far=190")
	if n := s.Requests(0); n != 6+1+2 {
		t.Errorf("asked out of turn: %d requests, want 3", n-6)
	}
	wantRead(t, fast, "a=100 b=102")
}

// TestSilentRegisterOfAWholeBlock: a device that does not answer for one
// register, and so for the only block, is found out by asking for less.
func TestSilentRegisterOfAWholeBlock(t *testing.T) {
	tags, _ := listed(0, 1, 2, 3)
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: memory()})
	l := auto(newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: tags}))
	s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
		if start := int(r.PDU[2]); start > 2 || start+int(r.PDU[4]) <= 2 {
			c.Write(c.Answer(r))
		}
	})
	_, g := open(t, l)
	got := ""
	for range 12 {
		var de *drivers.DeviceError
		var err error
		if got, err = show(t, g[0]); err != nil && !errors.As(err, &de) && !errors.Is(err, drivers.ErrLinkDown) {
			t.Fatal(err)
		}
	}
	if want := "t0=100 t1=101 t2!timeout t3=103"; got != want {
		t.Errorf("after twelve reads %q, want %q", got, want)
	}
	if facts(l) != "" {
		t.Errorf("silence taught %s", facts(l))
	}
}

// TestEstimate: a line of 9600 baud whose devices are asked for more than it
// can carry, and one that can.
func TestEstimate(t *testing.T) {
	l := auto(newLink(t, "modbus-rtu", "/dev/ttyS0", map[int][]string{1: {"a hr:0 uint16", "b hr:124 uint16", "c hr:60 raw - 60"}, 2: {"a hr:0 uint16"}}))
	d, _ := drivers.Lookup(l.Driver)
	b := d.(drivers.Estimator).Estimate(l)
	// 8N1: 10 bits each. b joins c across a gap of 4, a is too far away.
	if b.Asked != time.Second || b.Achievable != time.Second || b.Requests != 3 || b.Measured || len(b.Devices) != 2 {
		t.Errorf("estimate %+v", b)
	}
	char := 10.0 / 9600
	gap := 35.0 / 9600
	want := 3*(13*char+2*gap+0.02) + (1+65+1)*2*char
	if math.Abs(b.Use-want) > 0.01 {
		t.Errorf("use %.3f, want %.3f", b.Use, want)
	}
	if got := b.String(); !strings.HasPrefix(got, "asked 1s, which takes 26 %") || !strings.HasSuffix(got, "(turnarounds assumed)") || !strings.Contains(got, "; d1 costs 8") {
		t.Errorf("said %q", got)
	}
	for _, dev := range l.Devices {
		for _, x := range dev.Tags {
			x.Interval = 200 * time.Millisecond
		}
	}
	b = d.(drivers.Estimator).Estimate(l)
	if b.Use < 1.3 || b.Achievable != time.Duration(float64(b.Asked)*b.Use) {
		t.Errorf("estimate %+v", b)
	}
}

func TestForbiddenRanges(t *testing.T) {
	tags, want := listed(0, 10)
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: memory()})
	l := auto(newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: tags}))
	o := l.Devices[0].Options.(*DeviceOptions)
	o.Forbidden = []string{"hr:5-6"}
	_, g := open(t, l)
	wantRead(t, g[0], want)
	if s.Requests(0) != 2 {
		t.Errorf("%d requests, want 2: not across what is forbidden", s.Requests(0))
	}
	d, _ := drivers.Lookup(l.Driver)
	for bad, part := range map[string]string{"hr:5-4": "does not end", "x": "address", "hr:1.3": "part of a register", "hr:9-12": "lies in the forbidden range"} {
		o.Forbidden = []string{bad}
		if got := fmt.Sprint(d.Check(l)); !strings.Contains(got, part) {
			t.Errorf("forbidden %s: %s, want %q", bad, got, part)
		}
	}
}
