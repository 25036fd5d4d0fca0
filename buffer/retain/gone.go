package retain

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

// Begin says that a run begins: readers have an hour to come.
func (r *Rules) Begin() { r.began = r.now() }

// SeeLocked notes which readers are in use, if it was not noted since every.
func (r *Rules) SeeLocked(every time.Duration) {
	for _, a := range r.Main.BookLocked().Accounts {
		if r.Open(a.Name) && r.Common.Now-a.Seen >= every {
			a.See(r.Common.Now)
			r.Main.KeepLocked(a)
		}
	}
}

// AbsentLocked is for how long a reader has not been in use, by the log's own
// time.
func (r *Rules) AbsentLocked(name string) time.Duration {
	a := r.Main.BookLocked().Find(name)
	if a == nil || r.Open(name) {
		return 0
	}
	return max(r.Common.Now-a.Seen, 0)
}

// retireGone forgets readers that have not been in use for so long that they
// will not come back, so that they do not hold the log for ever.
func (r *Rules) retireGone() {
	patience := gonePatience
	if r.MaxAge > 0 {
		patience = r.MaxAge
	}
	r.Common.Mu.Lock()
	defer r.Common.Mu.Unlock()
	r.SeeLocked(seenEvery)
	if r.Common.Now-r.began < seenEvery {
		return
	}
	var gone []string
	for _, a := range r.Main.BookLocked().Accounts {
		if !a.Removed && r.AbsentLocked(a.Name) > patience {
			gone = append(gone, a.Name)
		}
	}
	for _, name := range gone {
		absent := r.AbsentLocked(name)
		waiting := r.Remove(name, classlog.ReasonGone)
		r.Common.Log.Warn("a reader that is not in use any more is forgotten", "uplink", name, "absent", absent, "samples", waiting)
	}
}
