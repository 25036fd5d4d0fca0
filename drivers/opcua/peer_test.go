//go:build peer

package opcua

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/drivertest"
	"fieldferry/internal/peers/opcuapeer"
	"fieldferry/tag"
)

// address names a variable of the peer.
func address(name string) string { return "nsu=" + opcuapeer.Namespace + ";s=" + name }

// truth is what the peer's variables hold, written down in its script.
var truth = []struct {
	name    string
	want    tag.Value
	quality string
}{
	{"Boolean", tag.Bool(true), "good"},
	{"SByte", tag.Int(-128), "good"},
	{"Byte", tag.Uint(255), "good"},
	{"Int16", tag.Int(-32768), "good"},
	{"UInt16", tag.Uint(65535), "good"},
	{"Int32", tag.Int(-2147483648), "good"},
	{"UInt32", tag.Uint(4294967295), "good"},
	{"Int64", tag.Int(-1 << 63), "good"},
	{"UInt64", tag.Uint(1<<64 - 1), "good"},
	{"Float", tag.Float32(0.1), "good"},
	{"Double", tag.Float64(1.7976931348623157e308), "good"},
	{"String", tag.String("grüß dich \u2713"), "good"},
	{"DateTime", tag.String("2026-01-02T03:04:05.678Z"), "good"},
	{"Guid", tag.String("72962B91-FA75-4AE6-8D28-B404DC7DAF63"), "good"},
	{"ByteString", tag.Bytes([]byte{0, 1, 254, 255}), "good"},
	{"NodeId", tag.String("ns=1;s=elsewhere"), "good"},
	{"QualifiedName", tag.String("1:qualified"), "good"},
	{"LocalizedText", tag.String("Förderband"), "good"},
	{"Array", tag.JSON("[0.5,1.5,-2.5]"), "good"},
	{"Range", tag.JSON(`{"Low":-1,"High":2.5}`), "good"},
	{"Structure", tag.JSON(`{"type":"nsu=` + opcuapeer.Namespace + `;i=7001","body":"CQgH"}`), "good (structure not decoded)"},
	{"Uncertain", tag.Float64(2.5), "uncertain (UncertainLastUsableValue)"},
	{"Bad", tag.Value{}, "bad (BadSensorFailure)"},
	{"Missing", tag.Value{}, "bad (BadNodeIdUnknown)"},
}

// The tests run beside each other: most of their time is the server's start
// and the waiting for its timers.

// pki is one directory for the certificates of all servers: a key takes
// seconds to make.
func pki() string { return filepath.Join(scratch, "pki") }

// plain makes the tags that everything else is tried beside.
func plain(names ...string) (tags []*tag.Tag) {
	for _, n := range names {
		tags = append(tags, &tag.Tag{Name: n, Address: address(n)})
	}
	return tags
}

// TestPeerConformance holds the driver to the contract of all drivers.
func TestPeerConformance(t *testing.T) {
	t.Parallel()
	s := opcuapeer.Start(t, opcuapeer.Options{PKI: pki()})
	drivertest.Run(t, drivertest.Harness{
		Driver: Driver{},
		Link: func(*testing.T) *tag.Link {
			return newLink(s.Endpoint, append(plain("Double", "String", "UInt64"),
				&tag.Tag{Name: "Int32", Address: address("Int32"), Access: tag.AccessReadWrite})...)
		},
		Faulty: func(*testing.T) *tag.Link { return newLink("http://127.0.0.1", plain("Double")...) },
		Write: func(l *tag.Link) (*tag.Tag, tag.Value) {
			tags := l.Devices[0].Tags
			return tags[len(tags)-1], tag.Int(42)
		},
		Cut: func(t *testing.T) { s.Kill() },
	})
}

// TestPeerTypes reads every type polled and pushed, both in one device, with
// limits that force several requests.
func TestPeerTypes(t *testing.T) {
	t.Parallel()
	s := opcuapeer.Start(t, opcuapeer.Options{PKI: pki(), First: "urn:somebody:else",
		Limits: map[string]int{"maxNodesPerRead": 7, "maxMonitoredItemsPerCall": 5}})
	var tags []*tag.Tag
	for _, x := range truth {
		tags = append(tags, &tag.Tag{Name: x.name, Address: address(x.name)},
			pushed(x.name+" pushed", address(x.name), Subscription{}))
	}
	_, g := open(t, newLink(s.Endpoint, tags...))
	for round := range 2 {
		got, err := g.Read(t.Context(), nil)
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		byTag := map[*tag.Tag]tag.Sample{}
		for _, smp := range got {
			byTag[smp.Tag] = smp
		}
		for i, x := range truth {
			if smp := byTag[tags[2*i]]; smp.Value != x.want || smp.Quality.String() != x.quality {
				t.Errorf("round %d: %s: got %s %s, want %s %s", round, x.name, smp.Value, smp.Quality, x.want, x.quality)
			}
		}
	}
	p := subscribe(t, g)
	for i, x := range truth {
		p.last(tags[2*i], x.want, x.quality)
		p.last(tags[2*i+1], x.want, x.quality)
	}
}

