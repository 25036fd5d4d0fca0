package fault

import (
	"math/rand/v2"
	"testing"
)

// TestMachineForgets: a name that was not synced is there or not, as luck has
// it, after a power cut.
func TestMachineForgets(t *testing.T) {
	m := New()
	f, err := m.Create("/data/x", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("lost"), 0); err != nil {
		t.Fatal(err)
	}
	kept := 0
	for luck := range uint64(50) {
		if _, err := m.Reboot(rand.New(rand.NewPCG(luck, 0))).Open("/data/x"); err == nil {
			kept++
		}
	}
	if kept == 0 || kept == 50 {
		t.Fatalf("a name that was not synced was there %d times of 50", kept)
	}
}

// TestMachineKeeps: what was synced, with its name, is there after every power
// cut, whatever was written beside it.
func TestMachineKeeps(t *testing.T) {
	m := New()
	f, err := m.Create("/data/x", 0)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string, off int64) {
		if _, err := f.WriteAt([]byte(text), off); err != nil {
			t.Fatal(err)
		}
	}
	write("kept", 0)
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := m.SyncDir("/data"); err != nil {
		t.Fatal(err)
	}
	write("perhaps", 4)
	for luck := range uint64(50) {
		f, err := m.Reboot(rand.New(rand.NewPCG(luck, 0))).Open("/data/x")
		if err != nil {
			t.Fatalf("luck %d: %v", luck, err)
		}
		p := make([]byte, 4)
		if _, err := f.ReadAt(p, 0); err != nil || string(p) != "kept" {
			t.Fatalf("luck %d: got %q, %v, want %q", luck, p, err, "kept")
		}
	}
}
