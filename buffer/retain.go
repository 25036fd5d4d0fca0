package buffer

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"fieldferry/buffer/segment"
)

// Reasons for samples that were lost, in Stats and in drop records.
const (
	reasonBytes   = "max bytes" // the log was as large as it may be
	reasonAge     = "max age"
	reasonFloor   = "min free" // the disk was as full as it may be
	reasonDamage  = "damaged"  // their block, or their name in the dictionary, cannot be read
	reasonDisk    = "disk"     // the disk could not be written for too long
	reasonMissing = "missing"  // their file is not there
	reasonRemoved = "removed"  // their reader is no more
)

// floorEvery is how often the free space is looked at.
const floorEvery = 10 * time.Second

// retain keeps the log within its bounds. The last segment always stays: it
// holds the accounts.
func (b *Buffer) retain() {
	b.trim(false)
	b.retireOld()
	b.retireForFloor()
	b.makeRoom()
	if len(b.w.drops) > 0 {
		_ = b.tryCommit() // the drops stay noted; its error is in Stats and in the log
	}
	b.unlink(false)
}

// trim gives up segments that every reader has settled, durably. On a full
// disk it goes by what is in memory: should the power fail before that is
// durable, samples that were delivered count as missing.
func (b *Buffer) trim(full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.anyReaderLocked() {
		return
	}
	for len(b.segs) > 1 {
		for _, a := range b.accounts {
			ord := a.saved.Ord
			if full {
				ord = a.Ord
			}
			if ord < b.segs[0].end || !a.isSaved && !full {
				return
			}
		}
		b.doomLocked()
	}
}

// doomLocked takes the oldest segment out of the log.
func (b *Buffer) doomLocked() {
	b.w.doomed = append(b.w.doomed, b.segs[0])
	b.segs = slices.Delete(b.segs, 0, 1)
}

// retireOld drops segments whose youngest sample is older than allowed, by
// the log's own time. The segment being written is sealed before it holds
// more than an eighth of that.
func (b *Buffer) retireOld() {
	age := b.cfg.MaxAge
	if age <= 0 {
		return
	}
	b.mu.Lock()
	now := b.now
	b.mu.Unlock()
	if b.w.file != nil && b.w.count > 0 && now-b.w.oldest > age/8 {
		if err := b.roll(); err != nil {
			b.fail(err)
		}
	}
	for {
		b.mu.Lock()
		old := len(b.segs) > 1 && now-b.segs[1].Clock.Log > age
		b.mu.Unlock()
		if !old {
			return
		}
		b.retire(reasonAge)
	}
}

// retireForFloor drops segments while the disk is fuller than allowed.
func (b *Buffer) retireForFloor() {
	b.mu.Lock()
	now, many := b.now, len(b.segs) > 1
	b.mu.Unlock()
	if b.cfg.MinFree <= 0 || now < b.w.floorAt {
		return
	}
	b.w.floorAt = now + floorEvery
	free, err := b.fs.Free(b.cfg.Dir)
	for err == nil && free < int64(b.cfg.MinFree) && many {
		free += b.retire(reasonFloor)
		b.mu.Lock()
		many = len(b.segs) > 1
		b.mu.Unlock()
	}
}

// makeRoom drops segments so that one more fits, if none is being written.
func (b *Buffer) makeRoom() {
	for {
		b.mu.Lock()
		used := b.bytesLocked()
		if b.w.file == nil {
			used += b.lim.segment
		}
		many := len(b.segs) > 1
		b.mu.Unlock()
		if used <= int64(b.cfg.MaxBytes) || !many {
			return
		}
		b.retire(reasonBytes)
	}
}

// bytesLocked is the size of the log, with what is set aside up to its share.
func (b *Buffer) bytesLocked() int64 {
	used := min(b.count.asideBytes, b.asideCap())
	for _, s := range b.segs {
		used += s.size
	}
	return used
}

// asideCap is the share of the space that files which were set aside may take.
func (b *Buffer) asideCap() int64 { return int64(b.cfg.MaxBytes) / 4 }

