package opcua

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fieldferry/drivers"
	"fieldferry/tag"
)

// patience ends a wait that would hang; nothing correct comes near it.
const patience = 30 * time.Second

// scratch is a directory for what all tests of a run share.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "opcua-test-")
	if err != nil {
		panic(err)
	}
	scratch = dir
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// newLink makes a link with one device, as the loader would.
func newLink(endpoint string, tags ...*tag.Tag) *tag.Link {
	o := newLinkOptions()
	o.Security.Policy = "none"
	l := &tag.Link{Name: "press", Driver: "opcua", Endpoint: endpoint, Options: o}
	d := &tag.Device{Name: "m1", Link: l, Tags: tags}
	l.Devices = []*tag.Device{d}
	for i, t := range tags {
		t.Device, t.Index = d, i
		if t.Interval == 0 {
			t.Interval = 50 * time.Millisecond
		}
		if t.Options == nil {
			t.Options = newTagOptions()
		}
	}
	return l
}

func linkOptionsOf(l *tag.Link) *LinkOptions { return l.Options.(*LinkOptions) }

// pushed makes a tag that is subscribed.
func pushed(name, address string, s Subscription) *tag.Tag {
	return &tag.Tag{Name: name, Address: address, Options: &TagOptions{Mode: ModeSubscribe, Subscription: s}}
}

func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(string(b[:len(b)-1]))
	return len(b), nil
}

// open opens a link and plans its first device.
func open(t *testing.T, l *tag.Link) (*conn, *group) {
	t.Helper()
	for _, f := range (Driver{}).Check(l) {
		t.Fatalf("check: %v", f)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := Driver{}.Open(ctx, l, testLog(t))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	g, err := c.Prepare(ctx, l.Devices[0], l.Devices[0].Tags)
	if err != nil {
		t.Fatalf("prepare: %v", err)
	}
	return c.(*conn), g.(*group)
}

// pushes collects what a subscription hands over.
type pushes struct {
	t      *testing.T
	mu     sync.Mutex // guards got
	got    []tag.Sample
	notify chan struct{}
	ended  chan error
	cancel context.CancelFunc
}

// subscribe runs a group's subscription until the test ends.
func subscribe(t *testing.T, g drivers.Group) *pushes {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &pushes{t: t, notify: make(chan struct{}, 1), ended: make(chan error, 1), cancel: cancel}
	go func() {
		p.ended <- g.(drivers.Subscriber).Subscribe(ctx, p.emit)
	}()
	t.Cleanup(p.stop)
	return p
}

// stop ends the subscription and waits for it.
func (p *pushes) stop() {
	p.cancel()
	err := <-p.ended
	p.ended <- err
}

func (p *pushes) emit(s []tag.Sample) {
	p.mu.Lock()
	p.got = append(p.got, s...)
	p.mu.Unlock()
	select {
	case p.notify <- struct{}{}:
	default:
	}
}

// all returns what came for a tag so far.
func (p *pushes) all(t *tag.Tag) (out []tag.Sample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.got {
		if s.Tag == t {
			out = append(out, s)
		}
	}
	return out
}

// await waits until ok likes what came for a tag.
func (p *pushes) await(t *tag.Tag, what string, ok func([]tag.Sample) bool) []tag.Sample {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		got := p.all(t)
		if ok(got) {
			return got
		}
		select {
		case <-p.notify:
		case err := <-p.ended:
			p.ended <- err
			p.t.Fatalf("%s: the subscription ended: %v; got %v", what, err, got)
		case <-deadline:
			p.t.Fatalf("%s: got %d samples of %s, the last %v", what, len(got), t.Path(), got[max(0, len(got)-3):])
		}
	}
}

// last waits until the last sample of a tag is as wanted.
func (p *pushes) last(t *tag.Tag, want tag.Value, quality string) {
	p.t.Helper()
	p.await(t, "want "+want.String()+" "+quality, func(s []tag.Sample) bool {
		return len(s) > 0 && s[len(s)-1].Value == want && s[len(s)-1].Quality.String() == quality
	})
}

// end waits for the subscription to end by itself.
func (p *pushes) end() error {
	p.t.Helper()
	select {
	case err := <-p.ended:
		p.ended <- err
		return err
	case <-time.After(patience):
		p.t.Fatal("the subscription did not end")
		return nil
	}
}

func wantLinkDown(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, drivers.ErrLinkDown) {
		t.Errorf("%s: got %v, want an error that wraps ErrLinkDown", what, err)
	}
}
