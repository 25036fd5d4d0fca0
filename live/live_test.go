package live_test

import (
	"sync"
	"testing"
	"time"

	"fieldferry/live"
	"fieldferry/tag"
)

func newTag(device, name string) *tag.Tag {
	return &tag.Tag{Name: name, Device: &tag.Device{Name: device}}
}

func TestCellReturnsWholeSamples(t *testing.T) {
	store := live.New()
	c := store.Cell(newTag("pump", "speed"))
	if s, ok := c.Get(); ok || c.Version() != 0 || !c.Fresh().IsZero() {
		t.Fatalf("an unset cell: got %v, %t, version %d, fresh %v", s, ok, c.Version(), c.Fresh())
	}
	// The writer keeps value, time, read number and reason equal to each
	// other; a reader that ever sees them differ has seen a torn sample.
	const n = 20000
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				s, ok := c.Get()
				if !ok {
					continue
				}
				i, _ := s.Value.Integer()
				if s.Time.UnixNano() != i || s.Read != uint64(i) || (s.Quality.Level == tag.Bad) != (i%2 == 1) {
					t.Errorf("torn sample: %+v", s)
					return
				}
			}
		})
	}
	for i := int64(1); i <= n; i++ {
		s := tag.Sample{Value: tag.Int(i), Time: time.Unix(0, i), Read: uint64(i)}
		if i%2 == 1 {
			s.Quality = tag.BadFor(tag.ReasonTimeout)
		}
		c.Set(&s, time.Now())
	}
	close(stop)
	wg.Wait()
	if got := c.Version(); got != n {
		t.Errorf("version: got %d, want %d", got, n)
	}
}

func TestCellKeepsEveryKind(t *testing.T) {
	c := live.New().Cell(newTag("d", "t"))
	for _, want := range []tag.Value{
		{}, tag.Bool(true), tag.Int(-5), tag.Uint(1 << 63), tag.Float32(0.1), tag.Float64(-0.5),
		tag.String("läuft"), tag.Bytes([]byte{0, 255}), tag.JSON(`[1,2]`), tag.Float64(1),
	} {
		c.Set(&tag.Sample{Value: want}, time.Now())
		got, _ := c.Get()
		if got.Value != want || !got.Time.IsZero() {
			t.Errorf("set %v: got %v at %v", want, got.Value, got.Time)
		}
	}
}

func TestRefreshRenewsTheAgeAlone(t *testing.T) {
	c := live.New().Cell(newTag("d", "t"))
	t0 := time.Now()
	c.Set(&tag.Sample{Value: tag.Int(1)}, t0)
	c.Refresh(t0.Add(time.Minute))
	if got, want := c.Fresh(), t0.Add(time.Minute); !got.Equal(want) {
		t.Errorf("fresh: got %v, want %v", got, want)
	}
	if c.Version() != 1 {
		t.Errorf("version: got %d, want 1", c.Version())
	}
}

func TestStoreKeepsTheCellAcrossATagMap(t *testing.T) {
	store := live.New()
	old, newer := newTag("pump", "speed"), newTag("pump", "speed")
	c := store.Cell(old)
	c.Set(&tag.Sample{Value: tag.Int(7)}, time.Now())
	if store.Cell(newer) != c || c.Tag() != newer {
		t.Fatal("a tag of the same name got another cell")
	}
	store.Remove(old) // late: must not take the newer tag's cell away
	if store.Find("pump", "speed") != c {
		t.Fatal("removing the old tag removed the new one's cell")
	}
	store.Cell(newTag("a", "z"))
	store.Cell(newTag("a-b", "a"))
	var paths []string
	for _, c := range store.All(nil) {
		paths = append(paths, c.Tag().Path())
	}
	if len(paths) != 3 || paths[0] != "a/z" || paths[1] != "a-b/a" || paths[2] != "pump/speed" {
		t.Errorf("All: got %v", paths)
	}
	store.Remove(newer)
	if store.Find("pump", "speed") != nil {
		t.Error("a removed tag is still found")
	}
}

func TestWatchWakesOnceForManySets(t *testing.T) {
	store := live.New()
	a, b := store.Cell(newTag("d", "a")), store.Cell(newTag("d", "b"))
	wake, stop := store.Watch([]*live.Cell{a, b})
	a.Set(&tag.Sample{Value: tag.Int(1)}, time.Now())
	b.Set(&tag.Sample{Value: tag.Int(1)}, time.Now())
	if len(wake) != 1 {
		t.Fatalf("pending wake-ups: got %d, want 1", len(wake))
	}
	<-wake
	stop()
	a.Set(&tag.Sample{Value: tag.Int(2)}, time.Now())
	if len(wake) != 0 {
		t.Error("a stopped watch was woken")
	}
}

func TestSetDoesNotAllocate(t *testing.T) {
	c := live.New().Cell(newTag("d", "t"))
	s := tag.Sample{Value: tag.Float64(1.5), Quality: tag.UncertainFor(tag.ReasonStale), Time: time.Now()}
	now := time.Now()
	c.Set(&s, now)
	if n := testing.AllocsPerRun(1000, func() { c.Set(&s, now) }); n != 0 {
		t.Errorf("allocations per Set: got %v, want 0", n)
	}
}
