package tally

import (
	"fmt"
	"testing"

	"fieldferry/tag"
)

func named(device, name string) *tag.Tag {
	return &tag.Tag{Name: name, Device: &tag.Device{Name: device}}
}

func TestComesBack(t *testing.T) {
	var want, got Tally
	const tags = 500
	for i := range tags {
		want.Of(named(fmt.Sprint("dev", i%7), fmt.Sprint("tag", i))).N = uint64(i * i)
	}
	parts := want.Append(nil, 1000)
	if len(parts) < 5 {
		t.Fatalf("%d payloads of 1000 bytes for %d counters", len(parts), tags)
	}
	for i, p := range parts {
		if len(p) > 1000 {
			t.Errorf("payload %d has %d bytes", i, len(p))
		}
		if all, err := got.Load(p); err != nil || all != tags {
			t.Fatalf("payload %d: %d counters, %v, want %d", i, all, err, tags)
		}
	}
	if got.Len() != tags {
		t.Errorf("%d counters, want %d", got.Len(), tags)
	}
	for i := range tags {
		v := named(fmt.Sprint("dev", i%7), fmt.Sprint("tag", i))
		if got.Of(v).N != want.Of(v).N {
			t.Errorf("tag %d: got %d, want %d", i, got.Of(v).N, want.Of(v).N)
		}
	}
}

// TestNeverBack: counters only grow, and those of tags that come later begin
// above the floor, before and after it was stored.
func TestNeverBack(t *testing.T) {
	var old, now Tally
	a := old.Of(named("d", "a"))
	a.N = 5
	p := old.Append(nil, 1<<10)[0]
	a.N = 9
	if _, err := old.Load(p); err != nil || a.N != 9 {
		t.Errorf("after an older state: %d, %v, want 9", a.N, err)
	}
	old.Jump(50, 100)
	if b := old.Of(named("d", "b")); a.N != 100 || b.N != 100 {
		t.Errorf("after a jump: %d and %d, want 100", a.N, b.N)
	}
	if _, err := now.Load(old.Append(nil, 1<<10)[0]); err != nil || now.Of(named("x", "y")).N != 100 {
		t.Errorf("a later tag begins above %d, %v, want 100", now.Of(named("x", "y")).N, err)
	}
	old.Jump(7, 3)
	if b := old.Of(named("d", "e")); a.N != 107 || b.N != 107 {
		t.Errorf("after another jump: %d and %d, want 107", a.N, b.N)
	}
	old.Of(named("d", "c")).N = 1000
	for i := range most {
		old.Of(named("many", fmt.Sprint(i)))
	}
	if n := old.Of(named("d", "c")).N; n < 1000 || old.Len() > most {
		t.Errorf("a forgotten tag goes on at %d of %d, want 1000 at least", n, old.Len())
	}
}

func FuzzLoad(f *testing.F) {
	var seed Tally
	seed.Of(named("pump", "speed")).N = 77
	seed.Of(named("pump", "total")).N = 1 << 40
	for _, p := range seed.Append(nil, 40) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var got, again Tally
		if _, err := got.Load(p); got.Len() > len(p) {
			t.Fatalf("%d counters of %d bytes, %v", got.Len(), len(p), err)
		}
		for _, q := range got.Append(nil, 1<<10) {
			if _, err := again.Load(q); err != nil {
				t.Fatalf("what was written is not read: %v", err)
			}
		}
		if fmt.Sprint(again.Append(nil, 1<<20)) != fmt.Sprint(got.Append(nil, 1<<20)) {
			t.Fatal("what was written reads as something else")
		}
	})
}
