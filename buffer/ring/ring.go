// Package ring keeps the samples that are not on disk yet in a piece of memory
// that outlives the process: a file in the runtime directory, mapped and
// shared. The next run of the same boot finds in it everything that Append
// returned for, however the process ended.
//
// A record's frames count only up to its commit word, which is stored after
// them, so that a process killed in the middle of a store leaves nothing half
// written. Records form a queue: they are begun at the head, freed at the
// tail, and never moved. Beside them lies a cell per reader with its account,
// in two copies of which the intact one with the higher number counts, and a
// word per tag with the counter of its samples.
//
// A Ring is not safe for concurrent use and nothing in it blocks.
package ring

import (
	"encoding/binary"
	"hash/crc32"
	"sync/atomic"
	"time"
	"unsafe"

	"fieldferry/buffer/frame"
	"fieldferry/buffer/segment"
)

// Sizes of the parts of the memory.
const (
	page      = 4096
	cellSize  = 1024 // one copy
	Cells     = 64   // readers
	recHeader = 64
	align     = 64
	overhead  = page + Cells*2*cellSize
)

// ID says whose samples the memory holds. Ring is drawn at random whenever a
// ring is made, for what lies beside it.
type ID struct {
	Log  uint64
	Boot [16]byte
	Ring uint64
}

// Ring is the memory and the queue of records in it.
type Ring struct {
	mem     []byte
	data    []byte
	counts  []byte    // a word for each
	records []*Record // oldest first
	head    int       // where the next record begins
	free    []*Record // for reuse
	cells   [Cells]uint64
}

// Record is a block in the making. Its fields are to be read only.
type Record struct {
	Seq    uint64 // of its first sample
	Ord    uint64 // samples appended to the log before its first
	Epoch  uint32
	Time   time.Duration // log time when it was begun
	Count  uint32
	Frames []byte // in the ring: they stay where they are until Free

	off    int
	sealed bool
}

// End is the number of samples appended to the log up to its last.
func (r *Record) End() uint64 { return r.Ord + uint64(r.Count) }

// Size is the length of the memory for so many bytes of records, and a
// sixteenth of it for counters.
func Size(data int) int {
	data &^= countShare*align - 1
	return overhead + data + data/countShare
}

// countShare is how many bytes of records there are to one of counters.
const countShare = 16

// parts are the records and the counters in the memory.
func parts(mem []byte) (data, counts []byte) {
	n := (len(mem) - overhead) / (countShare + 1) * countShare
	return mem[overhead : overhead+n : overhead+n], mem[overhead+n:]
}

var table = crc32.MakeTable(crc32.Castagnoli)

const (
	magic    = "FFERRYRG"
	recMagic = 0x43455246 // "FREC"
	version  = 2

	offTail = 128 // atomic words in the first page
	offOrd  = 136
	offRun  = 144
	offSeq  = 152
)

// New makes an empty ring of mem, whose length is from Size and which starts
// at a multiple of 8. Whatever was in it is gone.
func New(mem []byte, id ID, ord uint64) *Ring {
	clear(mem)
	appendID(mem[:0], id, len(mem))
	r := &Ring{mem: mem}
	r.data, r.counts = parts(mem)
	r.SetOrd(ord)
	return r
}

func appendID(dst []byte, id ID, size int) []byte {
	le := binary.LittleEndian
	dst = append(dst, magic...)
	dst = le.AppendUint64(dst, id.Log)
	dst = append(dst, id.Boot[:]...)
	dst = le.AppendUint64(dst, id.Ring)
	dst = le.AppendUint32(dst, version)
	dst = le.AppendUint32(dst, uint32(size))
	return le.AppendUint32(dst, crc32.Checksum(dst, table))
}

// Recover finds the records in mem, if it belongs to the same log and boot.
func Recover(mem []byte, log uint64, boot [16]byte) (*Ring, ID, bool) {
	if len(mem) < overhead || string(mem[:8]) != magic || boot == [16]byte{} {
		return nil, ID{}, false
	}
	le := binary.LittleEndian
	id := ID{Log: log, Boot: boot, Ring: le.Uint64(mem[32:])}
	want := appendID(nil, id, len(mem))
	if string(mem[:len(want)]) != string(want) {
		return nil, ID{}, false
	}
	r := &Ring{mem: mem}
	r.data, r.counts = parts(mem)
	r.walk()
	return r, id, true
}

// Foreign finds the records in mem if it belongs to another log, of whatever
// boot, and says of which. They are to be looked at only.
func Foreign(mem []byte, log uint64) (records []*Record, owner uint64) {
	if len(mem) < overhead || string(mem[:8]) != magic {
		return nil, 0
	}
	owner = binary.LittleEndian.Uint64(mem[8:])
	if owner == log {
		return nil, owner
	}
	r, _, ok := Recover(mem, owner, [16]byte(mem[16:32]))
	if !ok {
		return nil, owner
	}
	return r.records, owner
}

