package buffer

import (
	"fieldferry/buffer/segment"
	"fieldferry/tag"
)

// entry is one line of the dictionary: a tag or a reason and its number. A
// number means the same throughout a run, and throughout a segment.
type entry struct {
	id     uint32
	tag    *tag.Tag
	fields []byte // of the tag; nil: it is a reason
	reason string
	mark   uint64 // serial of the last block that uses it; guarded by Buffer.mu
	seg    uint32 // id of the last segment that holds it; belongs to the writer
}

func (e *entry) append(dst []byte) []byte {
	if e.fields != nil {
		return segment.AppendTag(dst, e.id, e.fields)
	}
	return segment.AppendReason(dst, e.id, e.reason)
}

// dictionary numbers the tags and reasons of this run. Buffer.mu guards it.
type dictionary struct {
	tags       map[*tag.Tag]*entry
	tagByID    map[uint32]*entry
	reasons    map[string]*entry
	reasonByID map[uint32]*entry
	nextTag    uint32
	nextReason uint32
	byFields   map[string]*tag.Tag // one pointer for equal tags of all runs, the latest of this run
	used       uint64              // block serial at the last prune
}

const (
	// maxReasonEntries bounds the reasons that get a number; more than that
	// are made up at run time, and written out.
	maxReasonEntries = 4096
	// maxKnownTags bounds the tags that keep their pointer.
	maxKnownTags = 1 << 18
)

func (d *dictionary) init() {
	d.tags, d.tagByID = map[*tag.Tag]*entry{}, map[uint32]*entry{}
	d.reasons, d.reasonByID = map[string]*entry{}, map[uint32]*entry{}
	d.byFields = map[string]*tag.Tag{}
	d.nextTag, d.nextReason = 1, 1
}

// known returns the tag of these fields, of this run if there is one, and nil
// if they cannot be read.
func (d *dictionary) known(fields []byte) *tag.Tag {
	if t := d.byFields[string(fields)]; t != nil {
		return t
	}
	t, err := segment.ParseTag(fields)
	if err != nil {
		return nil
	}
	if len(d.byFields) >= maxKnownTags {
		clear(d.byFields)
		for _, e := range d.tags {
			d.byFields[string(e.fields)] = e.tag
		}
	}
	d.byFields[string(fields)] = t
	return t
}

// entryLocked returns the entry of t, a new one where it is missing.
func (b *Buffer) entryLocked(t *tag.Tag) *entry {
	if e := b.dict.tags[t]; e != nil {
		return e
	}
	e := &entry{id: b.dict.nextTag, tag: t, fields: segment.TagFields(t)}
	b.dict.addTag(e)
	b.dict.byFields[string(e.fields)] = t
	b.saveEntryLocked(e)
	return e
}

func (d *dictionary) addTag(e *entry) {
	d.tags[e.tag], d.tagByID[e.id] = e, e
	d.nextTag = max(d.nextTag, e.id+1)
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
	b.dict.addReason(e)
	b.saveEntryLocked(e)
	return e
}

func (d *dictionary) addReason(e *entry) {
	d.reasons[e.reason], d.reasonByID[e.id] = e, e
	d.nextReason = max(d.nextReason, e.id+1)
}

// saveEntryLocked writes a new entry beside the ring, before the first sample
// that uses it: without it the next run could not name the sample. It is a
// write to memory of the machine, not to the disk.
func (b *Buffer) saveEntryLocked(e *entry) {
	if !b.shared {
		return
	}
	blk := segment.Block{Flags: segment.FlagDict, Payload: e.append(nil)}
	p := segment.AppendBlock(nil, b.dictKey, &blk)
	if _, err := b.dictFile.WriteAt(p, b.dictOff); err != nil {
		b.shared = false
		b.log.Warn("samples are written straight to the log: the runtime directory cannot be written", "err", err)
		return
	}
	b.dictOff += int64(len(p))
}

// pruneLocked forgets tags that were not used since the last call and that no
// block needs, if they are many: they belong to tag maps that are gone. Should
// one come back it gets a new number.
func (b *Buffer) pruneLocked() {
	d, oldest := &b.dict, b.count.blocks+1
	if len(b.pending) > 0 {
		oldest = b.pending[0].serial
	}
	stale := func(e *entry) bool { return e.mark <= d.used && e.mark < oldest }
	n := 0
	for _, e := range d.tags {
		if stale(e) {
			n++
		}
	}
	if n > len(d.tags)/2+1024 {
		for t, e := range d.tags {
			if stale(e) {
				delete(d.tags, t)
				delete(d.tagByID, e.id)
			}
		}
	}
	d.used = b.count.blocks
}
