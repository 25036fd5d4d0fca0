package queue

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"fieldferry/buffer/dict"
	"fieldferry/buffer/disk"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/ring"
	"fieldferry/buffer/segment"
)

// Names of the files in the runtime directory.
const (
	ringName = "pending"
	dictName = "pending-tags"
)

// side is what outlives the process: the ring's memory, and the dictionary in
// a file beside it.
type side struct {
	fs      disk.FS
	dir     string
	mapping disk.Mapping // nil: there is none
	file    disk.File
	off     int64 // where the next entry goes
	key     segment.Key
	shared  bool // everything needed was stored so far
}

// open maps the memory, if it can.
func (s *side) open(fs disk.FS, dir string, size int, log *slog.Logger) {
	s.fs, s.dir = fs, dir
	if dir == "" {
		return
	}
	if err := s.try(size); err != nil {
		log.Warn("samples are written straight to the log: no shared memory", "err", err)
	}
}

func (s *side) try(size int) error {
	if err := s.fs.MkdirAll(s.dir); err != nil {
		return err
	}
	m, err := s.fs.Map(filepath.Join(s.dir, ringName), size)
	if err != nil {
		return err
	}
	f, err := s.fs.Create(filepath.Join(s.dir, dictName), 0)
	if err != nil {
		return errors.Join(err, m.Close())
	}
	s.mapping, s.file, s.shared = m, f, true
	return nil
}

func (s *side) memory() []byte {
	if s.mapping == nil {
		return nil
	}
	return s.mapping.Bytes()
}

// renew empties the dictionary for a new ring, which has the number that it
// returns. What cannot be deleted has another key, and counts for nothing.
func (s *side) renew() uint64 {
	var p [8]byte
	_, _ = rand.Read(p[:]) // it never fails
	number := binary.LittleEndian.Uint64(p[:])
	s.key, s.off = sideKey(number), 0
	if s.file != nil {
		_ = s.file.Truncate(0) // as said
	}
	return number
}

// sideKey is the key of the dictionary beside a ring.
func sideKey(number uint64) segment.Key { return (&segment.Header{Log: number}).Key() }

// save writes a new entry before the first sample that uses it: without it
// the next run could not name the sample.
func (s *side) save(e *dict.Entry, log *slog.Logger) {
	if !s.shared {
		return
	}
	blk := segment.Block{Flags: segment.FlagDict, Payload: e.Append(nil)}
	p := blk.Append(nil, s.key)
	if _, err := s.file.WriteAt(p, s.off); err != nil {
		s.shared = false
		log.Warn("samples are written straight to the log: the runtime directory cannot be written", "err", err)
		return
	}
	s.off += int64(len(p))
}

// load reads the dictionary, up to where the process was killed.
func (s *side) load(number uint64, d *dict.Dict) {
	s.key = sideKey(number)
	size, err := s.file.Size()
	if err != nil {
		return
	}
	sc := segment.NewScanner(s.file, s.key, 0, size)
	for {
		b, err := sc.Next()
		if err != nil {
			break
		}
		d.Learn(b.Payload)
	}
	s.off = sc.Offset()
}

func (s *side) close(remove bool) error {
	if s.mapping == nil {
		return nil
	}
	err := errors.Join(s.file.Close(), s.mapping.Close())
	if remove {
		// Whatever stays is known to be stale.
		_ = s.fs.Remove(filepath.Join(s.dir, ringName))
		_ = s.fs.Remove(filepath.Join(s.dir, dictName))
	}
	return err
}

// Recover takes over what an earlier run of this boot has left, and reports
// whether there was anything: of the log and the boot in o, and of the run
// that wrote the end of the log, at o.Ord. The accounts beside it are passed
// to use with their numbers. Adopt must follow.
func (q *Queue) Recover(o Origin, use func(i int, r *frame.Reader)) bool {
	mem := q.side.memory()
	if mem == nil {
		return false
	}
	r, id, ok := ring.Recover(mem, o.Log, o.Boot)
	if !ok {
		q.warnOfForeign(mem, o.Log)
	}
	q.untouched = ok && o.Clean && r.Ord() == o.Ord && r.Epoch() >= o.Epoch
	switch {
	case !ok, r.Ord() < o.Ord, r.Epoch() < o.Epoch:
		return false // the log went on without it
	case o.Clean && r.Ord() == o.Ord:
		return false // it was empty when the log was closed
	}
	q.ring, q.seq, q.epoch = r, max(o.Seq, r.Seq()), max(o.Epoch, r.Epoch())
	q.side.load(id.Ring, q.dict)
	q.dict.EachTag(q.recount)
	lost, _ := r.Count(incomplete)
	q.counted = lost == 0
	r.EachCell(use)
	return true
}

