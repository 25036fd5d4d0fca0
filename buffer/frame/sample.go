package frame

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
	"unsafe"

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
	tag  uint32
	sec  int64
	nsec int64
	read uint64
	n    uint64
}

// Begin begins a block whose first sample has the number seq.
func (e *Encoder) Begin(seq uint64) { *e = Encoder{seq: seq} }

// maxStep is how far two times may lie apart, in seconds, for their
// difference to fit into 64 bits of nanoseconds.
const maxStep = 4_000_000_000

// Append appends the frames of sample number seq, which must be higher than
// the one before. id and reason are dictionary numbers; with reason 0 the text
// of s.Quality.Reason is written out. n is the tag's counter beyond its base in
// the dictionary.
func (e *Encoder) Append(dst []byte, s *tag.Sample, seq uint64, id, reason uint32, n uint64) []byte {
	sec, nsec := s.Time.Unix(), int64(s.Time.Nanosecond())
	step := sec - e.sec
	if step > maxStep || step < -maxStep {
		dst = appendTime(dst, sec, nsec)
		e.sec, e.nsec, step = sec, nsec, 0
	}
	kind, bits, text := s.Value.Parts()
	c := Cells{
		Order: zigzag(int64(id)-int64(e.tag)) << orderBits, Time: zigzag(step*1e9 + nsec - e.nsec),
		Read: zigzag(int64(s.Read - e.read)), N: zigzag(int64(n - e.n)),
		Reason: uint64(reason), Text: unsafeBytes(text),
	}
	if s.BySource {
		c.Order |= orderSource
	}
	if c.Passed = seq - e.seq; c.Passed != 0 {
		c.Order |= orderPassed
	}
	c.Op, c.Num = number(kind, bits)
	c.Op |= byte(s.Quality.Level&3) << 4
	if s.Quality.Reason != "" {
		c.Op |= sampleReason
		c.Why = unsafeBytes(s.Quality.Reason)
	}
	e.seq, e.tag, e.sec, e.nsec, e.read, e.n = seq+1, id, sec, nsec, s.Read, n
	return c.Append(dst)
}

// unsafeBytes are the bytes of s, only to be read.
func unsafeBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

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
	N      uint64     // the tag's counter beyond its base in the dictionary
	Sample tag.Sample // without Tag; Quality.Reason only where Reason is 0
}

// Rows reads the samples of a block one by one.
type Rows struct {
	r    reader
	enc  Encoder // the values before the next frame
	seq  uint64
	left uint32

	cells Cells
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
		default: // of a later program, and not needed to read on
		}
		if in.err {
			return errFrame(op)
		}
	}
}

func (r *Rows) sample(op byte, row *Row) error {
	c := &r.cells
	if c.read(&r.r, op); r.r.err || r.left == 0 {
		return errFrame(op)
	}
	e := &r.enc
	e.step(c)
	r.seq += c.Passed
	*row = Row{Seq: r.seq, Tag: e.tag, N: e.n, Reason: uint32(c.Reason)}
	row.Sample.Time = time.Unix(e.sec, e.nsec).UTC()
	row.Sample.BySource = c.Order&orderSource != 0
	row.Sample.Read = e.read
	row.Sample.Quality.Level = tag.Level(op >> 4 & 3)
	if c.Why != nil {
		row.Sample.Quality.Reason = string(c.Why)
	}
	row.Sample.Value = c.value()
	r.left--
	r.seq++
	return nil
}

// step goes on to the sample of c.
func (e *Encoder) step(c *Cells) {
	e.tag = uint32(int64(e.tag) + unzigzag(c.Tag()))
	d := unzigzag(c.Time)
	e.sec += d / 1e9
	e.nsec += d % 1e9
	if e.nsec >= 1e9 {
		e.sec, e.nsec = e.sec+1, e.nsec-1e9
	} else if e.nsec < 0 {
		e.sec, e.nsec = e.sec-1, e.nsec+1e9
	}
	e.read += uint64(unzigzag(c.Read))
	e.n += uint64(unzigzag(c.N))
}

func errFrame(op byte) error { return fmt.Errorf("frame %#02x: %w", op, ErrCorrupt) }

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
