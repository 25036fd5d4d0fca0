package opcua

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"fieldferry/drivers"
	"fieldferry/drivers/drivertest"
	"fieldferry/drivers/opcua/scripted"
	"fieldferry/tag"
)

// plantNodes is a small server: namespaces, no limits, a few values.
func plantNodes() scripted.Nodes {
	n := scripted.Nodes{
		"i=2255": scripted.Value([]string{"http://opcfoundation.org/UA/", "urn:server", "urn:plant"}),
		"i=2259": scripted.Value(int32(0)),
	}
	for i := range 20 {
		n[fmt.Sprintf("ns=2;s=n%d", i)] = scripted.Value(int32(i))
	}
	return n
}

func numbered(n int) (tags []*tag.Tag) {
	for i := range n {
		tags = append(tags, &tag.Tag{Name: fmt.Sprintf("n%d", i), Address: fmt.Sprintf("nsu=urn:plant;s=n%d", i)})
	}
	return tags
}

func TestConformance(t *testing.T) {
	srv := scripted.Start(t, plantNodes().Handle)
	drivertest.Run(t, drivertest.Harness{
		Driver: Driver{},
		Link: func(*testing.T) *tag.Link {
			tags := numbered(5)
			tags[4].Access = tag.AccessReadWrite
			return newLink(srv.Endpoint, tags...)
		},
		Faulty: func(*testing.T) *tag.Link { return newLink("opc.tcp://", numbered(1)...) },
		Write:  func(l *tag.Link) (*tag.Tag, tag.Value) { return l.Devices[0].Tags[4], tag.Int(99) },
		Cut:    func(*testing.T) { srv.Cut() },
	})
}

// summary is value and quality of samples by tag name.
func summary(samples []tag.Sample) map[string]string {
	m := map[string]string{}
	for _, s := range samples {
		m[s.Tag.Name] = s.Value.String() + " " + s.Quality.String()
	}
	return m
}

// TestBadTagsAlone: what is wrong with one tag costs no other.
func TestBadTagsAlone(t *testing.T) {
	nodes := plantNodes()
	nodes["ns=2;s=n1"] = &ua.DataValue{Status: ua.StatusBadSensorFailure, EncodingMask: ua.DataValueStatusCode}
	srv := scripted.Start(t, nodes.Handle)
	tags := append(numbered(2), &tag.Tag{Name: "moved", Address: "nsu=urn:gone;s=x"}, &tag.Tag{Name: "missing", Address: "ns=2;s=none"},
		&tag.Tag{Name: "typed", Address: "ns=2;s=n3", Type: "float64"})
	_, g := open(t, newLink(srv.Endpoint, tags...))
	got, err := g.Read(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"n0": "0 good", "n1": "null bad (BadSensorFailure)", "moved": "null bad (unknown namespace)",
		"missing": "null bad (BadNodeIdUnknown)", "typed": "null bad (type changed)",
	}
	for name, w := range want {
		if s := summary(got); s[name] != w {
			t.Errorf("%s: got %s, want %s", name, s[name], w)
		}
	}
}

