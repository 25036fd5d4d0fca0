package frame

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"fieldferry/tag"
)

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
	opSeq    = 0x8a // how many sequence numbers are passed over before the next sample
	opSource = 0x8b // whether the times from here on are the devices' own
)

// Kinds of value beyond those of package tag, in the low four bits: floats
// that are a short decimal number, exactly.
const (
	kindDecimal32 = 9
	kindDecimal64 = 10
)

// Encoder turns samples into frames, each as the difference to the one
// before. A new one stands at the start of a block; a copy of it can take a
// step back.
type Encoder struct {
	seq  uint64 // of the next sample, if no number is passed over
	src  bool   // the times are the devices' own
	tag  uint32
	sec  int64
	nsec int64
	read uint64
}

// NewEncoder begins a block whose first sample has the number seq.
func NewEncoder(seq uint64) Encoder { return Encoder{seq: seq} }

// maxStep is how far two times may lie apart, in seconds, for their
// difference to fit into 64 bits of nanoseconds.
const maxStep = 4_000_000_000

// Append appends the frames of sample number seq, which must be higher than
// the one before. id and reason are dictionary numbers; with reason 0 the text
// of s.Quality.Reason is written out.
func (e *Encoder) Append(dst []byte, s *tag.Sample, seq uint64, id, reason uint32) []byte {
	if seq != e.seq {
		dst = appendSeq(dst, seq-e.seq)
	}
	if s.BySource != e.src {
		dst = append(dst, opSource, 1, flag(s.BySource))
	}
	e.seq, e.src = seq+1, s.BySource
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

func appendSeq(dst []byte, passed uint64) []byte {
	var b [binary.MaxVarintLen64]byte
	p := binary.AppendUvarint(b[:0], passed)
	dst = append(dst, opSeq, byte(len(p)))
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

var pow10 = [8]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7}

// decimal64 writes f as digits and a power of ten where that gives back
// exactly f and is shorter than its eight bytes: 22.5 takes two.
func decimal64(f float64) (uint64, bool) {
	for e, p := range pow10 {
		m := math.Round(f * p)
		if math.Abs(m) >= 1<<44 || m != m {
			return 0, false
		}
		if m/p == f && (m != 0 || !math.Signbit(f)) {
			return zigzag(int64(m))<<3 | uint64(e), true
		}
	}
	return 0, false
}

// decimal32 is decimal64 for the four bytes of a single.
func decimal32(f float32) (uint64, bool) {
	for e, p := range pow10 {
		m := math.Round(float64(f) * p)
		if math.Abs(m) >= 1<<17 || m != m {
			return 0, false
		}
		if float32(m/p) == f && (m != 0 || !math.Signbit(float64(f))) {
			return zigzag(int64(m))<<3 | uint64(e), true
		}
	}
	return 0, false
}

func undecimal(d uint64) float64 { return float64(unzigzag(d>>3)) / pow10[d&7] }

func zigzag(i int64) uint64   { return uint64(i)<<1 ^ uint64(i>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// Row is one sample as it lies in a block: the tag and, where Reason is not
// 0, the reason are numbers of the dictionary.
type Row struct {
	Seq    uint64
	Tag    uint32
	Reason uint32
	Sample tag.Sample // without Tag; Quality.Reason only where Reason is 0
}

// Rows reads the samples of a block one by one.
type Rows struct {
	r    reader
	enc  Encoder // the values before the next frame
	seq  uint64
	left uint32
}

// NewRows reads the count samples of a payload, the first of which has the
// number seq. The payload must not change meanwhile.
func NewRows(payload []byte, count uint32, seq uint64) Rows {
	return Rows{r: reader{p: payload}, seq: seq, left: count}
}

// Left is the number of samples not read yet.
func (r *Rows) Left() uint32 { return r.left }

// More tells r that the block, still being filled, has grown to payload with
// count more samples.
func (r *Rows) More(payload []byte, count uint32) {
	r.r.p = payload
	r.left += count
}

// Offset is how much of the payload has been read.
func (r *Rows) Offset() int { return r.r.off }

// Next reads the next sample into row. An error means that the rest of the
// block cannot be read.
func (r *Rows) Next(row *Row) error {
	for {
		op := r.r.byte()
		if op < 0x80 {
			return r.sample(op, row)
		}
		frame := r.r.bytes()
		if r.r.err {
			return errFrame(op)
		}
		in := reader{p: frame}
		switch op {
		case opTime:
			r.enc.sec, r.enc.nsec = in.varint(), in.varint()
			in.err = in.err || uint64(r.enc.nsec) >= 1e9
		case opSeq:
			r.seq += in.uvarint()
		case opSource:
			r.enc.src = in.byte()&1 != 0
		default: // of a later program, and not needed to read on
		}
		if in.err {
			return errFrame(op)
		}
	}
}

func (r *Rows) sample(op byte, row *Row) error {
	e := &r.enc
	e.tag = uint32(int64(e.tag) + r.r.varint())
	d := r.r.varint()
	e.sec += d / 1e9
	e.nsec += d % 1e9
	if e.nsec >= 1e9 {
		e.sec, e.nsec = e.sec+1, e.nsec-1e9
	} else if e.nsec < 0 {
		e.sec, e.nsec = e.sec-1, e.nsec+1e9
	}
	e.read += uint64(r.r.varint())
	*row = Row{Seq: r.seq, Tag: e.tag}
	row.Sample.Time = time.Unix(e.sec, e.nsec).UTC()
	row.Sample.Read = e.read
	row.Sample.BySource = e.src
	row.Sample.Quality.Level = tag.Level(op >> 4 & 3)
	if op&sampleReason != 0 {
		row.Reason = uint32(r.r.uvarint())
		if row.Reason == 0 {
			row.Sample.Quality.Reason = string(r.r.bytes())
		}
	}
	row.Sample.Value = r.r.value(op & 15)
	if r.r.err || r.left == 0 {
		return errFrame(op)
	}
	r.left--
	r.seq++
	return nil
}

func errFrame(op byte) error { return fmt.Errorf("frame %#02x: %w", op, ErrCorrupt) }

func (r *reader) value(kind byte) tag.Value {
	k := tag.Kind(kind)
	switch {
	case k == tag.KindNull:
		return tag.Value{}
	case k == tag.KindBool:
		return tag.Bool(r.byte() != 0)
	case k == tag.KindInt:
		return tag.Int(unzigzag(r.uvarint()))
	case k == tag.KindUint:
		return tag.Uint(r.uvarint())
	case k == tag.KindFloat32:
		return tag.FromParts(k, uint64(r.uint32()), "")
	case k == tag.KindFloat64:
		return tag.FromParts(k, r.uint64(), "")
	case k <= tag.KindJSON:
		return tag.FromParts(k, 0, string(r.bytes()))
	case kind == kindDecimal32:
		return tag.Float32(float32(undecimal(r.uvarint())))
	case kind == kindDecimal64:
		return tag.Float64(undecimal(r.uvarint()))
	}
	r.err = true
	return tag.Value{}
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
