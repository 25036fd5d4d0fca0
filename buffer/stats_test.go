package buffer

import (
	"sync"
	"testing"
	"time"

	"fieldferry/tag"
)

// TestSyncTimesOfAllClasses: the times of the syncs of all three logs are
// told, each once.
func TestSyncTimesOfAllClasses(t *testing.T) {
	g := newRig(t, rigConfig())
	g.reader("a", StartNow)
	before := g.b.Stats()
	var each [classes]uint64
	for range 3 {
		g.append(len(g.tags)) // of every class
		g.sync()
	}
	st := g.b.Stats()
	var count uint64
	for c, l := range g.b.logs {
		g.b.c.Mu.Lock()
		each[c] = l.StatsLocked().SyncTimes.Count
		g.b.c.Mu.Unlock()
		count += each[c]
		if each[c] < 3 {
			t.Errorf("class %v: %d syncs, want at least 3", tag.Class(c), each[c])
		}
	}
	x := &st.SyncTimes
	if x.Count != st.Syncs || x.Count != count || x.Count < before.SyncTimes.Count+9 || x.Max != st.MaxSync || x.Sum < x.Max || x.Up[len(x.Up)-1] != x.Count {
		t.Errorf("sync times %+v, before %+v; want those of %d syncs (%v), the longest %v", *x, before.SyncTimes, st.Syncs, each, st.MaxSync)
	}
	if err := g.b.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestHungDiskHoldsUpNoLook: while a sync hangs, Drops, Stats and Append
// return, and the drops are those from before it.
func TestHungDiskHoldsUpNoLook(t *testing.T) {
	cfg := rigConfig()
	cfg.MaxBytes = 64 << 10
	g := newRig(t, cfg)
	g.reader("a", StartNow)
	for len(g.b.Drops()) < 3 {
		g.append(50)
		g.tick()
	}
	want := g.b.Drops()
	hung, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	g.m.Plan(func(_ int, kind, _ string) error {
		if kind == "sync" {
			once.Do(func() { close(hung) })
			<-release
		}
		return nil
	})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(release)
	g.append(50)
	wg.Go(func() { _ = g.b.Sync(t.Context()) })
	<-hung
	looked := make(chan []Drop, 1)
	wg.Go(func() {
		drops := g.b.Drops()
		g.b.Stats()
		_ = g.b.Append([]tag.Sample{{Tag: g.tags[0], Value: tag.Int(1)}})
		looked <- drops
	})
	select {
	case got := <-looked:
		if len(got) < len(want) {
			t.Errorf("%d drops while a sync hangs, want at least %d", len(got), len(want))
		}
	case <-time.After(30 * time.Second):
		t.Error("Drops, Stats or Append wait for a sync that hangs")
	}
}

// TestDropsAreOrderedOverClasses: whoever keeps the newest of them finds them
// at the end.
func TestDropsAreOrderedOverClasses(t *testing.T) {
	cfg := rigConfig()
	cfg.MaxBytes = 64 << 10
	g := newRig(t, cfg)
	g.reader("a", StartNow)
	for range 200 {
		g.append(50)
		g.tick()
	}
	drops, seen := g.b.Drops(), map[tag.Class]bool{}
	for i, d := range drops {
		seen[d.Class] = true
		if i > 0 && d.LastSeq < drops[i-1].LastSeq {
			t.Errorf("drop %d up to %d comes after one up to %d", i, d.LastSeq, drops[i-1].LastSeq)
		}
	}
	if len(seen) < 2 {
		t.Errorf("drops of %v only: the test shows nothing", seen)
	}
	if err := g.b.Close(); err != nil {
		t.Fatal(err)
	}
}