// walk follows the records from the tail on. A record of an earlier lap has a
// smaller count than the one before it, and ends the walk.
func (r *Ring) walk() {
	off, end := int(r.load(offTail)), uint64(0)
	for len(r.records) <= len(r.data)/align {
		rec, ok := r.parse(off, end)
		if !ok && off != 0 {
			rec, ok = r.parse(0, end)
		}
		if !ok {
			return
		}
		r.records = append(r.records, rec)
		end = max(rec.End(), rec.Ord+1)
		r.head = rec.off + rec.extent()
		off = r.head
	}
}

func (r *Ring) parse(off int, after uint64) (*Record, bool) {
	if off < 0 || off%align != 0 || off+recHeader > len(r.data) {
		return nil, false
	}
	p := r.data[off:]
	le := binary.LittleEndian
	if le.Uint32(p) != recMagic || le.Uint32(p[4:]) != r.headerSum(p) {
		return nil, false
	}
	commit := atomic.LoadUint64(word(p[56:]))
	rec := &Record{
		Seq: le.Uint64(p[8:]), Ord: le.Uint64(p[16:]),
		Time: time.Duration(le.Uint64(p[24:])), Epoch: le.Uint32(p[32:]),
		Count: uint32(commit >> 32), off: off, sealed: true,
	}
	n := int(uint32(commit))
	if n < 0 || n > segment.MaxPayload || off+recHeader+n > len(r.data) || rec.Ord < after || rec.Count == 0 {
		return nil, false
	}
	rec.Frames = p[recHeader : recHeader+n]
	return rec, true
}

// headerSum covers what never changes in a record and where it lies.
func (r *Ring) headerSum(p []byte) uint32 {
	seed := crc32.Checksum(r.mem[:52], table)
	return crc32.Update(seed, table, p[8:48])
}

// Records returns the records, oldest first. The slice is valid until the
// next call of Begin or Free.
func (r *Ring) Records() []*Record { return r.records }

// Used is the number of bytes in use, from the oldest record to the end of the
// last one.
func (r *Ring) Used() int {
	if len(r.records) == 0 {
		return 0
	}
	last := r.records[len(r.records)-1]
	n := last.off + last.extent() - r.records[0].off
	if last.off < r.records[0].off {
		n += len(r.data)
	}
	return n
}

// Begin starts a record with room for at least need bytes of frames. It
// returns nil when there is no room. The last record must be sealed.
func (r *Ring) Begin(seq, ord uint64, epoch uint32, now time.Duration, need int) *Record {
	off, room := r.place(need)
	if room < need {
		return nil
	}
	rec := r.record()
	*rec = Record{Seq: seq, Ord: ord, Epoch: epoch, Time: now, off: off}
	p := r.data[off : off+recHeader]
	le := binary.LittleEndian
	atomic.StoreUint64(word(p[56:]), 0) // before anything that could make it a record
	le.PutUint64(p[8:], seq)
	le.PutUint64(p[16:], ord)
	le.PutUint64(p[24:], uint64(now))
	le.PutUint32(p[32:], epoch)
	clear(p[36:56])
	le.PutUint32(p, recMagic)
	le.PutUint32(p[4:], r.headerSum(p))
	rec.Frames = r.data[off+recHeader : off+recHeader : off+recHeader+room]
	if len(r.records) == 0 {
		r.store(offTail, uint64(off))
	}
	r.records = append(r.records, rec)
	return rec
}

func (r *Ring) record() *Record {
	if n := len(r.free); n > 0 {
		rec := r.free[n-1]
		r.free = r.free[:n-1]
		return rec
	}
	return new(Record)
}

// place finds where the next record goes and how many bytes of frames fit.
func (r *Ring) place(need int) (off, room int) {
	if len(r.records) == 0 {
		return 0, min(segment.MaxPayload, len(r.data)-recHeader)
	}
	tail := r.records[0].off
	if r.head <= tail {
		return r.head, min(segment.MaxPayload, tail-r.head-recHeader)
	}
	if room = len(r.data) - r.head - recHeader; room >= need {
		return r.head, min(segment.MaxPayload, room)
	}
	return 0, min(segment.MaxPayload, tail-recHeader)
}

// Append adds the frames of count samples to rec, the last record, and
// reports false, having changed nothing, when they do not fit. When it
// returns true they survive the process.
func (r *Ring) Append(rec *Record, frames []byte, count uint32) bool {
	if len(frames) > cap(rec.Frames)-len(rec.Frames) || rec.sealed {
		return false
	}
	rec.Frames = append(rec.Frames, frames...)
	rec.Count += count
	commit := uint64(rec.Count)<<32 | uint64(uint32(len(rec.Frames)))
	atomic.StoreUint64(word(r.data[rec.off+56:]), commit)
	return true
}

// Seal ends rec: nothing is added to it any more, and the next record begins
// behind it.
func (r *Ring) Seal(rec *Record) {
	if rec.sealed {
		return
	}
	rec.sealed = true
	r.head = rec.off + rec.extent()
}

