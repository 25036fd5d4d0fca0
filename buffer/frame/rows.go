package frame

import (
	"time"

	"fieldferry/tag"
)

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

// NewRows reads the count samples of a payload, which must not change
// meanwhile; seq is the sequence number of the first.
func NewRows(payload []byte, seq uint64, count uint32) Rows {
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
		if op != opTime {
			continue // of a later program, and not needed to read on
		}
		r.enc.sec, r.enc.nsec = in.varint(), in.varint()
		if in.err || uint64(r.enc.nsec) >= 1e9 {
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
