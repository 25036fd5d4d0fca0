package plant

import (
	"context"
	"errors"
	"time"

	"fieldferry/web/plant/learnt"
)

// ErrStale is returned by Editor.Check and Editor.Apply when the draft's base
// is not the running revision: somebody else applied a change, or the files
// were edited. Nothing was changed.
var ErrStale = errors.New("the configuration has changed since this draft was begun")

// ErrUnknown is wrapped by Control.Read when there is no such device or tag.
var ErrUnknown = errors.New("no such device or tag")

// Editor changes the tag map. Faults of what a user wrote are in the Report;
// an error means that nothing could be said about the draft, and that
// nothing was changed.
type Editor interface {
	// Revision returns the running revision. It does not block.
	Revision() Revision
	// History returns the revisions that were applied, newest first, at most
	// limit of them.
	History(ctx context.Context, limit int) ([]Revision, error)
	// Check loads the configuration as the draft would leave it and tells
	// every fault and every consequence. It has no effect.
	Check(ctx context.Context, d Draft) (Report, error)
	// Apply does what Check told, if there is no fault: it writes the files,
	// restarts only the links concerned, and returns once the new revision
	// runs. With faults nothing is changed and Report.Applied is nil.
	Apply(ctx context.Context, d Draft, author string) (Report, error)
}

// Draft is what a user wants to change, against a base revision.
type Draft struct {
	Base    string // Revision.ID that the draft was begun with
	Changes []Change
	Comment string // why, for the history; may be empty
}

// Change is new settings of one existing tag.
type Change struct {
	Device string
	Tag    string
	Set    map[string]string // key of the tag map to its new text; an empty text removes the key, so that what is inherited holds again
}

// Report is what a draft would do or has done.
type Report struct {
	Faults  []Fault
	Effects []Effect  // empty: the draft changes nothing
	Applied *Revision // the new revision; nil after Check and when there are faults
}

// Fault is one thing wrong with the configuration as the draft leaves it.
// Device, Tag and Key say which field it belongs to, as far as one is known.
type Fault struct {
	Device, Tag, Key string
	File             string // relative to the configuration directory; may be empty
	Line, Column     int    // 1 based, 0: unknown
	Path             string // links[0].devices[2].tags[5].address
	Text             string // what is wrong, the offending text quoted
	Hint             string // what to do; may be empty
}

// Effect is one consequence of a draft, in words a plant engineer uses.
type Effect struct {
	Link   string // the link that restarts; empty: none does
	Device string // and Tag: what the effect is about, may be empty
	Tag    string
	Text   string // `interval of pump/speed: 500ms → 1s`, `link line1 restarts: 3 devices pause for about 1 s`
}

// Revision is a state of the configuration that ran or runs.
type Revision struct {
	ID      string // opaque, without quotes or spaces
	At      time.Time
	Author  string
	Comment string
	Changes []string // in words, one for each difference to the revision before
}

// Control acts at once. It may block as long as its context allows.
type Control interface {
	// Reload reads the configuration directory again and applies it like
	// Editor.Apply does.
	Reload(ctx context.Context, author string) (Report, error)
	// Read asks the device for a tag now, ahead of the schedule, and returns
	// what came back, scaled; a device that does not answer is a bad value.
	// It returns an error that wraps ErrUnknown when there is no such tag.
	Read(ctx context.Context, device, name string) (Value, error)
	// Facts lists what drivers have learnt about devices, by link.
	Facts(ctx context.Context) []learnt.Fact
	// Forget drops the fact of an id, or all facts of a device, and says how
	// many that were; what still is so is learnt anew. It returns an error
	// that wraps ErrUnknown when there is nothing by that name.
	Forget(ctx context.Context, id, author string) (int, error)
}