// warnOfForeign tells of samples that another log has left in the memory,
// which Reset is about to clear.
func (q *Queue) warnOfForeign(mem []byte, log uint64) {
	records, owner := ring.Foreign(mem, log)
	samples, size := uint64(0), 0
	for _, rec := range records {
		samples += uint64(rec.Count)
		size += len(rec.Frames)
	}
	if samples > 0 {
		q.log.Warn("samples of another log are given up, unless its files have them: its gateway was killed, and this one has the same runtime directory",
			"dir", q.side.dir, "log", fmt.Sprintf("%016x", owner), "samples", samples, "bytes", size)
	}
}

// uncounted is more than the samples that one run gives a tag.
const uncounted = 1 << 32

// incomplete is the place in the ring that says, when it is not 0, that some
// tag is not in the dictionary beside it. No tag has this number.
const incomplete = 0

// save writes a new entry beside the ring. Where it cannot be written the next
// run does not know the tag, nor how far its counter had come.
func (q *Queue) save(e *dict.Entry) {
	if q.side.save(e, q.log); !q.side.shared {
		q.ring.SetCount(incomplete, 1)
	}
}

// Counted says that Recover found the counters of all tags that had samples
// since the ring was made.
func (q *Queue) Counted() bool { return q.counted }

// recount takes over the counter of a tag. One that has no place in the ring
// jumps: nothing tells how far it had come.
func (q *Queue) recount(e *dict.Entry) {
	n, ok := q.ring.Count(e.ID)
	if !ok {
		n = e.Base + uncounted
	}
	e.Counter.N = max(e.Counter.N, e.Base, n)
}

// Adopt makes the records of a recovered ring blocks again. Those that end
// before ord are in the log. fate tells what became of samples that are in
// neither; it is a hole's reason. It returns where the log's own copy ends to
// count: before ord if the ring begins there.
func (q *Queue) Adopt(ord uint64, fate func(from, to uint64) string) (first uint64) {
	for len(q.ring.Records()) > 0 && q.ring.Records()[0].End() <= ord {
		q.ring.Free()
	}
	end, seq := ord, uint64(0)
	first = ord
	for i, rec := range q.ring.Records() {
		if i == 0 && rec.Ord < ord {
			first, end = rec.Ord, rec.Ord
		}
		q.gap(frame.Gap{From: end, To: rec.Ord, FirstSeq: seq, LastSeq: rec.Seq - 1}, fate)
		b := q.push(rec)
		q.entries(b)
		end, seq = rec.End(), b.Last+1
	}
	q.ord = max(q.ring.Ord(), end)
	q.ring.SetOrd(q.ord)
	q.seq = max(q.seq, seq-min(seq, 1))
	q.ring.SetSeq(q.seq)
	q.gap(frame.Gap{From: end, To: q.ord, FirstSeq: seq, LastSeq: q.seq}, fate)
	return first
}

func (q *Queue) gap(g frame.Gap, fate func(from, to uint64) string) {
	if g.From < g.To {
		g.Reason = fate(g.From, g.To)
		q.Hole(g)
	}
}

// entries finds the dictionary entries that b needs.
func (q *Queue) entries(b *Block) {
	rows, row := frame.NewRows(b.Frames, b.Count, b.Seq), frame.Row{}
	for rows.Left() > 0 && rows.Next(&row) == nil {
		// A number whose entry is lost must not get another meaning.
		q.dict.Reserve(row.Tag, row.Reason)
		b.Last = row.Seq
		if e := q.dict.TagByID(row.Tag); e != nil {
			e.Counter.N = max(e.Counter.N, e.Base+row.N)
			b.use(e)
		}
		b.use(q.dict.ReasonByID(row.Reason))
	}
}
