package buffer

import (
	"bytes"
	"path/filepath"
	"testing"

	"fieldferry/buffer/column"
	"fieldferry/buffer/inspect"
	"fieldferry/buffer/segment"
)

// FuzzForgedBlock changes a block of a log and gives it the right checksum, as
// a program with a bug might have: the log opens, everything that can be read
// is, and the accounts add up. Verification, too, must end.
func FuzzForgedBlock(f *testing.F) {
	for n := range uint16(12) {
		f.Add(n, uint8(n%3), n*7, uint8(1<<(n%8)), uint8(0), uint16(0), uint8(0))
	}
	f.Add(uint16(3), uint8(0), uint16(9), uint8(0), uint8(2), uint16(0), uint8(0))
	f.Add(uint16(5), uint8(0), uint16(9), uint8(0), uint8(0), uint16(700), uint8(0))
	f.Add(uint16(2), uint8(1), uint16(9), uint8(0), uint8(0), uint16(0), uint8(8))
	f.Fuzz(func(t *testing.T, n uint16, file uint8, at uint16, flip, codec uint8, raw uint16, flags uint8) {
		g := damageRig(t)
		g.forged = true
		files := g.segments()
		name := files[int(file)%len(files)]
		g.m.Damage(name, func(p []byte) {
			var h segment.Header
			h.ParseName(filepath.Base(name))
			sc := segment.NewScanner(bytes.NewReader(bytes.Clone(p)), h.Key(), segment.HeaderSize, int64(len(p)))
			var b segment.Block
			for range int(n)%40 + 1 {
				next, err := sc.Next()
				if err != nil {
					break
				}
				b = next
			}
			if len(b.Payload) == 0 {
				return
			}
			b.Payload = bytes.Clone(b.Payload)
			b.Payload[int(at)%len(b.Payload)] ^= flip
			b.Codec ^= column.Codec(codec)
			b.Raw ^= uint32(raw)
			b.Flags ^= segment.Flags(flags)
			copy(p[b.Off:], b.Append(nil, h.Key()))
		})
		if d, err := inspect.Open(g.m, g.cfg.Dir); err == nil {
			if _, err := d.Verify(t.Context(), func(inspect.Finding) {}); err != nil {
				t.Fatalf("verify: %v", err)
			}
		}
		g.open()
		rr := g.readers["a"]
		got := 0
		for {
			es, err := rr.r.Next(ended, make([]Entry, 0, 256))
			if got += len(es); err != nil {
				break
			}
			rr.r.Settle(es[len(es)-1].Seq)
		}
		g.conserved()
		if st := g.stats("a"); st.Pending != 0 {
			t.Fatalf("%d samples came, %d are pending: %+v", got, st.Pending, st)
		}
	})
}
