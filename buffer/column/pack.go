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
	Zstd   // columns, compressed
	Packed // frames, or whatever else is not samples, compressed
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
	p := new(Packer)
	p.enc.tags.reset(0)
	return p
}

// compress returns p.out. The encoder is made when it is first needed, since it
// is large.
func (p *Packer) compress(raw []byte) []byte {
	if p.zstd == nil {
		z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderCRC(false), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic(err) // one of these options is wrong: a bug here
		}
		p.zstd = z
	}
	p.out = p.zstd.EncodeAll(raw, p.out[:0])
	return p.out
}

// Pack returns the count rows in the form that takes least, and which that is:
// rows that it cannot take apart, or that would not become shorter, are
// returned as they are. refs tells the reference values of tags. The result is
// valid until the next call.
func (p *Packer) Pack(rows []byte, count int, refs func(id uint32) Ref) (Codec, []byte) {
	var ok bool
	p.raw, ok = p.enc.encode(p.raw[:0], rows, count, refs)
	if !ok {
		return Rows, rows
	}
	codec, out := Columns, p.raw
	if len(p.raw) >= minZstd {
		if z := p.compress(p.raw); len(z) <= len(p.raw)*9/10 {
			codec, out = Zstd, z
		}
	}
	if len(out) >= len(rows) {
		return Rows, rows
	}
	if back, err := p.back.Unpack(codec, out, len(rows), count, refs); err != nil || !bytes.Equal(back, rows) {
		return Rows, rows
	}
	return codec, out
}

// PackFrames compresses what is not samples, if that pays. The result is valid
// until the next call.
func (p *Packer) PackFrames(frames []byte) (Codec, []byte) {
	if len(frames) < minZstd {
		return Rows, frames
	}
	z := p.compress(frames)
	back, err := p.back.Unpack(Packed, z, len(frames), 0, nil)
	if err != nil || !bytes.Equal(back, frames) || len(z) > len(frames)*9/10 {
		return Rows, frames
	}
	return Packed, z
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

// Unpacker makes rows of columns. Its zero value is ready.
type Unpacker struct {
	dec  decoder
	zstd *zstd.Decoder
	raw  []byte
	rows []byte
}

// expand returns u.raw. The decoder is made when it is first needed.
func (u *Unpacker) expand(p []byte) ([]byte, error) {
	if u.zstd == nil {
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(window), zstd.WithDecoderMaxMemory(window), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			panic(err) // one of these options is wrong: a bug here
		}
		u.zstd, u.raw = z, make([]byte, 0, window)
	}
	return u.zstd.DecodeAll(p, u.raw[:0])
}

// Unpack returns the rows that Pack was given: size bytes, count samples. refs
// must tell the same reference values; for a tag whose value is Unknown those
// in the rows mean nothing. What it returns is valid until the next
// call; with codec Rows it is p.
func (u *Unpacker) Unpack(codec Codec, p []byte, size, count int, refs func(id uint32) Ref) ([]byte, error) {
	switch codec {
	case Rows:
		if len(p) != size {
			return nil, corrupt(codec, "length")
		}
		return p, nil
	case Zstd, Packed:
		raw, err := u.expand(p)
		if err != nil {
			return nil, corrupt(codec, err.Error())
		}
		if codec == Packed {
			return raw, check(codec, len(raw) == size)
		}
		p = raw
	case Columns:
	default:
		return nil, corrupt(codec, "unknown")
	}
	rows, ok := u.dec.decode(u.rows[:0], p, count, size, refs)
	u.rows = rows
	return rows, check(codec, ok && (len(rows) == size || u.dec.loose))
}

func check(codec Codec, ok bool) error {
	if !ok {
		return corrupt(codec, "content")
	}
	return nil
}

func corrupt(codec Codec, what string) error {
	return fmt.Errorf("samples of codec %d: %s: %w", codec, what, frame.ErrCorrupt)
}