// TestPeerTooLarge has one node whose value the library cannot take: it alone
// turns bad.
func TestPeerTooLarge(t *testing.T) {
	t.Parallel()
	s := opcuapeer.Start(t, opcuapeer.Options{PKI: pki()})
	l := newLink(s.Endpoint, plain("Double", "Large", "Int32", "Boolean")...)
	c, g := open(t, l)
	for range 3 {
		got, err := g.Read(t.Context(), nil)
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		for _, smp := range got {
			want := tag.Good
			if smp.Tag.Name == "Large" {
				want = tag.Bad
			}
			if smp.Quality.Level != want {
				t.Errorf("%s: got %s, want %s", smp.Tag.Name, smp.Quality, want)
			}
		}
	}
	if err := c.s.Err(); err != nil {
		t.Errorf("the session: got %v, want it to live on", err)
	}
}

// TestPeerSubscription counts what a counter says over a few publishing
// intervals: nothing is lost, repeated or out of order, and every value has
// its own source timestamp.
func TestPeerSubscription(t *testing.T) {
	t.Parallel()
	s := opcuapeer.Start(t, opcuapeer.Options{PKI: pki(), TicksMillis: 500})
	x := pushed("Counter", address("Counter"), Subscription{Publishing: time.Second})
	_, g := open(t, newLink(s.Endpoint, x))
	p := subscribe(t, g)
	got := p.await(x, "10 steps of the counter", func(all []tag.Sample) bool { return len(all) >= 10 })
	for i := 1; i < len(got); i++ {
		was, _ := got[i-1].Value.Integer()
		is, _ := got[i].Value.Integer()
		if is != was+1 || !got[i].Time.After(got[i-1].Time) || got[i].Quality.Level != tag.Good {
			t.Errorf("sample %d: got %d %s at %v after %d at %v", i, is, got[i].Quality, got[i].Time, was, got[i-1].Time)
		}
	}
}

// TestPeerOverflow lets the server's queue overflow: the value says so and it
// is counted.
func TestPeerOverflow(t *testing.T) {
	t.Parallel()
	s := opcuapeer.Start(t, opcuapeer.Options{PKI: pki(), TicksMillis: 60})
	x := pushed("Counter", address("Counter"), Subscription{Publishing: 2 * time.Second, Queue: 5})
	c, g := open(t, newLink(s.Endpoint, x))
	p := subscribe(t, g)
	p.await(x, "a value that says so", func(all []tag.Sample) bool {
		return slices.ContainsFunc(all, func(smp tag.Sample) bool {
			return smp.Quality == tag.Quality{Level: tag.Good, Reason: "queue overflow"}
		})
	})
	if n, _ := c.Lost(); n == 0 {
		t.Error("an overflow was not counted")
	}
}

// TestPeerNodeComesAndGoes removes a subscribed and polled node and brings it
// back.
func TestPeerNodeComesAndGoes(t *testing.T) {
	t.Parallel()
	s := opcuapeer.Start(t, opcuapeer.Options{PKI: pki()})
	gone := pushed("gone", address("Int32"), Subscription{})
	other := pushed("other", address("Int16"), Subscription{})
	polled := &tag.Tag{Name: "polled", Address: address("Int32")}
	_, g := open(t, newLink(s.Endpoint, gone, other, polled))
	p := subscribe(t, g)
	p.last(gone, tag.Int(-2147483648), "good")
	p.last(polled, tag.Int(-2147483648), "good")
	s.Do(map[string]any{"do": "remove", "name": "Int32"})
	p.last(gone, tag.Value{}, "bad (BadNodeIdUnknown)")
	p.last(polled, tag.Value{}, "bad (BadNodeIdUnknown)")
	s.Set("Int16", 5)
	p.last(other, tag.Int(5), "good")
	s.Do(map[string]any{"do": "restore", "name": "Int32", "value": 8})
	p.last(gone, tag.Int(8), "good")
	p.last(polled, tag.Int(8), "good")
}

