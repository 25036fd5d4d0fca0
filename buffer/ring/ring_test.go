package ring

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"fieldferry/buffer/frame"
)

var boot = [16]byte{1}

// TestRecover fills and frees a ring at random and recovers it after every
// step: the records are those that were committed and not freed.
func TestRecover(t *testing.T) {
	mem := make([]byte, Size(8<<10))
	id := ID{Log: 5, Boot: boot, Ring: 4}
	r := New(mem, id, 100)
	rnd := rand.New(rand.NewPCG(1, 2))
	ord := uint64(100)
	var cur *Record
	for step := range 4000 {
		switch {
		case cur == nil || rnd.IntN(5) == 0:
			if cur != nil {
				r.Seal(cur)
			}
			if cur = r.Begin(ord+9, ord, 1, 0, 50); cur != nil && !r.Append(cur, frames(ord, 50), 1) {
				t.Fatalf("step %d: the needed frames do not fit", step)
			} else if cur != nil {
				ord++
			}
		case rnd.IntN(3) > 0:
			if r.Append(cur, frames(ord, rnd.IntN(300)), 1) {
				ord++
			}
		}
		if cur == nil || rnd.IntN(6) == 0 {
			if cur != nil {
				r.Seal(cur)
				cur = nil
			}
			r.Free()
		}
		r.SetOrd(ord)
		check(t, step, mem, r, ord)
	}
}

func check(t *testing.T, step int, mem []byte, r *Ring, ord uint64) {
	t.Helper()
	got, id, ok := Recover(bytes.Clone(mem), 5, boot)
	if !ok || id.Ring != 4 || got.Ord() != ord {
		t.Fatalf("step %d: recovered %v %+v, count %d, want %d", step, ok, id, got.Ord(), ord)
	}
	if list(got) != list(r) || got.Used() > len(r.data) {
		t.Fatalf("step %d:\ngot  %s\nwant %s", step, list(got), list(r))
	}
}

func list(r *Ring) (s string) {
	for _, rec := range r.Records() {
		s += fmt.Sprintf("%d+%d %x;", rec.Ord, rec.Count, crc32.ChecksumIEEE(rec.Frames))
		for _, c := range rec.Frames {
			if c != rec.Frames[0] && c != byte(rec.Ord) && c == 0 {
				s += "torn"
			}
		}
	}
	return s
}

func frames(ord uint64, n int) []byte { return bytes.Repeat([]byte{byte(ord) | 1}, n) }

func TestForeign(t *testing.T) {
	mem := make([]byte, Size(4<<10))
	New(mem, ID{Log: 5, Boot: boot}, 0)
	for name, c := range map[string]struct {
		mem  []byte
		log  uint64
		boot [16]byte
	}{
		"other log":    {mem, 6, boot},
		"other boot":   {mem, 5, [16]byte{2}},
		"unknown boot": {mem, 5, [16]byte{}},
		"other size":   {mem[:len(mem)-64], 5, boot},
		"zeros":        {make([]byte, len(mem)), 5, boot},
		"nothing":      {nil, 5, boot},
	} {
		if _, _, ok := Recover(c.mem, c.log, c.boot); ok {
			t.Errorf("%s: taken for ours", name)
		}
	}
}

// TestForeignRecords: what another log has left is found, of any boot; our
// own, and what is no ring, is not another's.
func TestForeignRecords(t *testing.T) {
	mem := make([]byte, Size(4<<10))
	r := New(mem, ID{Log: 5, Boot: boot}, 0)
	r.Append(r.Begin(1, 0, 1, 0, 100), frames(0, 100), 3)
	broken := bytes.Clone(mem)
	broken[48]++ // of the header's checksum
	for name, c := range map[string]struct {
		mem     []byte
		log     uint64
		records int
		owner   uint64
	}{
		"other log":  {mem, 6, 1, 5},
		"our log":    {mem, 5, 0, 5},
		"other size": {mem[:len(mem)-64], 6, 0, 5},
		"broken":     {broken, 6, 0, 5},
		"zeros":      {make([]byte, len(mem)), 6, 0, 0},
		"nothing":    {nil, 6, 0, 0},
	} {
		records, owner := Foreign(c.mem, c.log)
		if len(records) != c.records || owner != c.owner {
			t.Errorf("%s: got %d records of log %d, want %d of %d", name, len(records), owner, c.records, c.owner)
		}
		if len(records) > 0 && (records[0].Count != 3 || len(records[0].Frames) != 100) {
			t.Errorf("%s: got %d samples in %d bytes, want 3 in 100", name, records[0].Count, len(records[0].Frames))
		}
	}
}

// TestCells: of two copies the newer intact one counts.
func TestCells(t *testing.T) {
	mem := make([]byte, Size(4<<10))
	r := New(mem, ID{Log: 5, Boot: boot}, 0)
	for i := range uint64(3) {
		r.SetCell(7, &frame.Reader{Name: "a", Ord: 10 + i})
	}
	read := func() (ords []uint64) {
		got, _, _ := Recover(mem, 5, boot)
		got.EachCell(func(i int, rd *frame.Reader) {
			if i != 7 || rd.Name != "a" {
				t.Errorf("cell %d holds %+v", i, rd)
			}
			ords = append(ords, rd.Ord)
		})
		return ords
	}
	if got := fmt.Sprint(read()); got != "[12]" {
		t.Errorf("got %s, want [12]", got)
	}
	r.cell(7, r.cells[7])[20] ^= 1 // killed in the middle of the store
	if got := fmt.Sprint(read()); got != "[11]" {
		t.Errorf("newer copy torn: got %s, want [11]", got)
	}
	r.ClearCell(7)
	if got := fmt.Sprint(read()); got != "[]" {
		t.Errorf("cleared: got %s", got)
	}
}

func FuzzRecover(f *testing.F) {
	mem := make([]byte, Size(1<<10))
	r := New(mem, ID{Log: 5, Boot: boot}, 0)
	rec := r.Begin(1, 0, 1, 0, 10)
	r.Append(rec, []byte("0123456789"), 1)
	f.Add(bytes.Clone(mem[overhead:]), uint64(0))
	f.Fuzz(func(t *testing.T, data []byte, tail uint64) {
		mem := make([]byte, Size(1<<10))
		New(mem, ID{Log: 5, Boot: boot}, 0)
		copy(mem[overhead:], data)
		rr := &Ring{mem: mem}
		rr.store(offTail, tail)
		got, _, ok := Recover(mem, 5, boot)
		if !ok {
			t.Fatal("not taken for ours")
		}
		end := uint64(0)
		for _, rec := range got.Records() {
			if rec.Ord < end || rec.Count == 0 {
				t.Fatalf("record %+v after %d", rec, end)
			}
			end = rec.End()
		}
		for len(got.Records()) > 0 {
			got.Free()
		}
	})
}
