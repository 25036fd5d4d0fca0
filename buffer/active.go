package buffer

import (
	"errors"
	"fmt"
	"sync/atomic"

	"fieldferry/buffer/segment"
)

// seg is one file of the log. Its header never changes; Buffer.mu guards size,
// used and end.
type seg struct {
	segment.Header
	name    string
	size    int64  // bytes it takes on disk
	used    int64  // bytes of it that hold blocks
	end     uint64 // count of the log's samples at its end; blocks beyond it are void
	damaged atomic.Bool
}

// startSegment makes the next segment and makes it durable: first the space,
// then the header with the accounts and the drops, then the name.
func (b *Buffer) startSegment() error {
	w := &b.w
	b.makeRoom()
	w.lastID++
	b.mu.Lock()
	s := &seg{Header: segment.Header{
		Log: b.id, ID: w.lastID, Epoch: b.epoch,
		FirstOrd: w.next, FirstSeq: w.next + b.delta + 1,
		Clock: segment.Clock{Log: b.now, Wall: w.clock.Wall, Up: w.clock.Up, Boot: w.clock.Boot, Trusted: w.clock.Trusted},
	}, size: b.lim.segment, end: w.next}
	b.mu.Unlock()
	s.name = s.Header.Name()
	file, err := b.fs.Create(b.path(s.name), b.lim.segment)
	if err != nil {
		return fmt.Errorf("begin segment %q: %w", s.name, err)
	}
	w.seg, w.file, w.off, w.durable, w.dirty = s, file, 0, 0, false
	w.count, w.oldest, w.newest = 0, s.Clock.Log, s.Clock.Log
	w.dict, w.dictLen = nil, 0
	w.out = segment.AppendHeader(w.out[:0], &s.Header)
	b.putSnapshot()
	if err = b.flush(); err == nil {
		err = b.syncFile()
	}
	if err == nil {
		err = b.fs.SyncDir(b.cfg.Dir)
	}
	if err != nil {
		err = errors.Join(err, file.Close())
		w.file = nil
		_ = b.fs.Remove(b.path(s.name)) // an empty segment left behind does no harm
		return fmt.Errorf("begin segment %q: %w", s.name, err)
	}
	b.mu.Lock()
	b.segs = append(b.segs, s)
	b.pruneLocked()
	b.mu.Unlock()
	w.drops = nil // they are in the snapshot
	b.unlink(false)
	return nil
}

// putSnapshot adds the durable accounts of all readers, so that the segment
// can do without the ones before it.
func (b *Buffer) putSnapshot() {
	w := &b.w
	st := b.state()
	b.mu.Lock()
	for _, a := range b.accounts {
		if a.isSaved {
			st.Readers++
		}
	}
	b.mu.Unlock()
	clock := w.seg.Clock
	frames := segment.AppendState(nil, &st)
	frames = w.frame(frames, segment.AppendClock(nil, &clock), segment.FlagMeta)
	for i := range w.drops {
		frames = w.frame(frames, segment.AppendDrop(nil, &w.drops[i]), segment.FlagMeta)
	}
	b.mu.Lock()
	for _, a := range b.accounts {
		if a.isSaved {
			frames = w.frame(frames, segment.AppendReader(nil, &a.saved), segment.FlagMeta)
		}
	}
	b.mu.Unlock()
	w.frames(frames, segment.FlagMeta)
}

// roll seals the segment and begins the next one.
func (b *Buffer) roll() error {
	if err := b.seal(false); err != nil {
		return err
	}
	return b.startSegment()
}

// seal ends the segment: a second copy of its dictionary, so that one damaged
// block of it costs nothing, and the footer. Everything in it is durable then.
func (b *Buffer) seal(clean bool) error {
	w := &b.w
	if w.file == nil {
		return nil
	}
	if int64(w.dictLen) <= b.lim.segment/8 {
		var frames []byte
		for _, e := range w.dict {
			frames = w.frame(frames, e.append(nil), segment.FlagDict)
		}
		w.frames(frames, segment.FlagDict)
	}
	if err := b.putFooter(clean); err != nil {
		return err
	}
	if clean {
		// Of the very last segment no later one says where it ends: a second
		// footer, on a page of its own, does.
		w.out = append(w.out, make([]byte, -w.off&(segment.HeaderSize-1))...)
		if err := b.putFooter(clean); err != nil {
			return err
		}
	}
	size := b.lim.segment
	if w.file.Truncate(w.off) == nil { // it only gives space back
		size = w.off
	}
	err := w.file.Close()
	w.file = nil
	b.mu.Lock()
	b.durableLocked()
	w.seg.size = max(size, w.off)
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("close segment %q: %w", w.seg.name, err)
	}
	return nil
}

// putFooter adds the footer and makes it durable with all before it.
func (b *Buffer) putFooter(clean bool) error {
	w := &b.w
	b.mu.Lock()
	nextSeq := w.next + b.delta + 1
	b.mu.Unlock()
	w.frames(segment.AppendFooter(nil, &segment.Footer{
		Clean: clean, Count: w.count, NextSeq: nextSeq, EndOrd: w.next,
		Oldest: w.oldest, Newest: w.newest,
	}), segment.FlagFooter)
	if err := b.flush(); err != nil {
		return err
	}
	return b.syncFile()
}
