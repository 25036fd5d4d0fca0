package inspect

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"fieldferry/buffer/frame"
	"fieldferry/buffer/segment"
	"fieldferry/buffer/tally"
)

// Verify reads every block of every log and tells each finding as it comes.
// The error is that of ctx.
func (d *Dir) Verify(ctx context.Context, tell func(Finding)) (Summary, error) {
	var sum Summary
	for _, l := range d.Logs {
		v := &verifier{d: d, log: l, sum: &sum, tell: tell, book: newLedger()}
		if err := v.run(ctx); err != nil {
			return sum, err
		}
		sum.Logs = append(sum.Logs, LogSummary{Class: l.Class, Tail: v.book.tail()})
	}
	return sum, d.verifyNumbers(ctx, &sum, tell)
}

// verifier checks one log. What it expects of the next block is what the
// blocks before it have said.
type verifier struct {
	d    *Dir
	log  *Log
	sum  *Summary
	tell func(Finding)

	book         *ledger
	started      bool
	cut          bool   // a segment was not sealed: what came last in it may count for nothing
	lastSeq      uint64 // the highest sequence number so far
	epoch        uint32 // of the segments so far
	samplesEpoch uint32 // of their samples: those that wait in memory keep theirs
	old          map[string]frame.Reader
	dropped      map[string]uint64 // in records

	// Of the present segment.
	seg     *Segment
	file    io.ReaderAt
	names   names
	expect  uint64 // count of the sample that comes next
	samples uint64
	lost    uint64
	hurt    bool
	ended   bool // its footer was read
	off     int64
}

func (v *verifier) run(ctx context.Context) error {
	v.old, v.dropped = map[string]frame.Reader{}, map[string]uint64{}
	for i, s := range v.log.Segments {
		if err := v.segment(ctx, s); err != nil {
			return err
		}
		if i == 0 {
			v.started = true
		}
	}
	for _, s := range v.log.Aside {
		v.find(Finding{Level: Loss, File: s.File, Offset: -1, Text: "set aside: something in it could not be read. What was lost with it is in the accounts; export gives out what can be read"})
	}
	for _, name := range v.log.Foreign {
		v.find(Finding{File: name, Offset: -1, Text: "left alone: it belongs to another log, or to another version of the format"})
	}
	v.finish()
	return nil
}

func (v *verifier) find(f Finding) {
	v.sum.Worst = max(v.sum.Worst, f.Level)
	v.sum.Findings[f.Level]++
	v.tell(f)
}

// at tells a finding about a place in the present segment.
func (v *verifier) at(l Level, off int64, samples uint64, format string, args ...any) {
	v.find(Finding{Level: l, File: v.seg.File, Offset: off, Samples: samples, Text: fmt.Sprintf(format, args...)})
}

// harm tells of something that contradicts what came before. Where bytes of
// the segment could not be read, those explain it.
func (v *verifier) harm(off int64, format string, args ...any) {
	level := Fault
	if v.hurt {
		level = Loss
	}
	v.at(level, off, 0, format, args...)
}

