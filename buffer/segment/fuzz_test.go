package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"fieldferry/buffer/column"
	"fieldferry/buffer/frame"
)

// FuzzHeader reads arbitrary bytes as a header page, and as the name of a file.
func FuzzHeader(f *testing.F) {
	h := Header{Log: 1 << 60, ID: 7, Epoch: 2, FirstSeq: 9, FirstOrd: 8}
	f.Add(h.Append(nil), h.Name())
	f.Add(h.Append(nil)[:headerUsed], "00000001-x.seg")
	f.Fuzz(func(t *testing.T, p []byte, name string) {
		var got, again Header
		switch err := got.Parse(p); {
		case err == nil:
			if err := again.Parse(got.Append(nil)); err != nil || again != got {
				t.Fatalf("%+v became %+v, %v", got, again, err)
			}
		case !errors.Is(err, frame.ErrCorrupt) && !errors.Is(err, ErrVersion):
			t.Fatalf("%v, want ErrCorrupt or ErrVersion", err)
		}
		if got = (Header{}); got.ParseName(name) && got.Name() != name {
			t.Fatalf("%q passes for %q", name, got.Name())
		}
	})
}

// FuzzBlock reads arbitrary bytes as a block, with the right checksum: what
// then is in it has been written by nobody.
func FuzzBlock(f *testing.F) {
	k := keyOf(1, 2)
	for _, b := range []Block{
		{Count: 3, FirstSeq: 9, FirstOrd: 8, Epoch: 1, Time: 5, Payload: make([]byte, 30)},
		{Codec: column.Zstd, Raw: 4000, Count: 300, Payload: []byte("not zstd")},
		{Flags: FlagCounts, Codec: column.Packed, Raw: MaxPayload, Payload: []byte{1}},
	} {
		f.Add(b.Append(nil, k))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var b, again Block
		if b.Parse(signed(p, k), k) != nil {
			return
		}
		if b.Raw > MaxPayload || b.Count > b.Raw {
			t.Fatalf("%d samples in %d bytes", b.Count, b.Raw)
		}
		q := b.Append(nil, k)
		if err := again.Parse(q, k); err != nil || len(q) != b.Size() {
			t.Fatalf("%+v became %+v, %v", b, again, err)
		}
		var u column.Unpacker
		rows, err := u.Unpack(b.Codec, b.Payload, int(b.Raw), int(b.Count), func(uint32) column.Ref { return column.Ref{} })
		if err != nil && !errors.Is(err, frame.ErrCorrupt) || err == nil && len(rows) != int(b.Raw) {
			t.Fatalf("%d bytes of %d, %v", len(rows), b.Raw, err)
		}
	})
}

// signed puts the right checksum on a block.
func signed(p []byte, k Key) []byte {
	n, ok := blockLength(p)
	if !ok || n > len(p) {
		return p
	}
	le := binary.LittleEndian
	q := bytes.Clone(p)
	stored := int(le.Uint32(q[8:]))
	sum := crc32.Update(uint32(k), table, q[:blockHeader-4])
	le.PutUint32(q[blockHeader-4:], crc32.Update(sum, table, q[blockHeader:blockHeader+stored]))
	return q
}
