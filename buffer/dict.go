package buffer

import (
	"fieldferry/buffer/segment"
	"fieldferry/tag"
)

// entry is one line of the dictionary: a tag or a reason and its number,
// which is never used for another one in this log.
type entry struct {
	id     uint32
	tag    *tag.Tag // nil: it is a reason
	reason string
	mark   uint64 // serial of the last block that uses it; guarded by Buffer.mu
	seg    uint32 // id of the last segment that holds it; belongs to the writer
}

func (e *entry) append(dst []byte) []byte {
	if e.tag != nil {
		return segment.AppendTag(dst, e.id, e.tag)
	}
	return segment.AppendReason(dst, e.id, e.reason)
}

// dictionary numbers the tags and reasons of this run, and knows those of
// earlier runs that were read. Buffer.mu guards it.
type dictionary struct {
	tags       map[*tag.Tag]*entry
	reasons    map[string]*entry
	tagByID    map[uint32]*tag.Tag
	reasonByID map[uint32]string
	nextTag    uint32
	nextReason uint32
	used       uint64 // block serial at the last prune
}

// maxReasonEntries bounds the reasons that get a number; more than that are
// made up at run time, and written out.
const maxReasonEntries = 4096

// maxOldTags bounds the tags of earlier runs that are kept for their pointer.
const maxOldTags = 1 << 18

func (d *dictionary) init() {
	d.tags, d.tagByID = map[*tag.Tag]*entry{}, map[uint32]*tag.Tag{}
	d.reasons, d.reasonByID = map[string]*entry{}, map[uint32]string{}
	d.nextTag, d.nextReason = 1, 1
}

// learnTag keeps a tag of an earlier run.
func (d *dictionary) learnTag(id uint32, t *tag.Tag) {
	d.nextTag = max(d.nextTag, id+1)
	if _, ok := d.tagByID[id]; !ok {
		d.tagByID[id] = t
	}
}

func (d *dictionary) learnReason(id uint32, text string) {
	d.nextReason = max(d.nextReason, id+1)
	if _, ok := d.reasonByID[id]; !ok {
		d.reasonByID[id] = text
	}
}

// entryLocked returns the entry of t, a new one where it is missing.
func (b *Buffer) entryLocked(t *tag.Tag) *entry {
	if e := b.dict.tags[t]; e != nil {
		return e
	}
	e := &entry{id: b.dict.nextTag, tag: t}
	b.dict.nextTag++
	b.dict.tags[t], b.dict.tagByID[e.id] = e, t
	b.saveEntryLocked(e)
	return e
}

// reasonLocked returns the entry of a reason, nil for none and for one that
// gets no number.
func (b *Buffer) reasonLocked(text string) *entry {
	if text == "" {
		return nil
	}
	if e := b.dict.reasons[text]; e != nil {
		return e
	}
	if len(b.dict.reasons) >= maxReasonEntries {
		return nil
	}
	e := &entry{id: b.dict.nextReason, reason: text}
	b.dict.nextReason++
	b.dict.reasons[text], b.dict.reasonByID[e.id] = e, text
	b.saveEntryLocked(e)
	return e
}

// saveEntryLocked writes a new entry beside the ring, before the first sample
// that uses it: without it the next run could not name the sample. It is a
// write to memory of the machine, not to the disk.
func (b *Buffer) saveEntryLocked(e *entry) {
	if !b.shared {
		return
	}
	blk := segment.Block{Flags: segment.FlagDict, Payload: e.append(nil)}
	p := segment.AppendBlock(nil, segment.NewKey(b.id, 0), &blk)
	if _, err := b.dictFile.WriteAt(p, b.dictOff); err != nil {
		b.shared = false
		b.log.Warn("write beside the log from now on: the runtime directory is full", "err", err)
		return
	}
	b.dictOff += int64(len(p))
}

// resetDictFile empties the dictionary beside the ring: no record needs it.
// It is called before the first Append.
func (b *Buffer) resetDictFile() {
	if b.dictFile == nil {
		return
	}
	if err := b.dictFile.Truncate(0); err == nil {
		b.dictOff = 0
	}
}

// pruneLocked forgets tags that were not used since the last call, if they
// are many: they belong to tag maps that are gone. Should one come back it
// gets a new number.
func (d *dictionary) pruneLocked(serial uint64) {
	used := 0
	for _, e := range d.tags {
		if e.mark > d.used {
			used++
		}
	}
	if len(d.tags) > 2*used+1024 {
		for t, e := range d.tags {
			if e.mark <= d.used {
				delete(d.tags, t)
			}
		}
	}
	if len(d.tagByID) > maxOldTags {
		clear(d.tagByID)
		for t, e := range d.tags {
			d.tagByID[e.id] = t
		}
	}
	d.used = serial
}