// segment checks one segment.
func (v *verifier) segment(ctx context.Context, s *Segment) error {
	v.seg, v.names = s, newNames()
	v.samples, v.lost, v.hurt, v.ended = 0, 0, false, false
	f, err := v.d.open(s)
	if err != nil {
		v.cannotOpen(s, err)
		return nil
	}
	defer f.Close() // it was only read
	v.file = f
	v.sum.Segments++
	v.sum.Bytes += s.Size
	if s.Fault != "" {
		v.hurt = true
		v.at(Loss, 0, 0, "%s: the name of the file says enough to read its samples", s.Fault)
	}
	v.enter(s)
	proven := int64(0)
	if s.last {
		proven = v.proven()
	}
	v.off = segment.HeaderSize
	end := s.blocks(f, segment.HeaderSize, func(b *segment.Block) bool {
		if ctx.Err() != nil || s.void(b) || s.ends(b.FirstOrd) || !v.reached(b, proven) {
			return false
		}
		v.block(b)
		v.off = b.Off + int64(b.Size())
		return true
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	v.leave(max(end, v.off))
	return nil
}

func (v *verifier) cannotOpen(s *Segment, err error) {
	if v.d.deleted(s, err) {
		v.at(Note, -1, 0, "deleted while the directory was read: every reader was done with it, or the bounds of the buffer asked for it")
		return
	}
	n := uint64(0)
	if s.until > s.FirstOrd {
		n = s.until - s.FirstOrd
	}
	v.sum.Damaged += n
	v.at(Loss, -1, n, "cannot be opened: %v", err)
}

// enter compares the header with the end of the segment before.
func (v *verifier) enter(s *Segment) {
	switch {
	case s.FirstSeq <= v.lastSeq && v.started:
		v.at(Fault, 0, 0, "it begins with the sequence number %d, which is not above %d, the last one before it", s.FirstSeq, v.lastSeq)
	case s.Epoch < v.epoch && s.Fault == "":
		v.at(Fault, 0, 0, "its epoch is %d after %d", s.Epoch, v.epoch)
	}
	v.epoch = max(v.epoch, s.Epoch)
	v.expect = s.FirstOrd
	v.book.begin(s)
}

// proven returns the offset below which everything was durable once.
func (v *verifier) proven() int64 {
	off := int64(segment.HeaderSize)
	v.seg.blocks(v.file, segment.HeaderSize, func(b *segment.Block) bool {
		off = max(off, int64(b.Durable))
		return true
	})
	return off
}

// reached looks at the bytes before a block, and reports false where the log
// ends before them.
func (v *verifier) reached(b *segment.Block, proven int64) bool {
	if b.Skipped == 0 || v.ended && isFooter(b) && v.zeros(v.off, b.Off) {
		return true // the second footer stands on a page of its own
	}
	if v.seg.last && v.off >= proven {
		return false
	}
	v.hurt = true
	n := uint64(0)
	if b.FirstOrd > v.expect {
		n = b.FirstOrd - v.expect
	}
	v.at(Loss, v.off, n, "%d bytes cannot be read: %s", b.Skipped, lossOf(n))
	v.lose(n)
	return true
}

func lossOf(n uint64) string {
	if n == 0 {
		return "no sample is lost, but a part of the dictionary or an account may be"
	}
	return "the samples in them are lost"
}

// lose passes over samples that are lost.
func (v *verifier) lose(n uint64) {
	v.expect += n
	v.lost += n
	v.sum.Damaged += n
}

// block checks one block whose checksum is right.
func (v *verifier) block(b *segment.Block) {
	v.sum.Blocks++
	if b.FirstOrd != v.expect {
		v.jump(b)
	}
	if int64(b.Durable) > b.Off {
		v.at(Fault, b.Off, 0, "it says that %d bytes before it were durable", b.Durable)
	}
	switch {
	case isDict(b):
		if err := v.names.learn(b.Payload); err != nil {
			v.at(Fault, b.Off, 0, "the checksum is right, but the dictionary in it is not: %v", err)
		}
	case isCounts(b):
		if _, err := new(tally.Tally).Load(b.Payload); err != nil {
			v.at(Fault, b.Off, 0, "the checksum is right, but the counters in it are not: %v", err)
		}
	case isMeta(b):
		v.meta(b)
	default:
		v.rows(b)
	}
}

// jump tells of samples that are missing, or there twice, though nothing
// before the block is damaged.
func (v *verifier) jump(b *segment.Block) {
	if b.FirstOrd < v.expect {
		v.at(Fault, b.Off, 0, "its first sample is number %d of the log, but %d came before it", b.FirstOrd, v.expect)
		v.expect = b.FirstOrd
		return
	}
	n := b.FirstOrd - v.expect
	v.at(Fault, b.Off, n, "%d samples before it are missing, and nothing says why", n)
	v.lose(n)
}

// rows reads the samples of a block.
func (v *verifier) rows(b *segment.Block) {
	if b.Epoch < v.samplesEpoch || b.Epoch > v.epoch && v.seg.Fault == "" {
		v.at(Fault, b.Off, 0, "its epoch is %d, after %d and in a segment of %d", b.Epoch, v.samplesEpoch, v.epoch)
	}
	v.samplesEpoch = max(v.samplesEpoch, b.Epoch)
	row, unnamed := frame.Row{}, 0
	rows, err := v.names.rows(b, v.file, v.seg)
	if err != nil {
		v.at(Fault, b.Off, uint64(b.Count), "the checksum is right, but its %d samples cannot be decoded: %v", b.Count, err)
		v.sum.Damaged += uint64(b.Count)
		v.expect = b.End()
		return
	}
	for rows.Left() > 0 {
		left := rows.Left()
		if err := rows.Next(&row); err != nil {
			v.at(Fault, b.Off, uint64(left), "the checksum is right, but %d of its %d samples cannot be decoded: %v", left, b.Count, err)
			v.sum.Damaged += uint64(left)
			break
		}
		if row.Seq <= v.lastSeq {
			v.at(Fault, b.Off, 0, "the sequence number %d comes after %d", row.Seq, v.lastSeq)
		}
		v.lastSeq = max(v.lastSeq, row.Seq)
		v.samples++
		v.sum.Samples++
		if !v.names.name(&row, v.file, v.seg) {
			unnamed++
		}
	}
	if unnamed > 0 {
		v.at(Loss, b.Off, uint64(unnamed), "the dictionary does not name the tag, or the reason, of %d of its samples: readers count them as damaged", unnamed)
		v.sum.Damaged += uint64(unnamed)
	}
	if rows.Left() == 0 && row.Seq != b.LastSeq {
		v.at(Fault, b.Off, 0, "it says that its last sequence number is %d, but it is %d", b.LastSeq, row.Seq)
	}
	v.expect = b.End()
	_, _ = v.book.take(b)
}

// leave checks the end of a segment; end is where the last block ends.
func (v *verifier) leave(end int64) {
	s := v.seg
	rest := !v.zeros(end, s.Size)
	if !v.ended {
		v.cut = true
		clear(v.old)
		v.book.dropped = nil
	}
	if s.last {
		switch {
		case rest && v.ended:
			v.at(Loss, end, 0, "there is something behind the footer that cannot be read")
		case rest:
			v.at(Note, end, 0, "the torn end of the log, or what is being written at this moment: it was promised to nobody")
		}
		return
	}
	if s.until <= v.expect {
		if rest && v.ended && s.until == v.expect {
			v.at(Loss, end, 0, "there is something behind the footer that cannot be read: no sample is lost")
		}
		return
	}
	n := s.until - v.expect
	switch {
	case v.ended && !rest:
		v.at(Loss, -1, n, "%d samples between this segment and the next one are not there: a file is missing", n)
	default:
		v.at(Loss, end, n, "%d samples at its end cannot be read", n)
	}
	v.lose(n)
}

// zeros says that a piece of the segment holds nothing but zeros.
func (v *verifier) zeros(from, to int64) bool {
	buf := make([]byte, min(64<<10, max(0, to-from)))
	for at := from; at < to; {
		n, err := v.file.ReadAt(buf[:min(int64(len(buf)), to-at)], at)
		if len(bytes.Trim(buf[:n], "\x00")) > 0 {
			return false
		}
		at += int64(n)
		if err != nil || n == 0 {
			return err == io.EOF
		}
	}
	return true
}