// retire drops the oldest segment and returns its size. The record of it is
// written with the next commit or segment; only then the file is deleted.
func (b *Buffer) retire(reason string) int64 {
	b.mu.Lock()
	s, next := b.segs[0], b.segs[1]
	from, waiting := s.end, false
	for _, a := range b.accounts {
		if !a.Removed && a.Ord < s.end {
			from, waiting = max(s.FirstOrd, min(from, a.Ord)), true
		}
	}
	now := b.now
	b.mu.Unlock()
	var rec segment.Drop
	if waiting {
		rec = segment.Drop{
			Reason: reason, From: from, To: s.end, LastSeq: next.FirstSeq - 1,
			Oldest: s.Clock.Log, Newest: min(now, next.Clock.Log),
		}
		b.survey(s, &rec)
		b.w.drops = append(b.w.drops, rec)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.accounts {
		b.dropLocked(a, s.end, next.FirstSeq-1, reason)
	}
	if waiting {
		b.dropped = addCount(b.dropped, reason, s.end-from)
		b.log.Warn("samples dropped that were not delivered", "reason", reason, "samples", s.end-from)
	}
	b.doomLocked()
	return s.size
}

// dropLocked moves an account over dropped samples, and with it what is
// durable or about to be: the drop's record will be.
func (b *Buffer) dropLocked(a *account, ord, seq uint64, reason string) {
	if a.isSaved {
		dropReader(&a.saved, ord, seq, reason)
	}
	for i := range b.w.saving {
		if b.w.saving[i].a == a {
			dropReader(&b.w.saving[i].state, ord, seq, reason)
		}
	}
	a.dropTo(ord, seq, reason)
	b.keepLocked(a)
}

func dropReader(r *segment.Reader, ord, seq uint64, reason string) {
	if ord > r.Ord {
		r.Dropped = addCount(r.Dropped, reason, ord-r.Ord)
		r.Ord, r.Seq = ord, max(r.Seq, seq)
	}
}

// maxDevices bounds the devices named in one drop record.
const maxDevices = 64

// survey counts the samples of a segment per device, for the record of their
// drop. What cannot be read is not counted; the total does not come from here.
func (b *Buffer) survey(s *seg, rec *segment.Drop) {
	f, err := b.fs.Open(b.path(s.name))
	if err != nil {
		return
	}
	defer f.Close() // it was only read
	names, counts := map[uint32]string{}, map[string]uint64{}
	dict := segment.Dict{Tag: func(id uint32, fields []byte) {
		if t, err := segment.ParseTag(fields); err == nil {
			names[id] = t.Device.Name
		}
	}}
	sc := segment.NewScanner(f, s.Key(), segment.HeaderSize, s.size)
	sc.Lossy = true
	for {
		blk, err := sc.Next()
		if err != nil || blk.FirstOrd >= s.end {
			break
		}
		if blk.Flags&segment.FlagDict != 0 {
			_ = dict.Read(blk.Payload) // entries before a corrupt one count
			continue
		}
		if blk.Flags != 0 || blk.End() <= rec.From {
			continue
		}
		rows, row := segment.NewRows(&blk.Block), segment.Row{}
		for ord := blk.FirstOrd; rows.Left() > 0 && rows.Next(&row) == nil; ord++ {
			if ord < rec.From {
				continue
			}
			if rec.FirstSeq == 0 {
				rec.FirstSeq = row.Seq
			}
			counts[names[row.Tag]]++
		}
	}
	rec.Devices = largest(counts)
}

// largest lists the counts, largest first; beyond the 64 largest they are
// summed under the empty name.
func largest(counts map[string]uint64) []segment.Count {
	var cs []segment.Count
	for name, n := range counts {
		cs = append(cs, segment.Count{Reason: name, N: n})
	}
	slices.SortFunc(cs, func(x, y segment.Count) int {
		return cmp.Or(cmp.Compare(y.N, x.N), strings.Compare(x.Reason, y.Reason))
	})
	if len(cs) <= maxDevices {
		return cs
	}
	rest := segment.Count{}
	for _, c := range cs[maxDevices:] {
		rest.N += c.N
	}
	return append(cs[:maxDevices], rest)
}

// unlink deletes the segments that were given up, once nothing is left to
// record about them. Damaged ones are set aside while there is room for them.
// What does not go now is tried again with the next commit. On a full disk
// nothing can be recorded before something is deleted: then the record follows,
// and should the power fail in between the samples count as missing.
func (b *Buffer) unlink(full bool) {
	if len(b.w.doomed) == 0 || len(b.w.drops) > 0 && !full {
		return
	}
	var left []*seg
	for _, s := range b.w.doomed {
		if err := b.discard(s); err != nil && !errors.Is(err, fs.ErrNotExist) {
			left = append(left, s)
		}
	}
	b.w.doomed = left
}

// asideSuffix marks files that were set aside.
const asideSuffix = ".bad"

func (b *Buffer) discard(s *seg) error {
	name := b.path(s.name)
	b.mu.Lock()
	aside := s.damaged.Load() && b.count.asideBytes+s.size <= b.asideCap()
	b.mu.Unlock()
	if !aside {
		return b.fs.Remove(name)
	}
	if err := b.fs.Rename(name, name+asideSuffix); err != nil {
		return err
	}
	b.mu.Lock()
	b.count.aside++
	b.count.asideBytes += s.size
	b.mu.Unlock()
	return nil
}
