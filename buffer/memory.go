package buffer

import (
	"errors"
	"path/filepath"
	"slices"

	"fieldferry/buffer/ring"
	"fieldferry/buffer/segment"
)

// Names of the files in the runtime directory.
const (
	ringName = "pending"
	dictName = "pending-tags"
)

// openMemory maps the ring's file and opens the dictionary beside it.
func (b *Buffer) openMemory() ([]byte, error) {
	dir := b.cfg.RuntimeDir
	if dir == "" {
		return nil, errNoRuntimeDir
	}
	if err := b.fs.MkdirAll(dir); err != nil {
		return nil, err
	}
	m, err := b.fs.Map(filepath.Join(dir, ringName), ring.Size(b.lim.ring))
	if err != nil {
		return nil, err
	}
	d, err := b.fs.Create(filepath.Join(dir, dictName), 0)
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	b.mapping, b.dictFile, b.shared = m, d, true
	return m.Bytes(), nil
}

var errNoRuntimeDir = errors.New("no runtime directory is set")

// recoverMemory takes over what an earlier run of this boot left in the ring,
// and reports whether that tells where its sequence numbers ended.
func (b *Buffer) recoverMemory(clean bool) bool {
	mem, err := b.openMemory()
	if err != nil {
		if !errors.Is(err, errNoRuntimeDir) {
			b.log.Warn("samples are written straight to the log: no shared memory", "err", err)
		}
		return false
	}
	r, id, ok := ring.Recover(mem, b.id, b.w.clock.Boot)
	switch {
	case !ok, r.Ord() < b.diskOrd, r.Epoch() < b.epoch:
		return false // the log went on without it
	case clean && r.Ord() == b.diskOrd:
		return false // it was empty when the log was closed
	}
	b.ring, b.delta, b.dictKey = r, id.Delta, segment.NewKey(id.Ring, 0)
	b.recoverDict()
	b.recoverAccounts()
	b.recoverRecords()
	return true
}

// recoverDict reads the dictionary beside the ring, up to where the process
// was killed.
func (b *Buffer) recoverDict() {
	size, err := b.dictFile.Size()
	if err != nil {
		return
	}
	sc := segment.NewScanner(b.dictFile, b.dictKey, 0, size)
	dict := segment.Dict{
		Tag: func(id uint32, fields []byte) {
			if t := b.dict.known(fields); t != nil {
				b.dict.addTag(&entry{id: id, tag: t, fields: slices.Clone(fields)})
			}
		},
		Reason: func(id uint32, text string) { b.dict.addReason(&entry{id: id, reason: text}) },
	}
	for {
		blk, err := sc.Next()
		if err != nil {
			break
		}
		_ = dict.Read(blk.Payload) // entries before a corrupt one count
	}
	b.dictOff = sc.Offset()
}

// recoverAccounts takes over the accounts beside the ring where they are
// ahead of the log's.
func (b *Buffer) recoverAccounts() {
	b.ring.EachCell(func(cell int, r *segment.Reader) {
		i := slices.IndexFunc(b.accounts, func(a *account) bool { return a.Name == r.Name })
		switch {
		case i < 0 && !r.Removed:
			b.accounts = append(b.accounts, &account{Reader: *r, version: 1, cell: cell})
		case i >= 0 && (r.Ord >= b.accounts[i].Ord || r.Removed):
			b.accounts[i].Reader = *r
			b.accounts[i].version++
			b.accounts[i].cell = cell
		}
	})
}

// recoverRecords makes the ring's records pending again. Those that the log
// holds are stale. What is neither in the log nor in the ring was settled by
// everybody, or was lost when the disk could not be written.
func (b *Buffer) recoverRecords() {
	for len(b.ring.Records()) > 0 && b.ring.Records()[0].End() <= b.diskOrd {
		b.ring.Free()
	}
	end := b.diskOrd
	for _, rec := range b.ring.Records() {
		b.closeGap(end, rec.Ord)
		p := b.newPending(rec)
		b.recoverEntries(p)
		b.pending = append(b.pending, p)
		b.epoch = max(b.epoch, rec.Epoch)
		end = rec.End()
	}
	if len(b.pending) > 0 && b.pending[0].rec.Ord < b.diskOrd {
		b.diskOrd = b.pending[0].rec.Ord // the log's copy is void
		b.w.next = b.diskOrd
		b.segs[len(b.segs)-1].end = b.diskOrd
	}
	b.ord = max(b.ring.Ord(), end)
	b.closeGap(end, b.ord)
	b.runOrd, b.lastSeq = b.ord, b.ord+b.delta
	b.ring.SetOrd(b.ord)
}

func (b *Buffer) closeGap(from, to uint64) {
	if to <= from {
		return
	}
	if b.readersBeforeLocked(to) {
		b.lostLocked(from, to, reasonDisk)
		return
	}
	b.holeLocked(from, to, "")
}

// recoverEntries finds the dictionary entries that p needs.
func (b *Buffer) recoverEntries(p *pending) {
	rec := p.rec
	blk := segment.Block{Count: rec.Count, FirstSeq: rec.Seq, FirstOrd: rec.Ord, Payload: rec.Frames}
	rows, row := segment.NewRows(&blk), segment.Row{}
	for rows.Left() > 0 && rows.Next(&row) == nil {
		// A number whose entry is lost must not get another meaning.
		b.dict.nextTag = max(b.dict.nextTag, row.Tag+1)
		b.dict.nextReason = max(b.dict.nextReason, row.Reason+1)
		p.use(b.dict.tagByID[row.Tag])
		p.use(b.dict.reasonByID[row.Reason])
	}
}

// newRing makes an empty ring in the shared memory, or in our own where there
// is none. Nothing is pending.
func (b *Buffer) newRing() {
	var mem []byte
	if b.mapping != nil {
		mem = b.mapping.Bytes()
	} else {
		mem = make([]byte, ring.Size(b.lim.ring))
	}
	id := ring.ID{Log: b.id, Boot: b.w.clock.Boot, Delta: b.delta, Ring: randomID()}
	b.dictKey, b.dictOff = segment.NewKey(id.Ring, 0), 0 // what lies there has another key
	b.ring = ring.New(mem, id, b.ord)
	b.ring.SetEpoch(b.epoch)
	for _, a := range b.accounts {
		b.keepLocked(a)
	}
}

// renewRing starts a new ring when nothing is left in the one that was taken
// over, so that the dictionary beside it does not grow with every kill.
func (b *Buffer) renewRing() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.w.kept || len(b.pending) > 0 || b.dictFile.Truncate(0) != nil {
		return
	}
	nextTag, nextReason := b.dict.nextTag, b.dict.nextReason
	b.dict.init()                                           // what is in the old one is not in the new file
	b.dict.nextTag, b.dict.nextReason = nextTag, nextReason // the segment has the old numbers
	b.newRing()
}

// keepLocked stores the account beside the ring, so that it outlives the
// process.
func (b *Buffer) keepLocked(a *account) {
	if b.mapping != nil {
		b.ring.SetCell(a.cell, &a.Reader)
	}
}

// dropMemory deletes the files of the ring: everything is durable.
func (b *Buffer) dropMemory() {
	if b.mapping == nil {
		return
	}
	_ = b.fs.Remove(filepath.Join(b.cfg.RuntimeDir, ringName)) // the next run sees that they are stale
	_ = b.fs.Remove(filepath.Join(b.cfg.RuntimeDir, dictName))
}