// TestPeerShared puts the groups of two devices on one subscription and takes
// one of them away.
func TestPeerShared(t *testing.T) {
	t.Parallel()
	s := opcuapeer.Start(t, opcuapeer.Options{PKI: pki()})
	a, b := pushed("a", address("Int16"), Subscription{}), pushed("b", address("Int16"), Subscription{})
	l := newLink(s.Endpoint, a)
	d := &tag.Device{Name: "m2", Link: l, Tags: []*tag.Tag{b}}
	b.Device, b.Interval = d, a.Interval
	l.Devices = append(l.Devices, d)
	c, ga := open(t, l)
	gb, err := c.Prepare(t.Context(), d, d.Tags)
	if err != nil {
		t.Fatal(err)
	}
	pa, pb := subscribe(t, ga), subscribe(t, gb)
	pa.last(a, tag.Int(-32768), "good")
	pb.last(b, tag.Int(-32768), "good")
	pa.stop()
	s.Set("Int16", 6)
	pb.last(b, tag.Int(6), "good")
	if got := pa.all(a); got[len(got)-1].Value == tag.Int(6) {
		t.Error("the group that left still got values")
	}
}

func TestPeerWrite(t *testing.T) {
	t.Parallel()
	s := opcuapeer.Start(t, opcuapeer.Options{PKI: pki()})
	tests := []struct {
		name string
		in   tag.Value
		want tag.Value
		err  string
	}{
		{"Boolean", tag.Bool(false), tag.Bool(false), ""},
		{"SByte", tag.Int(-3), tag.Int(-3), ""},
		{"Byte", tag.Float64(200), tag.Uint(200), ""},
		{"UInt16", tag.Int(70000), tag.Value{}, "out of the range of UInt16"},
		{"UInt16", tag.Int(40000), tag.Uint(40000), ""},
		{"UInt64", tag.Uint(1<<64 - 2), tag.Uint(1<<64 - 2), ""},
		{"Float", tag.Float64(0.25), tag.Float32(0.25), ""},
		{"Double", tag.String("1"), tag.Value{}, "not a number"},
		{"String", tag.String("schön"), tag.String("schön"), ""},
		{"DateTime", tag.String("2026-11-20T08:27:00.5Z"), tag.String("2026-11-20T08:27:00.5Z"), ""},
		{"ByteString", tag.Bytes([]byte{1, 0}), tag.Bytes([]byte{1, 0}), ""},
		{"Guid", tag.String("00000000-0000-0000-0000-000000000001"), tag.String("00000000-0000-0000-0000-000000000001"), ""},
		{"LocalizedText", tag.String("Band"), tag.String("Band"), ""},
		{"Array", tag.Float64(1), tag.Value{}, "arrays are not written"},
		{"ReadOnly", tag.Int(1), tag.Value{}, "refused by the server: BadNotWritable"},
		{"Missing", tag.Int(1), tag.Value{}, "not written"},
	}
	var tags []*tag.Tag
	for _, tc := range tests {
		tags = append(tags, &tag.Tag{Name: tc.name, Address: address(tc.name), Access: tag.AccessReadWrite})
	}
	_, g := open(t, newLink(s.Endpoint, tags...))
	for i, tc := range tests {
		got, err := g.Write(t.Context(), tags[i], tc.in)
		switch {
		case tc.err != "":
			if err == nil || !strings.Contains(err.Error(), tc.err) || errors.Is(err, drivers.ErrOutcomeUnknown) {
				t.Errorf("write %s to %s: got %v, %v, want an error with %q", tc.in, tc.name, got, err, tc.err)
			}
		case err != nil || got.Value != tc.want || got.Quality.Level != tag.Good:
			t.Errorf("write %s to %s: got %s %s, %v, want %s", tc.in, tc.name, got.Value, got.Quality, err, tc.want)
		}
	}
	s.Freeze()
	_, err := g.Write(shortly(t, 300*time.Millisecond), tags[0], tag.Bool(true))
	s.Thaw()
	if !errors.Is(err, drivers.ErrOutcomeUnknown) {
		t.Errorf("write to a frozen server: got %v, want ErrOutcomeUnknown", err)
	}
}

