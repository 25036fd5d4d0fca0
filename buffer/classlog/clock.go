package classlog

import (
	"time"

	"fieldferry/buffer/clock"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/segment"
)

// NoteClockLocked notes what Clock says. It is called whenever that was read.
// What is new is written with the next commit of each log.
func (c *Common) NoteClockLocked(logs []*Log) {
	if c.Clocks.Note(frame.Clock{Log: c.Now, Clock: c.Clock}) {
		for _, l := range logs {
			l.clockNew = true
		}
	}
}

// TrustLocked says what the times of samples are worth that were appended at a
// moment of the log's own time.
func (l *Log) TrustLocked(at time.Duration) clock.Span { return l.c.Clocks.At(at) }

// clockFrames are the frames of the changes of the clock: all that are known,
// or the last, if it is not written yet.
func (l *Log) clockFrames(all bool) (frames [][]byte) {
	l.c.Mu.Lock()
	defer l.c.Mu.Unlock()
	es := l.c.Clocks.Entries()
	if !all && !l.clockNew {
		return nil
	}
	for i := range es {
		if all || i == len(es)-1 {
			frames = append(frames, es[i].Append(nil))
		}
	}
	l.clockNew = false
	return frames
}

// counts are the counters of all tags of the buffer, as payloads of blocks.
func (l *Log) counts() [][]byte {
	l.c.Mu.Lock()
	defer l.c.Mu.Unlock()
	return l.c.Counters.Append(nil, segment.MaxPayload)
}
