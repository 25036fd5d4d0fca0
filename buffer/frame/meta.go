package frame

import (
	"encoding/binary"
	"time"

	"fieldferry/buffer/disk"
)

// Count is a number of samples and why.
type Count struct {
	Reason string
	N      uint64
}

// Gap is a run of samples that are not there: From up to, not including, To
// of the log, counted from 0. An empty reason means that every reader of their
// time had settled them.
type Gap struct {
	From, To uint64
	FirstSeq uint64 // no sample in it has a lower number; 0 where unknown
	LastSeq  uint64 // nor a higher one
	Reason   string
}

// Range is a run of samples: From up to, not including, To of the log,
// counted from 0.
type Range struct{ From, To uint64 }

// Reader is the whole account of one reader. Every time it is written it is
// written in full, so that the last one in the log is all that counts.
//
// All numbers are samples: Start + Delivered + Filtered + Dropped + PutAside
// = Ord + all that is Ahead, at all times.
type Reader struct {
	Name      string
	Removed   bool   // the reader is gone; forget it
	Start     uint64 // samples appended to the log that were never meant for it
	Ord       uint64 // samples appended to the log up to its position
	Delivered uint64
	Filtered  uint64
	Seen      time.Duration // log time when it was last known to be in use
	Dropped   []Count
	PutAside  []Count
	Ahead     []Range // settled beyond the position, in order, apart from each other
}

// Append appends the frame of r.
func (r *Reader) Append(dst []byte) []byte { return appendFrame(dst, opReader, r.AppendCell(nil)) }

// AppendCell appends r as the bytes of a fixed place in shared memory, without
// allocating. ParseCell reads them.
func (r *Reader) AppendCell(p []byte) []byte {
	p = append(p, flag(r.Removed))
	p = appendString(p, r.Name)
	for _, v := range [...]uint64{r.Start, r.Ord, r.Delivered, r.Filtered, uint64(r.Seen)} {
		p = binary.AppendUvarint(p, v)
	}
	p = appendCounts(p, r.Dropped)
	p = appendCounts(p, r.PutAside)
	p = binary.AppendUvarint(p, uint64(len(r.Ahead)))
	end := r.Ord
	for _, g := range r.Ahead {
		p = binary.AppendUvarint(p, g.From-end)
		p = binary.AppendUvarint(p, g.To-g.From)
		end = g.To
	}
	return p
}

func appendCounts(p []byte, cs []Count) []byte {
	p = binary.AppendUvarint(p, uint64(len(cs)))
	for _, c := range cs {
		p = appendString(p, c.Reason)
		p = binary.AppendUvarint(p, c.N)
	}
	return p
}

func readReader(in *reader) Reader {
	r := Reader{Removed: in.byte()&1 != 0, Name: in.string()}
	r.Start, r.Ord = in.uvarint(), in.uvarint()
	r.Delivered, r.Filtered = in.uvarint(), in.uvarint()
	r.Seen = time.Duration(in.uvarint())
	r.Dropped, r.PutAside = readCounts(in), readCounts(in)
	r.Ahead = readRanges(in, r.Ord)
	return r
}

// readRanges reads ranges as the distance to what ends at end, or to the range
// before, and their length.
func readRanges(in *reader, end uint64) []Range {
	n := in.uvarint()
	if n > uint64(len(in.p)) {
		in.fail()
		return nil
	}
	var rs []Range
	for ; n > 0 && !in.err; n-- {
		from := end + in.uvarint()
		to := from + in.uvarint()
		if from <= end || to <= from {
			in.fail()
			return nil
		}
		rs = append(rs, Range{from, to})
		end = to
	}
	return rs
}

func readCounts(in *reader) []Count {
	n := in.uvarint()
	if n > uint64(len(in.p)) {
		in.fail()
		return nil
	}
	var cs []Count
	for ; n > 0 && !in.err; n-- {
		cs = append(cs, Count{Reason: in.string(), N: in.uvarint()})
	}
	return cs
}

// ParseCell reads what AppendCell wrote.
func (r *Reader) ParseCell(p []byte) error {
	in := reader{p: p}
	*r = readReader(&in)
	if in.err {
		return errFrame(opReader)
	}
	return nil
}

// Drop is the record of samples that are gone and were not delivered to every
// reader. It is durable before they are deleted.
type Drop struct {
	ID       uint64 // counts the drops of the log, from 1
	Reason   string
	From, To uint64 // they are among the samples From up to, not including, To of the log, counted from 0
	N        uint64 // how many they are
	FirstSeq uint64 // of the first one
	LastSeq  uint64
	Oldest   time.Duration // log times of the range
	Newest   time.Duration
	Devices  []Count // per device name, most first; the rest is under ""
}

// Append appends the frame of d.
func (d *Drop) Append(dst []byte) []byte {
	p := appendString(nil, d.Reason)
	for _, v := range [...]uint64{d.ID, d.From, d.To, d.N, d.FirstSeq, d.LastSeq, uint64(d.Oldest), uint64(d.Newest)} {
		p = binary.AppendUvarint(p, v)
	}
	return appendFrame(dst, opDrop, appendCounts(p, d.Devices))
}

