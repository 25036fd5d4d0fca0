package listing_test

import (
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fieldferry/buffer"
	"fieldferry/buffer/inspect"
	"fieldferry/buffer/inspect/listing"
	"fieldferry/tag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestBesideAWriter looks again and again into a directory in which a buffer
// appends, settles, drops and deletes: nothing contradicts itself, and nothing
// counts as damaged.
func TestBesideAWriter(t *testing.T) {
	c := buffer.Default()
	c.Dir, c.RuntimeDir, c.MaxBytes, c.MinFree, c.SyncInterval = t.TempDir(), t.TempDir(), 8<<20, 0, 10*time.Millisecond
	b, err := buffer.Open(buffer.DirFS(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := reader(t, b, "fast")
	reader(t, b, "slow")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tags, rnd := plant(), rand.New(rand.NewPCG(5, 6))
		for i := int64(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			s := []tag.Sample{{Tag: tags[i%9], Value: words(rnd), Time: time.Unix(i, 0)}}
			if err := b.Append(s); err != nil {
				t.Errorf("append: %v", err)
				return
			}
			if i%1000 == 999 {
				settle(t, r, 900)
			}
		}
	})
	for looked := 0; looked < 10 || b.Stats().Dropped["max bytes"] == 0 && looked < 2000; looked++ {
		once(t, c.Dir)
	}
	close(stop)
	wg.Wait()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func once(t *testing.T, dir string) {
	t.Helper()
	d, err := inspect.Open(buffer.DirFS(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listing.List(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	v, worst, err := listing.Verify(t.Context(), d, nil)
	if err != nil || worst == inspect.Fault || v.Damaged > 0 {
		t.Fatalf("beside a writer: %v, %v, %+v", worst, err, v)
	}
	lost, err := d.Samples(t.Context(), inspect.Filter{}, func(*inspect.Sample) error { return nil })
	if err != nil || lost != (inspect.Lost{}) {
		t.Fatalf("beside a writer %+v was lost: %v", lost, err)
	}
}

// TestNothingIsWritten: the directory is the same afterwards, byte by byte and
// time by time, and one that must not be written will do.
func TestNothingIsWritten(t *testing.T) {
	c := buffer.Default()
	c.Dir, c.RuntimeDir, c.MinFree = filepath.Join(t.TempDir(), "log"), "", 0
	b, err := buffer.Open(buffer.DirFS(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Append([]tag.Sample{{Tag: plant()[0], Value: tag.Int(1), Time: time.Unix(1, 0)}}); err != nil {
		t.Fatal(err)
	}
	before := state(t, c.Dir)
	once(t, c.Dir)
	if after := state(t, c.Dir); after != before {
		t.Errorf("a directory in use:\nbefore %s\n after %s", before, after)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	before = state(t, c.Dir)
	once(t, c.Dir)
	if after := state(t, c.Dir); after != before {
		t.Errorf("a directory at rest:\nbefore %s\n after %s", before, after)
	}
}

// state is names, sizes, times and contents of a directory.
func state(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.Walk(dir, func(path string, st os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		out.WriteString(path + " " + st.ModTime().String() + " ")
		if st.Mode().IsRegular() {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			if _, err := io.Copy(&out, f); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}
