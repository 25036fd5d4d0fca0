package ring

import (
	"bytes"
	"os"
	"runtime/debug"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCommitWord ends a process, as far as the memory is concerned, in the
// middle of a store: the second half of the record lies where nothing may be
// written. The commit word must not have been stored before the frames were.
func TestCommitWord(t *testing.T) {
	const n = 32 << 10
	mem, err := unix.Mmap(-1, 0, Size(64<<10), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Munmap(mem); err != nil {
			t.Error(err)
		}
	}()
	r := New(mem, ID{Log: 5, Boot: boot}, 0)
	rec := r.Begin(1, 0, 1, 0, n)
	if !r.Append(rec, bytes.Repeat([]byte{1}, 100), 1) {
		t.Fatal("the first frames do not fit")
	}
	at := (overhead + n/2) / os.Getpagesize() * os.Getpagesize()
	if err := unix.Mprotect(mem[at:], unix.PROT_READ); err != nil {
		t.Fatal(err)
	}
	if !killed(func() { r.Append(rec, bytes.Repeat([]byte{2}, n-100), 1) }) {
		t.Fatal("the store went through")
	}
	got, _, ok := Recover(mem, 5, boot)
	if !ok || len(got.Records()) != 1 || got.Records()[0].Count != 1 || len(got.Records()[0].Frames) != 100 {
		t.Fatalf("after a store that was cut: recovered %v %+v, want the 100 bytes before it", ok, got.Records())
	}
}

// killed says that f has stored where nothing may be written.
func killed(f func()) (fault bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { fault = recover() != nil }()
	f()
	return false
}
