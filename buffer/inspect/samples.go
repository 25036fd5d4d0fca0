package inspect

import (
	"context"
	"strconv"

	"fieldferry/buffer/clock"
	"fieldferry/buffer/disk"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/inspect/filter"
	"fieldferry/buffer/segment"
	"fieldferry/tag"
)

// Filter says which samples are wanted. Its zero value means all of the log.
type Filter = filter.Filter

// Sample is one sample of the log.
type Sample struct {
	Seq    uint64
	Epoch  uint32
	N      uint64 // of the tag's samples; 0 where the dictionary does not say
	Class  string // of its log
	File   string
	Clock  clock.Trust // what Sample.Time is worth; where the clock was set later it is repaired
	Sample tag.Sample  // Tag is never nil
}

// Lost is what could not be read on the way.
type Lost struct {
	Samples uint64 // in what was damaged or is missing
	Unnamed uint64 // samples given out whose tag is only a number, since its name cannot be read
	Files   uint64 // that could not be opened, or that had damage
}

// Samples calls use for each wanted sample, in the order of the sequence
// numbers, and returns its error if there is one. It goes on past damage.
func (d *Dir) Samples(ctx context.Context, f Filter, use func(*Sample) error) (Lost, error) {
	clocks, err := d.clocks(ctx)
	if err != nil {
		return Lost{}, err
	}
	m := &merge{}
	for _, l := range d.Logs {
		segs := l.Segments
		if f.Aside {
			segs = withAside(l)
		}
		m.streams = append(m.streams, &stream{d: d, ctx: ctx, filter: &f, segs: segs, class: l.Class, clocks: clocks})
	}
	defer m.close()
	for {
		s, err := m.next()
		if s == nil || err != nil {
			return m.lost(), err
		}
		if f.Wants(s.Seq, &s.Sample) {
			if err := use(s); err != nil {
				return m.lost(), err
			}
		}
	}
}

// clocks is what all logs together know of the machine's clock: each has what
// was known when it was last written.
func (d *Dir) clocks(ctx context.Context) (*clock.Table, error) {
	all := &clock.Table{}
	for _, l := range d.Logs {
		t, err := d.Tail(ctx, l)
		if err != nil {
			return nil, err
		}
		all.Merge(&t.clocks)
	}
	return all, nil
}

// withAside puts the files that were set aside in front of, or between, the
// others.
func withAside(l *Log) []*Segment {
	all, rest := []*Segment(nil), l.Segments
	for _, a := range l.Aside {
		for len(rest) > 0 && rest[0].ID < a.ID {
			all, rest = append(all, rest[0]), rest[1:]
		}
		all = append(all, a)
	}
	return append(all, rest...)
}

// skips says that nothing in the segment is wanted, going by its name.
func skips(f *Filter, s *Segment) bool {
	return s.Next > 0 && s.State != aside && s.Next <= f.FromSeq || f.ToSeq > 0 && s.FirstSeq > f.ToSeq
}

// merge takes samples from several logs in the order of their numbers.
type merge struct{ streams []*stream }

func (m *merge) next() (*Sample, error) {
	var first *stream
	for _, s := range m.streams {
		if err := s.fill(); err != nil {
			return nil, err
		}
		if s.has && (first == nil || s.sample.Seq < first.sample.Seq) {
			first = s
		}
	}
	if first == nil {
		return nil, nil
	}
	first.has = false
	return &first.sample, nil
}

func (m *merge) lost() (sum Lost) {
	for _, s := range m.streams {
		sum.Samples += s.lost.Samples
		sum.Unnamed += s.lost.Unnamed
		sum.Files += s.lost.Files
	}
	return sum
}

func (m *merge) close() {
	for _, s := range m.streams {
		s.leave()
	}
}

