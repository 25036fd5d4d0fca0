// Package dict numbers the tags and the reasons of qualities, so that a sample
// on disk takes a byte for each. A number means one thing throughout a run of
// the process and throughout a segment; between segments it says nothing, each
// of them has a dictionary of its own.
//
// A Dict is not safe for concurrent use, and nothing in it blocks.
package dict

import (
	"fieldferry/buffer/column"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/tally"
	"fieldferry/tag"
)

// Entry is a tag or a reason and its number.
type Entry struct {
	ID      uint32
	Tag     *tag.Tag // nil: it is a reason
	Reason  string
	Counter *tally.Counter // of the tag's samples
	Base    uint64         // of the counter: samples are told as the difference to it
	Block   uint64         // the last block that uses it; belongs to the owner of the Dict

	// These belong to the writer.
	Segment uint32     // the last segment that holds it
	Ref     column.Ref // the value that samples in that segment are compared with
	Last    column.Ref // the last value that was written

	fields frame.Fields
}

// Append appends the entry's frame.
func (e *Entry) Append(dst []byte) []byte {
	if e.Tag != nil {
		return e.fields.Append(dst, e.ID, frame.Base{N: e.Base, Kind: e.Ref.Kind, Num: e.Ref.Num})
	}
	return frame.Reason(e.Reason).Append(dst, e.ID)
}

// Dict holds the entries of this run.
type Dict struct {
	tags       map[*tag.Tag]*Entry
	tagByID    map[uint32]*Entry
	reasons    map[string]*Entry
	reasonByID map[uint32]*Entry
	nextTag    uint32
	nextReason uint32
	known      map[string]*tag.Tag // by fields: one pointer for equal tags of all runs, the latest of this run
	pruned     uint64              // the newest block at the last Prune
	tally      *tally.Tally
}

const (
	// maxReasons bounds the reasons that get a number; more than that are made
	// up at run time, and written out.
	maxReasons = 4096
	// maxKnown bounds the tags that keep their pointer.
	maxKnown = 1 << 18
)

// New makes an empty dictionary, the tags of which count in counters.
func New(counters *tally.Tally) *Dict {
	d := &Dict{nextTag: 1, nextReason: 1, tally: counters}
	d.Clear()
	return d
}

// Clear forgets all entries, but not the counters. Their numbers are not used
// again.
func (d *Dict) Clear() {
	d.tags, d.tagByID = map[*tag.Tag]*Entry{}, map[uint32]*Entry{}
	d.reasons, d.reasonByID = map[string]*Entry{}, map[uint32]*Entry{}
	d.known = map[string]*tag.Tag{}
}

// Tag returns the entry of t, and whether it is a new one.
func (d *Dict) Tag(t *tag.Tag) (e *Entry, isNew bool) {
	if e := d.tags[t]; e != nil {
		return e, false
	}
	e = &Entry{ID: d.nextTag, Tag: t, Counter: d.tally.Of(t), fields: frame.FieldsOf(t)}
	e.Base = e.Counter.N
	d.addTag(e)
	d.known[string(e.fields)] = t
	return e, true
}

func (d *Dict) addTag(e *Entry) {
	d.tags[e.Tag], d.tagByID[e.ID] = e, e
	d.Reserve(e.ID, 0)
}

// Reason returns the entry of a reason, and whether it is a new one: nil for
// no text, and for one that gets no number because there are too many.
func (d *Dict) Reason(text string) (e *Entry, isNew bool) {
	if text == "" {
		return nil, false
	}
	if e := d.reasons[text]; e != nil {
		return e, false
	}
	if len(d.reasons) >= maxReasons {
		return nil, false
	}
	e = &Entry{ID: d.nextReason, Reason: text}
	d.addReason(e)
	return e, true
}

func (d *Dict) addReason(e *Entry) {
	d.reasons[e.Reason], d.reasonByID[e.ID] = e, e
	d.Reserve(0, e.ID)
}

// Reserve keeps these numbers, and those below them, from being given.
func (d *Dict) Reserve(tagID, reasonID uint32) {
	d.nextTag, d.nextReason = max(d.nextTag, tagID+1), max(d.nextReason, reasonID+1)
}

// Learn takes over the entries of a dictionary block with their numbers.
// Entries before a corrupt one count.
func (d *Dict) Learn(payload []byte) {
	in := frame.Dict{
		Tag: func(id uint32, b frame.Base, fields frame.Fields) {
			if t := d.Known(fields); t != nil {
				d.addTag(&Entry{ID: id, Tag: t, Counter: d.tally.Of(t), Base: b.N, fields: append(frame.Fields(nil), fields...)})
			}
		},
		Reason: func(id uint32, text string) { d.addReason(&Entry{ID: id, Reason: text}) },
	}
	_ = in.Read(payload) // as said
}

// TagByID returns an entry by its number, nil if there is none.
func (d *Dict) TagByID(id uint32) *Entry { return d.tagByID[id] }

// EachTag calls use for every entry of a tag.
func (d *Dict) EachTag(use func(e *Entry)) {
	for _, e := range d.tagByID {
		use(e)
	}
}

// ReasonByID returns an entry by its number, nil if there is none.
func (d *Dict) ReasonByID(id uint32) *Entry { return d.reasonByID[id] }

// Known returns the tag of these fields: the latest one of this run if there
// is one, otherwise one that is rebuilt once. It is nil if the fields are
// corrupt.
func (d *Dict) Known(fields frame.Fields) *tag.Tag {
	if t := d.known[string(fields)]; t != nil {
		return t
	}
	t, err := fields.Tag()
	if err != nil {
		return nil
	}
	if len(d.known) >= maxKnown {
		clear(d.known)
		for _, e := range d.tags {
			d.known[string(e.fields)] = e.Tag
		}
	}
	d.known[string(fields)] = t
	return t
}

// Prune forgets tags that were not used since the last call nor by a block
// from oldest on, if they are many: they belong to tag maps that are gone.
// Should one come back it gets a new number. newest is the newest block.
func (d *Dict) Prune(oldest, newest uint64) {
	stale := func(e *Entry) bool { return e.Block <= d.pruned && e.Block < oldest }
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
				delete(d.tagByID, e.ID)
			}
		}
	}
	d.pruned = newest
}
