package acquire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fieldferry/drivers"
	"fieldferry/tag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a driver that does what a test tells it to: faults that no real
// peer makes on request.
type fake struct {
	drivers.Driver
	mu      sync.Mutex
	open    func() error
	read    map[string]func(ctx context.Context) error // by device, before the samples are made
	write   func(ctx context.Context) error
	push    bool
	pushes  chan error // Subscribe pushes on nil, ends with anything else
	foreign *tag.Tag   // returned by Read instead of the group's own tags
	partial bool       // Read brings the first tag, and then the link goes
	opens   int
	reads   map[string]int
	order   []string
}

func newFake() *fake {
	return &fake{read: map[string]func(context.Context) error{}, reads: map[string]int{}}
}

func (f *fake) set(device string, read func(ctx context.Context) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read[device] = read
}

func (f *fake) count(device string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads[device]
}

func (f *fake) Open(context.Context, *tag.Link, *slog.Logger) (drivers.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opens++
	if f.open != nil {
		if err := f.open(); err != nil {
			return nil, err
		}
	}
	return fakeConn{f}, nil
}

type fakeConn struct{ f *fake }

func (fakeConn) Close() error { return nil }

func (c fakeConn) Prepare(_ context.Context, d *tag.Device, tags []*tag.Tag) (drivers.Group, error) {
	return &fakeGroup{c.f, d, tags}, nil
}

type fakeGroup struct {
	f    *fake
	dev  *tag.Device
	tags []*tag.Tag
}

func (g *fakeGroup) Read(ctx context.Context, dst []tag.Sample) ([]tag.Sample, error) {
	g.f.mu.Lock()
	read, foreign := g.f.read[g.dev.Name], g.f.foreign
	g.f.reads[g.dev.Name]++
	g.f.order = append(g.f.order, "read "+g.dev.Name)
	g.f.mu.Unlock()
	if read != nil {
		if err := read(ctx); err != nil {
			return dst, err
		}
	}
	for _, t := range g.tags {
		if foreign != nil {
			t = foreign
		}
		dst = append(dst, tag.Sample{Tag: t, Value: tag.Int(1), Time: time.Now().UTC()})
	}
	if g.f.partial {
		for i := range dst[1:] {
			dst[1+i].Value, dst[1+i].Quality = tag.Value{}, tag.BadFor(tag.ReasonTimeout)
		}
		return dst, drivers.ErrLinkDown
	}
	return dst, nil
}

func (g *fakeGroup) Write(ctx context.Context, t *tag.Tag, v tag.Value) (tag.Sample, error) {
	g.f.mu.Lock()
	g.f.order = append(g.f.order, "write")
	write := g.f.write
	g.f.mu.Unlock()
	if write != nil {
		if err := write(ctx); err != nil {
			return tag.Sample{}, err
		}
	}
	return tag.Sample{Tag: t, Value: v, Time: time.Now().UTC()}, nil
}

func (g *fakeGroup) Subscribes() bool { return g.f.push }

func (g *fakeGroup) Subscribe(ctx context.Context, emit func([]tag.Sample)) error {
	for {
		select {
		case err := <-g.f.pushes:
			if err != nil {
				return err
			}
			emit([]tag.Sample{{Tag: g.tags[0], Value: tag.Int(2), Time: time.Now().UTC()}})
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sleep waits like a device that takes its time.
func sleep(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// silent waits like a driver for an answer that does not come.
func silent(device string, timeout time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := sleep(timeout)(ctx); err != nil {
			return err
		}
		return &drivers.DeviceError{Device: device, Reason: tag.ReasonTimeout, Err: errors.New("no answer")}
	}
}

// box keeps what a runner delivers.
type box struct {
	mu     sync.Mutex
	got    []tag.Sample
	sweeps int
	pushed []*tag.Tag
}

func (b *box) Pushed(tags []*tag.Tag) {
	b.mu.Lock()
	b.pushed = tags
	b.mu.Unlock()
}

func (b *box) Accept(s []tag.Sample) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, s...)
}

func (b *box) Sweep(time.Time) {
	b.mu.Lock()
	b.sweeps++
	b.mu.Unlock()
}

// count tells how many samples of a device had a quality.
func (b *box) count(device string, level tag.Level) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, s := range b.got {
		if s.Tag.Device.Name == device && s.Quality.Level == level {
			n++
		}
	}
	return n
}

func (b *box) last(device string) tag.Sample {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(b.got) - 1; i >= 0; i-- {
		if b.got[i].Tag.Device.Name == device {
			return b.got[i]
		}
	}
	return tag.Sample{}
}

// newLink makes devices d1..dn with one tag of each interval.
func newLink(n int, intervals ...time.Duration) *tag.Link {
	l := &tag.Link{Name: "l", Driver: "fake"}
	for i := range n {
		d := &tag.Device{Name: fmt.Sprintf("d%d", i+1), Link: l}
		for k, iv := range intervals {
			d.Tags = append(d.Tags, &tag.Tag{Name: fmt.Sprintf("t%d", k+1), Device: d, Interval: iv, Access: tag.AccessReadWrite})
		}
		l.Devices = append(l.Devices, d)
	}
	return l
}

// start runs a runner until the test ends it.
func start(t *testing.T, l *tag.Link, f *fake) (*Runner, *box, func()) {
	t.Helper()
	b := &box{}
	r := New(l, f, b, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	return r, b, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
	}
}
