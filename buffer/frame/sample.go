package frame

import (
	"encoding/binary"
	"math"

	"fieldferry/tag"
)

// Kinds of value beyond those of package tag, in the low four bits: floats
// that are a short decimal number, exactly.
const (
	kindDecimal32 = 9
	kindDecimal64 = 10
)

// Encoder turns samples into frames, each as the difference to the one
// before. Its zero value stands at the start of a block; a copy of it can
// take a step back.
type Encoder struct {
	tag  uint32
	sec  int64
	nsec int64
	read uint64
}

// maxStep is how far two times may lie apart, in seconds, for their
// difference to fit into 64 bits of nanoseconds.
const maxStep = 4_000_000_000

// Append appends the frames of one sample. id and reason are dictionary
// numbers; with reason 0 the text of s.Quality.Reason is written out.
func (e *Encoder) Append(dst []byte, s *tag.Sample, id, reason uint32) []byte {
	sec, nsec := s.Time.Unix(), int64(s.Time.Nanosecond())
	step := sec - e.sec
	if step > maxStep || step < -maxStep {
		dst = appendTime(dst, sec, nsec)
		e.sec, e.nsec, step = sec, nsec, 0
	}
	kind, bits, text := s.Value.Parts()
	op, num := number(kind, bits)
	op |= byte(s.Quality.Level&3) << 4
	if s.Quality.Reason != "" {
		op |= sampleReason
	}
	dst = append(dst, op)
	dst = binary.AppendVarint(dst, int64(id)-int64(e.tag))
	dst = binary.AppendVarint(dst, step*1e9+nsec-e.nsec)
	dst = binary.AppendVarint(dst, int64(s.Read-e.read))
	e.tag, e.sec, e.nsec, e.read = id, sec, nsec, s.Read
	if s.Quality.Reason != "" {
		dst = binary.AppendUvarint(dst, uint64(reason))
		if reason == 0 {
			dst = appendString(dst, s.Quality.Reason)
		}
	}
	return appendValue(dst, op&15, num, text)
}

func appendTime(dst []byte, sec, nsec int64) []byte {
	var b [2 * binary.MaxVarintLen64]byte
	p := binary.AppendVarint(b[:0], sec)
	p = binary.AppendVarint(p, nsec)
	dst = append(dst, opTime, byte(len(p)))
	return append(dst, p...)
}

// number chooses how a value is written: its kind on disk and the number that
// follows.
func number(kind tag.Kind, bits uint64) (byte, uint64) {
	switch kind {
	case tag.KindInt:
		return byte(kind), zigzag(int64(bits))
	case tag.KindFloat32:
		if d, ok := decimal32(math.Float32frombits(uint32(bits))); ok {
			return kindDecimal32, d
		}
	case tag.KindFloat64:
		if d, ok := decimal64(math.Float64frombits(bits)); ok {
			return kindDecimal64, d
		}
	}
	return byte(kind), bits
}

func appendValue(dst []byte, kind byte, num uint64, text string) []byte {
	switch tag.Kind(kind) {
	case tag.KindNull:
		return dst
	case tag.KindBool:
		return append(dst, byte(num))
	case tag.KindFloat32:
		return binary.LittleEndian.AppendUint32(dst, uint32(num))
	case tag.KindFloat64:
		return binary.LittleEndian.AppendUint64(dst, num)
	case tag.KindString, tag.KindBytes, tag.KindJSON:
		return appendString(dst, text)
	}
	return binary.AppendUvarint(dst, num)
}