// TestMissingNodeRests: a node that is not there is not asked on every read,
// and its tag says so on every one.
func TestMissingNodeRests(t *testing.T) {
	var asked atomic.Int64
	nodes := plantNodes()
	srv := scripted.Start(t, func(req ua.Request) ua.Response {
		if r, ok := req.(*ua.ReadRequest); ok {
			for _, x := range r.NodesToRead {
				if x.NodeID.String() == "ns=2;s=none" {
					asked.Add(1)
				}
			}
		}
		return nodes.Handle(req)
	})
	_, g := open(t, newLink(srv.Endpoint, append(numbered(1), &tag.Tag{Name: "none", Address: "ns=2;s=none"})...))
	for range 5 {
		got, err := g.Read(t.Context(), nil)
		if s := summary(got); err != nil || s["n0"] != "0 good" || s["none"] != "null bad (BadNodeIdUnknown)" {
			t.Errorf("got %v, %v", s, err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	p := &g.points[1]
	if want := time.Until(p.rest.until); want <= 0 || p.rest.wait != leastRest {
		t.Errorf("rests for %v until %v, want %v", p.rest.wait, p.rest.until, leastRest)
	}
	p.rest.until = time.Now()
	if _, err := g.Read(t.Context(), nil); err != nil || asked.Load() != 2 || p.rest.wait != 2*leastRest {
		t.Errorf("after its rest: %v, asked %d times, rests %v; want asked again and twice the rest", err, asked.Load(), p.rest.wait)
	}
}

// TestBatches: the limit that the server tells, and one that it does not.
func TestBatches(t *testing.T) {
	tests := []struct {
		name    string
		told    any // MaxNodesPerRead; nil: not told
		real    int
		largest int // request after it has learned
	}{
		{"told", uint32(3), 3, 3},
		{"zero is none", uint32(0), 1000, 16},
		{"not told", nil, 5, 4}, // 16, 8, 4
		{"another type", "many", 1000, 16},
	}
	for _, tc := range tests {
		nodes := plantNodes()
		if tc.told != nil {
			nodes["i=11705"] = scripted.Value(tc.told)
		}
		var mu sync.Mutex
		var sizes []int
		srv := scripted.Start(t, func(req ua.Request) ua.Response {
			if r, ok := req.(*ua.ReadRequest); ok {
				mu.Lock()
				sizes = append(sizes, len(r.NodesToRead))
				mu.Unlock()
				if len(r.NodesToRead) > tc.real {
					return scripted.Fault(ua.StatusBadTooManyOperations)
				}
			}
			return nodes.Handle(req)
		})
		_, g := open(t, newLink(srv.Endpoint, numbered(16)...))
		for range 2 {
			mu.Lock()
			sizes = nil
			mu.Unlock()
			got, err := g.Read(t.Context(), nil)
			for i := range 16 {
				if s := summary(got)[fmt.Sprintf("n%d", i)]; err != nil || s != fmt.Sprintf("%d good", i) {
					t.Errorf("%s: n%d: got %s, %v", tc.name, i, s, err)
				}
			}
		}
		mu.Lock()
		if largest := slices.Max(sizes); largest != tc.largest {
			t.Errorf("%s: requests of %v nodes, want at most %d", tc.name, sizes, tc.largest)
		}
		mu.Unlock()
	}
}

// TestCulprit: one node makes every request that it is in too large.
func TestCulprit(t *testing.T) {
	nodes := plantNodes()
	srv := scripted.Start(t, func(req ua.Request) ua.Response {
		if r, ok := req.(*ua.ReadRequest); ok {
			for _, x := range r.NodesToRead {
				if x.NodeID.String() == "ns=2;s=n5" {
					return scripted.Fault(ua.StatusBadResponseTooLarge)
				}
			}
		}
		return nodes.Handle(req)
	})
	_, g := open(t, newLink(srv.Endpoint, numbered(16)...))
	for round := range 2 {
		before := srv.Seen("Read")
		got, err := g.Read(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, s := range summary(got) {
			if good := strings.HasSuffix(s, " good"); good == (name == "n5") {
				t.Errorf("round %d: %s: got %s", round, name, s)
			}
		}
		if n := srv.Seen("Read") - before; round == 1 && n != 1 {
			t.Errorf("once it is known it took %d requests, want 1", n)
		}
	}
	p := &g.points[5]
	p.rest.until = time.Now()
	before := srv.Seen("Read")
	if _, err := g.Read(t.Context(), nil); err != nil || srv.Seen("Read")-before != 2 {
		t.Errorf("after its rest: %v, %d requests, want 2: it is asked alone", err, srv.Seen("Read")-before)
	}
}

// TestStrangeAnswers: what a read turns into when the server is wrong.
func TestStrangeAnswers(t *testing.T) {
	values := func(n int) *ua.ReadResponse {
		r := new(ua.ReadResponse)
		for i := range n {
			r.Results = append(r.Results, scripted.Value(int32(i)))
		}
		return r
	}
	tests := []struct {
		name   string
		answer ua.Response
		reason string // of the device error; empty: the link is down
	}{
		{"too few results", values(2), "protocol error"},
		{"too many results", values(4), "protocol error"},
		{"no results", values(0), "protocol error"},
		{"another type", &ua.WriteResponse{Results: []ua.StatusCode{0, 0, 0}}, "protocol error"},
		{"access denied", scripted.Fault(ua.StatusBadUserAccessDenied), "BadUserAccessDenied"},
		{"no memory", scripted.Fault(ua.StatusBadOutOfMemory), "BadOutOfMemory"},
		{"timeout", scripted.Fault(ua.StatusBadTimeout), "timeout"},
		{"session closed", scripted.Fault(ua.StatusBadSessionClosed), ""},
	}
	for _, tc := range tests {
		nodes := plantNodes()
		srv := scripted.Start(t, func(req ua.Request) ua.Response {
			if r, ok := req.(*ua.ReadRequest); ok && r.NodesToRead[0].NodeID.Namespace() == 2 {
				return tc.answer
			}
			return nodes.Handle(req)
		})
		_, g := open(t, newLink(srv.Endpoint, numbered(3)...))
		_, err := g.Read(t.Context(), nil)
		var de *drivers.DeviceError
		switch {
		case tc.reason == "":
			wantLinkDown(t, tc.name, err)
		case !errors.As(err, &de) || de.Reason != tc.reason || de.Device != "m1":
			t.Errorf("%s: got %v, want a device error with %q", tc.name, err, tc.reason)
		}
	}
}

func TestWriteOutcome(t *testing.T) {
	tests := []struct {
		name    string
		answer  ua.Response // to Write; nil: silence
		unknown bool
		text    string
	}{
		{"silence", nil, true, "no answer"},
		{"no results", &ua.WriteResponse{}, true, "0 results"},
		{"another type", &ua.ReadResponse{}, true, "protocol error"},
		{"server does not know", &ua.WriteResponse{Results: []ua.StatusCode{ua.StatusBadTimeout}}, true, "BadTimeout"},
		{"refused", &ua.WriteResponse{Results: []ua.StatusCode{ua.StatusBadNotWritable}}, false, "BadNotWritable"},
		{"service refused", scripted.Fault(ua.StatusBadServiceUnsupported), false, "BadServiceUnsupported"},
		{"session lost", scripted.Fault(ua.StatusBadSessionIDInvalid), true, "link down"},
	}
	for _, tc := range tests {
		nodes := plantNodes()
		srv := scripted.Start(t, func(req ua.Request) ua.Response {
			if _, ok := req.(*ua.WriteRequest); ok {
				return tc.answer
			}
			return nodes.Handle(req)
		})
		tags := numbered(1)
		tags[0].Access = tag.AccessReadWrite
		l := newLink(srv.Endpoint, tags...)
		linkOptionsOf(l).Timeout = 300 * time.Millisecond
		_, g := open(t, l)
		_, err := g.Write(t.Context(), tags[0], tag.Int(5))
		if errors.Is(err, drivers.ErrOutcomeUnknown) != tc.unknown || err == nil || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: got %v, want unknown %v and %q", tc.name, err, tc.unknown, tc.text)
		}
		if n := srv.Seen("Write"); n != 1 {
			t.Errorf("%s: written %d times, want once", tc.name, n)
		}
	}
}

// TestNotWritten: nothing is sent when the value cannot be meant.
func TestNotWritten(t *testing.T) {
	srv := scripted.Start(t, plantNodes().Handle)
	tags := append(numbered(1), &tag.Tag{Name: "gone", Address: "nsu=urn:gone;s=x"})
	_, g := open(t, newLink(srv.Endpoint, tags...))
	for _, tc := range []struct {
		t *tag.Tag
		v tag.Value
	}{{tags[0], tag.Int(1 << 40)}, {tags[0], tag.Float64(0.5)}, {tags[0], tag.String("5")}, {tags[0], tag.Value{}},
		{tags[1], tag.Int(1)}, {&tag.Tag{Name: "foreign"}, tag.Int(1)}} {
		if _, err := g.Write(t.Context(), tc.t, tc.v); err == nil || errors.Is(err, drivers.ErrOutcomeUnknown) {
			t.Errorf("write %s to %s: got %v, want a refusal", tc.v, tc.t.Name, err)
		}
	}
	if n := srv.Seen("Write"); n != 0 {
		t.Errorf("written %d times, want never", n)
	}
}

// TestIntroduceFaults: a server that cannot be asked what must be known.
func TestIntroduceFaults(t *testing.T) {
	nodes := plantNodes()
	delete(nodes, "i=2255")
	srv := scripted.Start(t, nodes.Handle)
	tags := append(numbered(1), &tag.Tag{Name: "by index", Address: "ns=2;s=n1"})
	_, g := open(t, newLink(srv.Endpoint, tags...))
	got, err := g.Read(t.Context(), nil)
	if s := summary(got); err != nil || s["n0"] != "null bad (unknown namespace)" || s["by index"] != "1 good" {
		t.Errorf("without a namespace array: got %v, %v", s, err)
	}

	silent := scripted.Start(t, func(req ua.Request) ua.Response {
		if _, ok := req.(*ua.ReadRequest); ok {
			return nil
		}
		return nodes.Handle(req)
	})
	l := newLink(silent.Endpoint, numbered(1)...)
	linkOptionsOf(l).Timeout = 200 * time.Millisecond
	_, err = Driver{}.Open(t.Context(), l, testLog(t))
	wantLinkDown(t, "open of a server that answers no read", err)
	if n := silent.Seen("CloseSession"); n > 1 {
		t.Errorf("the session was closed %d times", n)
	}
}

// TestSubscribeRefused: a server without subscriptions is a device that does
// not answer, and says why.
func TestSubscribeRefused(t *testing.T) {
	srv := scripted.Start(t, plantNodes().Handle)
	_, g := open(t, newLink(srv.Endpoint, pushed("x", "ns=2;s=n1", Subscription{})))
	err := subscribe(t, g).end()
	var de *drivers.DeviceError
	if !errors.As(err, &de) || de.Reason != "BadServiceUnsupported" {
		t.Errorf("got %v, want a device error with BadServiceUnsupported", err)
	}
}

// TestPanicIsContained: a panic on a goroutine of ours costs the link and not
// the process.
func TestPanicIsContained(t *testing.T) {
	srv := scripted.Start(t, plantNodes().Handle)
	c, g := open(t, newLink(srv.Endpoint, numbered(1)...))
	c.guard(t.Context(), func(context.Context) error { panic("a bug") })
	select {
	case <-c.s.Down():
	case <-time.After(patience):
		t.Fatal("the link is still up")
	}
	_, err := g.Read(t.Context(), nil)
	wantLinkDown(t, "read", err)
	if err == nil || !strings.Contains(err.Error(), "a bug") {
		t.Errorf("got %v, want it to name the panic", err)
	}
}

// TestFilesOfALink: what is wrong with a file is said with its name.
func TestFilesOfALink(t *testing.T) {
	l := newLink("opc.tcp://127.0.0.1:1", numbered(1)...)
	o := linkOptionsOf(l)
	o.Security = Security{Policy: "Basic256Sha256", ServerCertFile: "/nonexistent/server.der", OwnCertDir: t.TempDir()}
	_, err := Driver{}.Open(t.Context(), l, testLog(t))
	wantLinkDown(t, "open", err)
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/server.der") {
		t.Errorf("got %v, want it to name the file", err)
	}
	o.Security = Security{Policy: "none"}
	o.Auth = Auth{Username: "u", PasswordFile: "/nonexistent/password", AllowUnencrypted: true}
	_, err = Driver{}.Open(t.Context(), l, testLog(t))
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/password") {
		t.Errorf("got %v, want it to name the file", err)
	}
}
