package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrCorrupt is wrapped by every error about bytes that are not what the
// format says.
var ErrCorrupt = errors.New("corrupt")

func errFrame(op byte) error { return fmt.Errorf("frame %#02x: %w", op, ErrCorrupt) }

// The first byte of a frame. Below 0x80 it is a sample: the kind of its value
// in the low four bits, its quality in the next two, and whether a reason
// follows. From 0x80 on a length follows, so that a reader can pass over
// frames it does not know.
const (
	sampleReason = 0x40

	opTag    = 0x81
	opReason = 0x82
	opReader = 0x83
	opDrop   = 0x84
	opSkip   = 0x85
	opClock  = 0x86
	opTime   = 0x87 // base of the following time, where it is too far from the last one
	opFooter = 0x88
	opState  = 0x89
)

func appendFrame(dst []byte, op byte, payload []byte) []byte {
	dst = append(dst, op)
	dst = binary.AppendUvarint(dst, uint64(len(payload)))
	return append(dst, payload...)
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// eachFrame calls use for each frame of a block without samples. A frame that
// use could not read, or whose length is wrong, ends it with an error.
func eachFrame(payload []byte, use func(op byte, in *reader)) error {
	r := reader{p: payload}
	for r.off < len(r.p) {
		op := r.byte()
		in := reader{p: r.bytes()}
		if op < 0x80 || r.err {
			return errFrame(op)
		}
		if use(op, &in); in.err {
			return errFrame(op)
		}
	}
	return nil
}

// reader takes fields off a payload. After the first field that is not there
// err is set and everything reads as zero.
type reader struct {
	p   []byte
	off int
	err bool
}

func (r *reader) fail() { r.err, r.off = true, len(r.p) }

func (r *reader) byte() byte {
	if r.off >= len(r.p) {
		r.fail()
		return 0
	}
	r.off++
	return r.p[r.off-1]
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.p[r.off:])
	if n <= 0 {
		r.fail()
		return 0
	}
	r.off += n
	return v
}

func (r *reader) varint() int64 { return unzigzag(r.uvarint()) }

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.p)-r.off) {
		r.fail()
		return nil
	}
	r.off += int(n)
	return r.p[r.off-int(n) : r.off]
}

func (r *reader) bytes() []byte  { return r.take(r.uvarint()) }
func (r *reader) string() string { return string(r.bytes()) }

func (r *reader) uint32() uint32 {
	b := r.take(4)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

func (r *reader) uint64() uint64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}