// Sealed says that nothing is added to the record any more.
func (r *Record) Sealed() bool { return r.sealed }

func (r *Record) extent() int { return (recHeader + len(r.Frames) + align - 1) &^ (align - 1) }

// Free gives up the oldest record, which must be sealed. It must not be
// touched afterwards.
func (r *Ring) Free() {
	rec := r.records[0]
	copy(r.records, r.records[1:])
	r.records = r.records[:len(r.records)-1]
	rec.Frames = nil
	r.free = append(r.free, rec)
	if len(r.records) > 0 {
		r.store(offTail, uint64(r.records[0].off)) // first, or a kill here would hide the rest
	} else {
		r.head = 0
	}
	atomic.StoreUint64(word(r.data[rec.off+56:]), 0)
	if len(r.records) == 0 {
		r.store(offTail, 0)
	}
}

// SetOrd notes how many samples have been appended to the log; Ord returns it
// after a recovery. The records may end earlier: what every reader has settled
// is freed without a trace on disk.
func (r *Ring) SetOrd(ord uint64) { r.store(offOrd, ord) }

// SetSeq notes the last sequence number given to a sample of the log.
func (r *Ring) SetSeq(seq uint64) { r.store(offSeq, seq) }

// Seq returns what SetSeq noted.
func (r *Ring) Seq() uint64 { return r.load(offSeq) }

// SetEpoch notes the epoch of the run that uses the ring.
func (r *Ring) SetEpoch(epoch uint32) { r.store(offRun, uint64(epoch)) }

// Epoch returns what SetEpoch noted.
func (r *Ring) Epoch() uint32 { return uint32(r.load(offRun)) }

// Ord returns what SetOrd noted.
func (r *Ring) Ord() uint64 { return r.load(offOrd) }

// SetCount stores counter number i, and reports false for one that there is no
// place for. It survives the process; a record that was appended before it
// does too.
func (r *Ring) SetCount(i uint32, n uint64) bool {
	if int(i) >= len(r.counts)/8 {
		return false
	}
	atomic.StoreUint64(word(r.counts[int(i)*8:]), n)
	return true
}

// Count returns counter number i, and false where there is no place for it.
func (r *Ring) Count(i uint32) (uint64, bool) {
	if int(i) >= len(r.counts)/8 {
		return 0, false
	}
	return atomic.LoadUint64(word(r.counts[int(i)*8:])), true
}

// SetCell stores the account of reader number i, below Cells. One that is too
// large for its cell is not stored: the log alone has it then.
func (r *Ring) SetCell(i int, rd *frame.Reader) {
	r.cells[i]++
	p := r.cell(i, r.cells[i])
	body := rd.AppendCell(p[:16])
	if len(body) > cellSize {
		r.cells[i]--
		return
	}
	le := binary.LittleEndian
	le.PutUint64(p, r.cells[i])
	le.PutUint32(p[8:], uint32(len(body)-16))
	le.PutUint32(p[12:], cellSum(p, len(body)))
}

func (r *Ring) cell(i int, generation uint64) []byte {
	off := page + (i*2+int(generation&1))*cellSize
	return r.mem[off : off+cellSize : off+cellSize]
}

func cellSum(p []byte, n int) uint32 {
	return crc32.Update(crc32.Checksum(p[:12], table), table, p[16:n])
}

// ClearCell forgets the account of reader number i.
func (r *Ring) ClearCell(i int) {
	off := page + i*2*cellSize
	clear(r.mem[off : off+2*cellSize])
	r.cells[i] = 0
}

// EachCell calls use with the accounts that were stored and their numbers.
func (r *Ring) EachCell(use func(i int, rd *frame.Reader)) {
	for i := range r.cells {
		if rd, ok := r.parseCell(i); ok {
			use(i, &rd)
		}
	}
}

func (r *Ring) parseCell(i int) (best frame.Reader, ok bool) {
	le := binary.LittleEndian
	for g := range uint64(2) {
		p := r.cell(i, g)
		n := 16 + int(le.Uint32(p[8:]))
		if n > cellSize || n < 16 || le.Uint64(p) <= r.cells[i] || le.Uint32(p[12:]) != cellSum(p, n) {
			continue
		}
		var rd frame.Reader
		if rd.ParseCell(p[16:n]) == nil {
			best, ok, r.cells[i] = rd, true, le.Uint64(p)
		}
	}
	return best, ok
}

func (r *Ring) store(off int, v uint64) { atomic.StoreUint64(word(r.mem[off:]), v) }
func (r *Ring) load(off int) uint64     { return atomic.LoadUint64(word(r.mem[off:])) }

// word is a 64-bit word of the memory for an atomic store: the compiler and
// the processor may not move the stores before it behind it.
func word(p []byte) *uint64 { return (*uint64)(unsafe.Pointer(unsafe.SliceData(p[:8]))) }
