package plant

import (
	"time"

	"fieldferry/tag"
)

// Plant tells what the gateway is doing. No method blocks.
type Plant interface {
	// Status returns a snapshot of everything but tags and their values.
	Status() Status
	// Tags returns every tag of the running revision, sorted by device and
	// name, and the generation of that list. A new revision makes a new list
	// with a higher generation, beginning at 1; a generation's list never
	// changes, and the caller must not change it either.
	Tags() (tags []*tag.Tag, generation uint64)
	// Value returns the latest value of a tag, scaled. Version is 0 as long
	// as there is none, and for a tag that no longer exists.
	Value(t *tag.Tag) Value
	// Settings returns every key that may be written at a tag as one text, by
	// the name it has in the tag map (address, type, byte_order, scale,
	// interval, …), the unset ones too: the page offers exactly these. A key
	// that the driver does not know is absent. It is worked out anew at each
	// call, in some microseconds, and nil for a tag that is not in the list of
	// Tags any more.
	Settings(t *tag.Tag) map[string]Setting
}

// Setting is one key of a tag.
type Setting struct {
	Text string // as it would be written in the tag map; empty: not set
	From string // where Text comes from: tag, device, profile NAME, link, gateway or default
}

// Value is the latest sample of a tag as the page needs it.
type Value struct {
	Value   tag.Value
	Quality tag.Quality
	Time    time.Time // source timestamp
	Fresh   time.Time // gateway's time of the last read, published or not; age counts from here
	Version uint64    // grows with every new sample; 0: none yet
}