func shortly(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// password writes a password file.
func password(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPeerSecurity connects with every policy, mode and user, and is refused
// where it must be.
func TestPeerSecurity(t *testing.T) {
	t.Parallel()
	no := false
	s := opcuapeer.Start(t, opcuapeer.Options{PKI: pki(), Users: map[string]string{"gateway": "sécret word"}})
	own := filepath.Join(t.TempDir(), "own")
	set := func(l *tag.Link, policy, mode string, user bool) *LinkOptions {
		o := linkOptionsOf(l)
		o.Security = Security{Policy: policy}
		if policy != "none" {
			o.Security = Security{Policy: policy, Mode: mode, ServerCertFile: s.Certificate(), OwnCertDir: own}
		}
		if user {
			o.Auth = Auth{Username: "gateway", PasswordFile: password(t, "sécret word"), AllowUnencrypted: policy == "none"}
		}
		return o
	}
	for _, policy := range []string{"none", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"} {
		for _, mode := range []string{"sign", "sign-and-encrypt"} {
			for _, user := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s user %v", policy, mode, user), func(t *testing.T) {
					x := pushed("d", address("Double"), Subscription{})
					l := newLink(s.Endpoint, x)
					set(l, policy, mode, user)
					_, g := open(t, l)
					subscribe(t, g).last(x, tag.Float64(1.7976931348623157e308), "good")
				})
			}
		}
	}
	refused := func(name, want string, change func(*LinkOptions)) {
		t.Run(name, func(t *testing.T) {
			l := newLink(s.Endpoint, plain("Double")...)
			change(set(l, "Basic256Sha256", "", true))
			c, err := Driver{}.Open(shortly(t, patience), l, testLog(t))
			if err == nil {
				c.Close()
			}
			wantLinkDown(t, "open", err)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("open: got %v, want an error with %q", err, want)
			}
		})
	}
	refused("wrong password", "BadUserAccessDenied", func(o *LinkOptions) { o.Auth.PasswordFile = password(t, "wrong") })
	refused("no password file", "password:", func(o *LinkOptions) { o.Auth.PasswordFile = "/nonexistent" })
	refused("another server certificate", "pinned", func(o *LinkOptions) {
		o.Security.ServerCertFile = filepath.Join(own, "own.der")
	})
	s.Kill()
	s.Again(func(o *opcuapeer.Options) { o.Anonymous = &no })
	refused("anonymous", "takes no anonymous user", func(o *LinkOptions) { o.Auth = Auth{} })
}

// TestPeerRestart stops the server, starts it with its namespaces moved, and
// opens the link again.
func TestPeerRestart(t *testing.T) {
	t.Parallel()
	s := opcuapeer.Start(t, opcuapeer.Options{PKI: pki()})
	x := pushed("x", address("Int16"), Subscription{})
	l := newLink(s.Endpoint, x)
	_, g := open(t, l)
	p := subscribe(t, g)
	p.last(x, tag.Int(-32768), "good")
	s.Kill()
	wantLinkDown(t, "the subscription", p.end())
	_, err := g.Read(t.Context(), nil)
	wantLinkDown(t, "a read", err)
	s.Again(func(o *opcuapeer.Options) { o.First = "urn:came:first" })
	_, g = open(t, l)
	subscribe(t, g).last(x, tag.Int(-32768), "good")
}

// TestPeerFrozen freezes the server: the watchdog of the subscription and the
// count of silent requests both notice, and nothing hangs.
func TestPeerFrozen(t *testing.T) {
	t.Parallel()
	s := opcuapeer.Start(t, opcuapeer.Options{PKI: pki()})
	x := pushed("x", address("Int16"), Subscription{KeepAlive: 300 * time.Millisecond})
	l := newLink(s.Endpoint, x)
	linkOptionsOf(l).Timeout = 2 * time.Second // a busy machine is not a frozen server
	c, g := open(t, l)
	p := subscribe(t, g)
	p.last(x, tag.Int(-32768), "good")
	s.Freeze()
	err := p.end()
	wantLinkDown(t, "the subscription", err)
	_, err = g.Read(t.Context(), nil)
	wantLinkDown(t, "a read", err)
	start := time.Now()
	c.Close()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("close took %s", took)
	}
	s.Thaw()
}

// TestPeerManyAtOnce opens, subscribes and closes from several goroutines
// while the counter runs: nothing leaks and nothing races.
func TestPeerManyAtOnce(t *testing.T) {
	t.Parallel()
	s := opcuapeer.Start(t, opcuapeer.Options{PKI: pki(), TicksMillis: 20})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 3 {
				x := pushed("x", address("Counter"), Subscription{})
				c, err := Driver{}.Open(shortly(t, patience), newLink(s.Endpoint, x), testLog(t))
				if err != nil {
					t.Errorf("open: %v", err)
					return
				}
				g, err := c.Prepare(t.Context(), x.Device, x.Device.Tags)
				if err != nil {
					t.Errorf("prepare: %v", err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				n := 0
				err = g.(drivers.Subscriber).Subscribe(ctx, func(got []tag.Sample) {
					if n += len(got); n > 5 {
						cancel()
					}
				})
				cancel()
				if !errors.Is(err, context.Canceled) {
					t.Errorf("subscribe: got %v after %d samples", err, n)
				}
				c.Close()
			}
		})
	}
	wg.Wait()
}
