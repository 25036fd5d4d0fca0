package buffer

import (
	"time"

	"fieldferry/buffer/classlog"
)

const (
	// seenEvery is how often it is noted that a reader is in use.
	seenEvery = time.Hour
	// gonePatience is for how long a reader that is not in use keeps its
	// samples where the samples may be of any age.
	gonePatience = 30 * 24 * time.Hour
)

// patience is for how long a reader that is not in use keeps its samples.
func (b *Buffer) patience() time.Duration {
	if b.cfg.MaxAge > 0 {
		return b.cfg.MaxAge
	}
	return gonePatience
}

// seeLocked notes which readers are in use, if it was not noted since every.
func (b *Buffer) seeLocked(every time.Duration) {
	l := b.logs[normal]
	for _, a := range l.BookLocked().Accounts {
		if b.open[a.Name] != nil && b.c.Now-a.Seen >= every {
			a.See(b.c.Now)
			l.KeepLocked(a)
		}
	}
}

// absentLocked is for how long a reader has not been in use, by the log's own
// time.
func (b *Buffer) absentLocked(name string) time.Duration {
	a := b.logs[normal].BookLocked().Find(name)
	if a == nil || b.open[name] != nil {
		return 0
	}
	return max(b.c.Now-a.Seen, 0)
}

// retain keeps the buffer within its bounds.
func (b *Buffer) retain() {
	b.retireGone()
	b.bounds.Keep()
}

// retireGone forgets readers that have not been in use for so long that they
// will not come back, so that they do not hold the log for ever. After a start
// they have an hour to come.
func (b *Buffer) retireGone() {
	b.c.Mu.Lock()
	defer b.c.Mu.Unlock()
	b.seeLocked(seenEvery)
	if b.c.Now-b.began < seenEvery {
		return
	}
	var gone []string
	for _, a := range b.logs[normal].BookLocked().Accounts {
		if !a.Removed && b.absentLocked(a.Name) > b.patience() {
			gone = append(gone, a.Name)
		}
	}
	for _, name := range gone {
		absent := b.absentLocked(name)
		waiting := b.removeLocked(name, classlog.ReasonGone)
		b.c.Log.Warn("a reader that is not in use any more is forgotten", "uplink", name, "absent", absent, "samples", waiting)
	}
}
