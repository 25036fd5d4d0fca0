package column

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"fieldferry/buffer/frame"
)

// Codec says how the samples of a block are stored. Its numbers are written to
// disk.
type Codec uint8

// The codecs.
const (
	Rows Codec = iota // frames one after the other
	Columns
	Zstd // columns, compressed
)

const (
	// minZstd is how long columns must be to be compressed.
	minZstd = 1 << 10
	// window is what zstd may look back: more than any block has.
	window = 128 << 10
)

// Packer makes columns of rows.
type Packer struct {
	enc  encoder
	back Unpacker // reads what was made, to be sure
	zstd *zstd.Encoder
	raw  []byte
	out  []byte
}

// NewPacker returns a Packer.
func NewPacker() *Packer {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // one of these options is wrong: a bug here
	}
	p := &Packer{zstd: z, back: *NewUnpacker()}
	p.enc.tags.reset(0)
	return p
}

// Pack returns the count rows in the form that takes least, and which that is:
// rows that it cannot take apart, or that would not become shorter, are
// returned as they are. refs tells the reference values of tags. The result is
// valid until the next call.
func (p *Packer) Pack(rows []byte, count int, refs func(id uint32) Ref) (Codec, []byte) {
	var ok bool
	p.raw, ok = p.enc.encode(p.raw[:0], rows, count, refs)
	if !ok || len(p.raw) >= len(rows) {
		return Rows, rows
	}
	codec, out := Columns, p.raw
	if len(p.raw) >= minZstd {
		p.out = p.zstd.EncodeAll(p.raw, p.out[:0])
		if len(p.out) <= len(p.raw)*9/10 {
			codec, out = Zstd, p.out
		}
	}
	if back, err := p.back.Unpack(codec, out, len(rows), count, refs); err != nil || !bytes.Equal(back, rows) {
		return Rows, rows
	}
	return codec, out
}

// Last returns the last value of a tag in the rows that were last packed as
// columns, to be the reference value of later ones.
func (p *Packer) Last(id uint32) Ref {
	s, seen := p.enc.tags.at(id)
	if !seen {
		s.lap = 0 // it was not there: it is not there now
		return Ref{}
	}
	return s.ref()
}

// Unpacker makes rows of columns.
type Unpacker struct {
	dec  decoder
	zstd *zstd.Decoder
	raw  []byte
	rows []byte
}

// NewUnpacker returns an Unpacker.
func NewUnpacker() *Unpacker {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(window), zstd.WithDecoderMaxMemory(window), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(err) // one of these options is wrong: a bug here
	}
	return &Unpacker{zstd: z}
}

// Unpack returns the rows that Pack was given: size bytes, count samples. refs
// must tell the same reference values. What it returns is valid until the next
// call; with codec Rows it is p.
func (u *Unpacker) Unpack(codec Codec, p []byte, size, count int, refs func(id uint32) Ref) ([]byte, error) {
	switch codec {
	case Rows:
		if len(p) != size {
			return nil, corrupt(codec, "length")
		}
		return p, nil
	case Zstd:
		if u.raw == nil {
			u.raw = make([]byte, 0, window)
		}
		raw, err := u.zstd.DecodeAll(p, u.raw[:0])
		if err != nil {
			return nil, corrupt(codec, err.Error())
		}
		p = raw
	case Columns:
	default:
		return nil, corrupt(codec, "unknown")
	}
	rows, ok := u.dec.decode(u.rows[:0], p, count, size, refs)
	u.rows = rows
	if !ok || len(rows) != size {
		return nil, corrupt(codec, "columns")
	}
	return rows, nil
}

func corrupt(codec Codec, what string) error {
	return fmt.Errorf("samples of codec %d: %s: %w", codec, what, frame.ErrCorrupt)
}
