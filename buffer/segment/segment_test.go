package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"fieldferry/buffer/disk"
	"fieldferry/buffer/frame"
)

func TestHeaderAndName(t *testing.T) {
	h := Header{Log: 0xfedcba9876543210, ID: 7, Epoch: 3, FirstSeq: 1 << 40, FirstOrd: 99, Clock: frame.Clock{
		Log: time.Hour, Clock: disk.Clock{Wall: time.Unix(5, 6).UTC(), Up: time.Minute, Boot: [16]byte{1, 2}, Trusted: true},
	}}
	p := h.Append(nil)
	var got Header
	err := got.Parse(p)
	if err != nil || got != h || len(p) != HeaderSize {
		t.Fatalf("got %+v, %v, want %+v", got, err, h)
	}
	var n Header
	if ok := n.ParseName(h.Name()); !ok || n.Log != h.Log || n.ID != h.ID || n.FirstSeq != h.FirstSeq || n.FirstOrd != h.FirstOrd {
		t.Fatalf("name %q: got %+v", h.Name(), n)
	}
	for _, bad := range []string{"", "x.seg", h.Name() + ".bad", strings.ToUpper(h.Name()), "1-2-3-4.seg"} {
		if new(Header).ParseName(bad) {
			t.Errorf("%q passes for a segment", bad)
		}
	}
	for i := range headerUsed + 4 {
		q := bytes.Clone(p)
		q[i] ^= 1
		if err := new(Header).Parse(q); !errors.Is(err, frame.ErrCorrupt) {
			t.Errorf("byte %d changed: %v, want ErrCorrupt", i, err)
		}
	}
	later := h.Append(nil)
	later[8] = version + 1
	if err := new(Header).Parse(refreshed(later)); !errors.Is(err, ErrVersion) {
		t.Errorf("later version: %v, want ErrVersion", err)
	}
}

func keyOf(log uint64, id uint32) Key { return (&Header{Log: log, ID: id}).Key() }

// fileOf is a segment of n blocks, and where they begin.
func fileOf(k Key, n int) ([]byte, []int64) {
	p := make([]byte, HeaderSize)
	var at []int64
	for i := range n {
		b := Block{FirstOrd: uint64(i), Payload: bytes.Repeat([]byte("frame"), 1+i%29)}
		at = append(at, int64(len(p)))
		p = b.Append(p, k)
	}
	return p, at
}

// TestScanFindsTheRest: whatever bytes are destroyed, every block that holds
// none of them is found.
func TestScanFindsTheRest(t *testing.T) {
	k := keyOf(1, 2)
	clean, at := fileOf(k, 2000)
	for i := range uint64(300) {
		rnd := rand.New(rand.NewPCG(i, 0))
		p := bytes.Clone(clean)
		lo := HeaderSize + rnd.IntN(len(p)-HeaderSize)
		hi := min(len(p), lo+1+rnd.IntN(9000))
		for j := lo; j < hi; j++ {
			p[j] = byte(rnd.Uint32())
		}
		found := map[int64]bool{}
		for sc := NewScanner(bytes.NewReader(p), k, HeaderSize, int64(len(p))); ; {
			f, err := sc.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			found[f.Off] = true
		}
		for n, off := range at {
			end := int64(len(p))
			if n+1 < len(at) {
				end = at[n+1]
			}
			if whole := end <= int64(lo) || off >= int64(hi); whole && !found[off] {
				t.Fatalf("luck %d: bytes %d to %d destroyed, but the block from %d to %d was not found", i, lo, hi, off, end)
			}
		}
	}
}

// TestForeignBlocks: blocks of another log or segment do not validate.
func TestForeignBlocks(t *testing.T) {
	p, _ := fileOf(keyOf(1, 2), 3)
	for _, k := range []Key{keyOf(1, 3), keyOf(2, 2)} {
		sc := NewScanner(bytes.NewReader(p), k, HeaderSize, int64(len(p)))
		if f, err := sc.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("key %x: found %+v, %v", k, f, err)
		}
	}
}

func FuzzScan(f *testing.F) {
	k := keyOf(1, 2)
	p, _ := fileOf(k, 4)
	f.Add(p)
	f.Add(p[:len(p)-5])
	p = (&Block{Flags: FlagFooter, Payload: (&frame.Footer{Count: 3}).Append(nil)}).Append(p, k)
	f.Add(p)
	f.Fuzz(func(t *testing.T, p []byte) {
		end := int64(HeaderSize)
		for sc := NewScanner(bytes.NewReader(p), k, HeaderSize, int64(len(p))); ; {
			fd, err := sc.Next()
			if err != nil {
				return
			}
			if fd.Off < end || fd.Off%8 != 0 {
				t.Fatalf("block at %d, the one before ends at %d", fd.Off, end)
			}
			end = fd.Off + int64(fd.Size())
		}
	})
}

// refreshed puts the right checksum on a header.
func refreshed(p []byte) []byte {
	return append(append([]byte(nil), p[:headerUsed]...), sum(p[:headerUsed])...)
}

func sum(p []byte) []byte {
	return binary.LittleEndian.AppendUint32(nil, crc32.Checksum(p, table))
}
