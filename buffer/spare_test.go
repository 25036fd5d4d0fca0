package buffer

import (
	"slices"
	"strings"
	"syscall"
	"testing"
)

// watchOps notes what is done to files whose name ends in a suffix.
func watchOps(g *rig, suffix string, seen *[]string) {
	g.m.Plan(func(_ int, op, name string) error {
		if strings.HasSuffix(name, suffix) {
			*seen = append(*seen, op)
		}
		return nil
	})
}

// fill appends and syncs until ok.
func fill(g *rig, ok func() bool) {
	g.t.Helper()
	for i := 0; !ok(); i++ {
		if i > 1000 {
			g.t.Fatal("it never came to it")
		}
		g.append(10)
		g.sync()
		g.tick()
	}
}

// TestNextSegmentIsAllocatedAhead: while a segment has room the next one's file
// is made, and becomes it by a new name alone. The first one of a class comes
// when it is needed.
func TestNextSegmentIsAllocatedAhead(t *testing.T) {
	g := newRig(t, rigConfig())
	g.reader("a", StartNow)
	var spare, segs []string
	g.m.Plan(func(_ int, op, name string) error {
		switch {
		case strings.HasSuffix(name, "next.new"):
			spare = append(spare, op)
		case strings.HasSuffix(name, ".seg") && op == "create" && !strings.HasPrefix(name, "00000001-"):
			segs = append(segs, name)
		}
		return nil
	})
	before := g.b.Stats().Segments
	fill(g, func() bool { return g.b.Stats().Segments >= before+3 })
	if len(segs) > 0 {
		t.Errorf("segments made when they were needed: %q, want none", segs)
	}
	if !slices.Contains(spare, "rename") {
		t.Errorf("operations on the spare: %q, want some renamed", spare)
	}
	g.m.Plan(nil)
	g.kill()
	g.open()
	g.afterCrash(false)
}

// TestSpareGivesWay: what is only allocated ahead is given back before a
// sample is dropped for it, and the bound of bytes counts it.
func TestSpareGivesWay(t *testing.T) {
	cfg := rigConfig()
	cfg.MaxBytes = 64 << 10
	g := newRig(t, cfg)
	g.reader("a", StartNow)
	fill(g, func() bool { return total(g.b.Stats().Dropped) > 0 })
	if b := g.b.Stats().Bytes; b > 64<<10+g.lim.segment {
		t.Errorf("%d bytes on disk, want no more than a segment beyond 64 KiB", b)
	}
	g.conserved()
}

// TestNoSpareIsNoFailure: a disk that has no room for the next segment yet
// still has room in this one.
func TestNoSpareIsNoFailure(t *testing.T) {
	g := newRig(t, rigConfig())
	g.reader("a", StartNow)
	refused := 0
	g.m.Plan(func(_ int, op, name string) error {
		if op == "create" && strings.HasSuffix(name, "next.new") {
			refused++
			return syscall.ENOSPC
		}
		return nil
	})
	fill(g, func() bool { return refused > 0 })
	if s := g.b.Stats(); s.Degraded != nil || total(s.Dropped) > 0 {
		t.Errorf("degraded %v, dropped %v: want neither", s.Degraded, s.Dropped)
	}
	segments := g.b.Stats().Segments
	fill(g, func() bool { return g.b.Stats().Segments > segments })
	g.m.Plan(nil)
	g.kill()
	g.open()
	g.afterCrash(false)
}

// TestOldSpareIsDeleted: the spare of a run that was killed is of no use to the
// next one.
func TestOldSpareIsDeleted(t *testing.T) {
	g := newRig(t, rigConfig())
	g.reader("a", StartNow)
	var ops []string
	watchOps(g, "next.new", &ops)
	fill(g, func() bool { return slices.Contains(ops, "create") })
	g.kill()
	ops = nil
	watchOps(g, "next.new", &ops)
	g.open()
	if !slices.Contains(ops, "remove") {
		t.Errorf("operations on the old spare: %q, want it removed", ops)
	}
	g.afterCrash(false)
}

// TestFloorHoldsBetweenLooks: a log that fills its segments faster than the
// free space is looked at does not run below what is left to others.
func TestFloorHoldsBetweenLooks(t *testing.T) {
	cfg := rigConfig()
	cfg.MinFree = 100 << 10
	g := newRig(t, cfg)
	g.m.SetFree(int64(cfg.MinFree) + 12*g.lim.segment)
	g.reader("a", StartNow)
	for i := range 40 {
		for range 5 {
			g.append(60)
			g.sync()
		}
		g.tick()
		free, err := g.m.Free("")
		if err != nil || free < int64(cfg.MinFree)-g.lim.segment {
			t.Fatalf("round %d: %d bytes free (%v), want %d but for one segment", i, free, err, cfg.MinFree)
		}
	}
	if s := g.b.Stats(); s.Degraded != nil || s.Dropped["min free"] == 0 {
		t.Errorf("degraded %v, dropped %v, want some for min free", s.Degraded, s.Dropped)
	}
	g.conserved()
}
