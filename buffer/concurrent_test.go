package buffer

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"fieldferry/tag"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(exit)) }

// dirConfig is a buffer in a directory of this machine.
func dirConfig(t testing.TB) Config {
	dir := t.TempDir()
	return Config{
		Dir: filepath.Join(dir, "data"), RuntimeDir: filepath.Join(dir, "run"),
		MaxBytes: 64 << 20, SyncInterval: 20 * time.Millisecond,
	}
}

func openDir(t testing.TB, c Config) *Buffer {
	t.Helper()
	b, err := Open(DirFS(), c, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestManyAtOnce appends from several goroutines to several readers of
// different speeds, on the real disk: every reader gets the samples of each
// tag in order and without a gap.
func TestManyAtOnce(t *testing.T) {
	const writers, perWriter, readers = 4, 5000, 3
	b := openDir(t, dirConfig(t))
	tags := rigTags(writers)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for i := range readers {
		r, err := b.Reader(fmt.Sprint("r", i), StartNow)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			next := map[*tag.Tag]int64{}
			for got := 0; got < writers*perWriter; {
				es, err := r.Next(ctx, make([]Entry, 0, 7+i*300))
				if err != nil {
					t.Errorf("reader %d after %d samples: %v", i, got, err)
					return
				}
				for _, e := range es {
					v, _ := e.Sample.Value.Integer()
					if next[e.Sample.Tag] != v {
						t.Errorf("reader %d: tag %s: got %d, want %d", i, e.Sample.Tag.Path(), v, next[e.Sample.Tag])
						return
					}
					next[e.Sample.Tag] = v + 1
				}
				got += len(es)
				r.Settle(es[len(es)-1].Turn)
			}
		})
	}
	for w := range writers {
		wg.Go(func() {
			for v := range int64(perWriter) {
				if err := b.Append([]tag.Sample{{Tag: tags[w], Value: tag.Int(v), Time: time.Unix(v, 0)}}); err != nil {
					t.Errorf("append: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.Stats().Readers {
		if r.Delivered != writers*perWriter || r.Pending != 0 {
			t.Errorf("account %+v, want %d delivered", r, writers*perWriter)
		}
	}
}

// TestNextWaits: Next ends with its context, with Close, with the removal of
// the reader and when the reader is opened again; otherwise it waits.
func TestNextWaits(t *testing.T) {
	ends := map[string]struct {
		do   func(b *Buffer, cancel func())
		want error
	}{
		"context": {func(_ *Buffer, cancel func()) { cancel() }, context.Canceled},
		"close":   {func(b *Buffer, _ func()) { _ = b.Close() }, ErrClosed},
		"remove":  {func(b *Buffer, _ func()) { _ = b.RemoveReader("a") }, ErrClosed},
		"again":   {func(b *Buffer, _ func()) { _, _ = b.Reader("a", StartNow) }, ErrClosed},
	}
	for name, c := range ends {
		t.Run(name, func(t *testing.T) {
			b := openDir(t, dirConfig(t))
			defer b.Close()
			r, err := b.Reader("a", StartNow)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			got := make(chan error)
			go func() {
				_, err := r.Next(ctx, nil)
				got <- err
			}()
			c.do(b, cancel)
			select {
			case err := <-got:
				if !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
			case <-time.After(time.Minute):
				t.Error("Next still waits")
			}
		})
	}
}

// TestOnlineWritesNothing: what every reader settles at once is never
// written, and the count of it survives.
func TestOnlineWritesNothing(t *testing.T) {
	g := newRig(t, rigConfig())
	a := g.reader("a", StartNow)
	g.sync()
	before := g.b.Stats().Written
	for range 100 {
		g.append(5)
		g.read(a, 100)
		g.settle(a, 100)
		g.tick()
	}
	if st := g.b.Stats(); st.Written != before || st.Skipped != 500 || st.InMemory != 0 {
		t.Fatalf("%d bytes written, %d samples skipped, %d bytes in memory; want 0, 500, 0", st.Written-before, st.Skipped, st.InMemory)
	}
	g.kill()
	g.open()
	if s := g.stats("a"); s.Pending != 0 || s.Appended != 500 || total(s.Dropped) != 0 {
		t.Fatalf("after a kill: %+v, want all 500 settled", s)
	}
	a.seenTo(a.settled)
	g.append(1)
	if n := g.read(a, 10); n != 1 {
		t.Fatalf("got %d samples, want the new one", n)
	}
	if err := g.b.Close(); err != nil {
		t.Fatal(err)
	}
	g.open()
	g.conserved()
	late := g.reader("late", StartOldest)
	late.seenTo(0)
	if n := g.read(late, 1000); n != 1 || g.stats("late").Appended != 1 {
		t.Fatalf("a late reader got %d samples: %+v, want the one that was written", n, g.stats("late"))
	}
}

func TestRemoveReader(t *testing.T) {
	g := newRig(t, rigConfig())
	a := g.reader("a", StartNow)
	g.reader("gone", StartNow)
	g.append(500)
	g.sync()
	g.settle(a, g.read(a, 1000))
	if err := g.b.RemoveReader("gone"); err != nil {
		t.Fatal(err)
	}
	delete(g.readers, "gone")
	g.append(500)
	g.sync()
	g.settle(a, g.read(a, 1000))
	for range 5 {
		g.append(200)
		g.tick()
		g.tick()
		g.settle(a, g.read(a, 1000))
		g.sync()
		g.tick()
	}
	st := g.b.Stats()
	if st.Dropped["removed"] != 500 || len(st.Readers) != 1 || st.Segments > classes {
		t.Fatalf("%+v, want 500 dropped with the reader and their segments gone", st)
	}
	g.kill()
	g.open()
	if st := g.b.Stats(); len(st.Readers) != 1 || st.Dropped["removed"] != 500 {
		t.Fatalf("after a restart: %+v", st)
	}
}

// TestSampleOfEarlierRun: a sample of an earlier run comes with all that the
// dictionary keeps of its tag, and tags of this run come by their pointer.
func TestSampleOfEarlierRun(t *testing.T) {
	retain := true
	link := &tag.Link{Name: "line1"}
	dev := &tag.Device{Name: "pump", Link: link, Labels: map[string]string{"cell": "4", "site": "x"}}
	tg := &tag.Tag{
		Name: "speed", Device: dev, Type: "uint16", Unit: "rpm", Class: tag.ClassAlarm, Retain: &retain,
		Labels: map[string]string{"cell": "5", "site": "x", "own": "yes"},
	}
	values := []tag.Value{
		{}, tag.Bool(true), tag.Int(-5), tag.Uint(1 << 63), tag.Float32(22.5), tag.Float64(0.1), tag.Float64(1e300),
		tag.Float64(-0.5), tag.String("grün"), tag.Bytes([]byte{0, 1}), tag.JSON(`{"a":[1]}`),
	}
	cfg := dirConfig(t)
	for run := range 2 {
		b := openDir(t, cfg)
		r, err := b.Reader("a", StartOldest)
		if err != nil {
			t.Fatal(err)
		}
		if run == 0 {
			for i, v := range values {
				s := tag.Sample{Tag: tg, Value: v, Quality: tag.UncertainFor("odd"), Time: time.Unix(int64(i), 5), Read: 9}
				if err := b.Append([]tag.Sample{s}); err != nil {
					t.Fatal(err)
				}
			}
		}
		var es []Entry
		for len(es) < len(values) {
			if es, err = r.Next(t.Context(), es); err != nil {
				t.Fatal(err)
			}
		}
		for i, e := range es {
			s, got := e.Sample, e.Sample.Tag
			if !s.Value.Equal(values[i]) || s.Quality != tag.UncertainFor("odd") || s.Read != 9 || s.Time != time.Unix(int64(i), 5).UTC() {
				t.Errorf("run %d, value %d: got %+v, want %v", run, i, s, values[i])
			}
			if (got == tg) != (run == 0) || e.Historical != (run == 1) {
				t.Errorf("run %d: same pointer %v, historical %v", run, got == tg, e.Historical)
			}
			if got.Path() != "pump/speed" || got.Device.Link.Name != "line1" || got.Unit != "rpm" || got.Type != "uint16" ||
				got.Class != tag.ClassAlarm || got.Retain == nil || !*got.Retain ||
				fmt.Sprint(got.Labels, got.Device.Labels) != fmt.Sprint(tg.Labels, dev.Labels) {
				t.Errorf("run %d: tag %+v of %+v", run, got, got.Device)
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