// stream gives out the samples of one log.
type stream struct {
	d      *Dir
	ctx    context.Context
	filter *Filter
	class  string
	segs   []*Segment // still to be read, the present one first
	clocks *clock.Table

	sample Sample
	has    bool // sample is one that was not taken
	lost   Lost

	file   disk.File // nil: no segment is open
	scan   *segment.Scanner
	names  names
	epoch  uint32
	span   clock.Span // what times are worth in the present block
	rows   frame.Rows
	row    frame.Row
	expect uint64 // count of the sample that comes next
	hurt   bool
}

// fill makes the next sample ready, if there is one.
func (s *stream) fill() error {
	for !s.has {
		switch {
		case s.rows.Left() > 0:
			s.decode()
		case s.file != nil:
			if err := s.ctx.Err(); err != nil {
				return err
			}
			s.block()
		case len(s.segs) == 0:
			return nil
		default:
			s.enter()
		}
	}
	return nil
}

// enter opens the next segment.
func (s *stream) enter() {
	seg := s.segs[0]
	if skips(s.filter, seg) {
		s.segs = s.segs[1:]
		return
	}
	f, err := s.d.open(seg)
	if err != nil {
		if !s.d.deleted(seg, err) {
			s.lost.Files++
			if seg.until > seg.FirstOrd {
				s.lost.Samples += seg.until - seg.FirstOrd
			}
		}
		s.segs = s.segs[1:]
		return
	}
	s.file, s.names, s.hurt = f, newNames(), false
	s.scan = segment.NewScanner(f, seg.Key(), segment.HeaderSize, seg.Size)
	s.scan.Lossy = true
	s.expect = seg.FirstOrd
}

// leave ends the present segment.
func (s *stream) leave() {
	if s.file == nil {
		return
	}
	_ = s.file.Close() // it was only read
	if s.hurt {
		s.lost.Files++
	}
	s.file, s.segs, s.rows = nil, s.segs[1:], frame.Rows{}
}

// block goes to the next block of samples, or to the end of the segment.
func (s *stream) block() {
	seg := s.segs[0]
	b, err := s.scan.Next()
	if err != nil || seg.void(&b) {
		if !seg.last && seg.State != aside {
			s.pass(seg.until)
		}
		s.leave()
		return
	}
	plain(&b, &s.names.frames)
	switch {
	case isDict(&b):
		_ = s.names.learn(b.Payload) // what can be read counts
	case isCounts(&b):
	case b.Flags != 0:
		s.pass(b.FirstOrd)
		s.expect, _ = beyond(s.expect, &b)
	default:
		s.pass(b.FirstOrd)
		rows, err := s.names.rows(&b, s.file, seg)
		if err != nil {
			s.pass(b.End())
			return
		}
		s.rows, s.epoch, s.span = rows, b.Epoch, s.clocks.At(b.Time)
	}
}

// pass counts the samples up to to that should have come and did not.
func (s *stream) pass(to uint64) {
	if to > s.expect {
		s.lost.Samples += to - s.expect
		s.expect, s.hurt = to, true
	}
}

// decode makes the next row the sample.
func (s *stream) decode() {
	seg, left := s.segs[0], s.rows.Left()
	if s.rows.Next(&s.row) != nil {
		s.lost.Samples += uint64(left)
		s.expect += uint64(left)
		s.hurt, s.rows = true, frame.Rows{}
		return
	}
	s.expect++
	if !seg.last && seg.State != aside && s.expect > seg.until {
		return // void: the next segment has it again
	}
	if !s.names.name(&s.row, s.file, seg) {
		s.hurt = true
		s.lost.Unnamed++
		if s.row.Sample.Tag == nil {
			s.row.Sample.Tag = unnamed(s.row.Tag)
		}
	}
	s.sample = Sample{Seq: s.row.Seq, Epoch: s.epoch, N: s.names.number(&s.row), Class: s.class, File: seg.File, Sample: s.row.Sample}
	s.sample.Clock = s.span.Repair(&s.sample.Sample)
	s.has = true
}

// unnamed stands for a tag whose name cannot be read.
func unnamed(id uint32) *tag.Tag {
	return &tag.Tag{Name: "#" + strconv.FormatUint(uint64(id), 10), Device: &tag.Device{Link: &tag.Link{}}}
}