func readDrop(in *reader) Drop {
	d := Drop{Reason: in.string()}
	d.ID, d.From, d.To, d.N = in.uvarint(), in.uvarint(), in.uvarint(), in.uvarint()
	d.FirstSeq, d.LastSeq = in.uvarint(), in.uvarint()
	d.Oldest, d.Newest = time.Duration(in.uvarint()), time.Duration(in.uvarint())
	d.Devices = readCounts(in)
	if d.To < d.From || d.N > d.To-d.From {
		in.fail()
	}
	return d
}

// AppendSkip appends a frame which says that nothing is missing in the gap:
// every reader had settled its samples before they would have been written.
func (g Gap) AppendSkip(dst []byte) []byte {
	p := binary.AppendUvarint(nil, g.From)
	p = binary.AppendUvarint(p, g.To)
	return appendFrame(dst, opSkip, binary.AppendUvarint(p, g.LastSeq))
}

// Clock ties the log's own time to the machine's clocks. The log's time only
// runs while somebody can vouch for it, so that age never depends on a wrong
// wall clock.
type Clock struct {
	Log time.Duration // the log's own time
	disk.Clock
}

// Append appends the frame of c.
func (c *Clock) Append(dst []byte) []byte {
	p := append([]byte(nil), flag(c.Trusted))
	p = binary.AppendVarint(p, int64(c.Log))
	p = binary.AppendVarint(p, c.Wall.UnixNano())
	p = binary.AppendVarint(p, int64(c.Up))
	return appendFrame(dst, opClock, append(p, c.Boot[:]...))
}

func readClock(in *reader) Clock {
	c := Clock{}
	c.Trusted = in.byte()&1 != 0
	c.Log = time.Duration(in.varint())
	c.Wall = time.Unix(0, in.varint()).UTC()
	c.Up = time.Duration(in.varint())
	copy(c.Boot[:], in.take(16))
	return c
}

// State is what the log as a whole remembers.
type State struct {
	Readers uint32  // at the start of a segment: how many accounts are with it
	Dropped []Count // samples gone before every reader had them, since the log began
}

// Append appends the frame of s.
func (s *State) Append(dst []byte) []byte {
	p := binary.AppendUvarint(nil, uint64(s.Readers))
	return appendFrame(dst, opState, appendCounts(p, s.Dropped))
}

// Footer ends a sealed segment.
type Footer struct {
	Clean   bool   // the log was closed in order: nothing came after
	Count   uint64 // samples in the segment
	NextSeq uint64 // the sequence number that the next sample was to have
	EndOrd  uint64 // samples appended to the log up to the end of the segment
	Oldest  time.Duration
	Newest  time.Duration
}

const footerLen = 41

// Append appends the frame of f. Its length is always the same.
func (f *Footer) Append(dst []byte) []byte {
	p := make([]byte, 0, footerLen)
	p = append(p, flag(f.Clean))
	for _, v := range [...]uint64{f.Count, f.NextSeq, f.EndOrd, uint64(f.Oldest), uint64(f.Newest)} {
		p = binary.LittleEndian.AppendUint64(p, v)
	}
	return appendFrame(dst, opFooter, p)
}

func readFooter(in *reader) Footer {
	f := Footer{Clean: in.byte()&1 != 0}
	f.Count, f.NextSeq, f.EndOrd = in.uint64(), in.uint64(), in.uint64()
	f.Oldest, f.Newest = time.Duration(in.uint64()), time.Duration(in.uint64())
	return f
}

// Meta is called for the frames of a meta or footer block. Any may be nil.
type Meta struct {
	Reader func(*Reader)
	Drop   func(*Drop)
	Skip   func(Gap)
	Clock  func(*Clock)
	State  func(*State)
	Footer func(*Footer)
}

// Read reads a meta or footer block. Frames before a corrupt one are
// delivered.
func (m Meta) Read(payload []byte) error {
	return eachFrame(payload, func(op byte, in *reader) {
		switch op {
		case opReader:
			pass(in, m.Reader, readReader(in))
		case opDrop:
			pass(in, m.Drop, readDrop(in))
		case opSkip:
			s := Gap{From: in.uvarint(), To: in.uvarint(), LastSeq: in.uvarint()}
			if s.To < s.From {
				in.fail()
			}
			if !in.err && m.Skip != nil {
				m.Skip(s)
			}
		case opClock:
			pass(in, m.Clock, readClock(in))
		case opState:
			s := State{Readers: uint32(in.uvarint())}
			s.Dropped = readCounts(in)
			pass(in, m.State, s)
		case opFooter:
			pass(in, m.Footer, readFooter(in))
		}
	})
}

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}

func pass[T any](in *reader, use func(*T), v T) {
	if !in.err && use != nil {
		use(&v)
	}
}
