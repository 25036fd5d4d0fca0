package buffer

import (
	"testing"
)

func TestReadBack(t *testing.T) {
	g := newRig(t, rigConfig())
	a := g.reader("a", StartNow)
	g.append(5)
	if n := g.read(a, 100); n != 5 {
		t.Fatalf("got %d samples, want 5", n)
	}
	g.append(100)
	g.sync()
	g.append(10)
	if n := g.read(a, 1000); n != 110 {
		t.Fatalf("got %d samples, want 110", n)
	}
	g.settle(a, 50)
	g.conserved()
	if s := g.stats("a"); s.Pending != 65 {
		t.Fatalf("pending %d, want 65", s.Pending)
	}
	if err := g.b.Close(); err != nil {
		t.Fatal(err)
	}
	g.open()
	g.conserved()
	if s := g.stats("a"); s.Pending != 65 || g.b.Stats().Epoch != 1 {
		t.Fatalf("after a clean restart: pending %d, want 65; epoch %d, want 1", s.Pending, g.b.Stats().Epoch)
	}
	a.seenTo(a.settled)
	if n := g.read(a, 1000); n != 65 {
		t.Fatalf("got %d samples after the restart, want 65", n)
	}
	g.append(1)
	g.read(a, 1)
	g.settle(a, 1000)
	if s := g.stats("a"); s.Pending != 0 || s.Appended != 116 {
		t.Fatalf("got %+v, want 0 of 116 pending", s)
	}
}

func TestOpenRefusesABadConfiguration(t *testing.T) {
	bad := Default()
	bad.MaxBytes = 1
	if _, err := Open(DirFS(), bad, quiet()); err == nil {
		t.Error("opened with a bad configuration")
	}
}
