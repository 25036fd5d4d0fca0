package drivers

import (
	"context"
	"log/slog"

	"fieldferry/tag"
)

// Driver speaks one protocol. Its methods are safe for concurrent use.
type Driver interface {
	// Options returns new option structs with their defaults set.
	Options() Options
	// Check tells every fault of a link, its devices and its tags at once.
	// It does no I/O.
	Check(l *tag.Link) []Fault
	// Open connects to a link and returns once it can be read, or fails. It
	// keeps log for the life of the Conn.
	Open(ctx context.Context, l *tag.Link, log *slog.Logger) (Conn, error)
}

// Options holds pointers to the structs of options that a driver adds to a
// link, a device and a tag, set to their defaults; nil where it adds none.
// Fields carry `yaml` tags; the loader decodes strictly into copies of them,
// first what is inherited, then what is written at the place itself, and
// hangs the result into tag.Link.Options, tag.Device.Options and
// tag.Tag.Options. A device or tag option may be written at any place above
// it: in the link's defaults, a profile, or the device.
type Options struct {
	Link   any
	Device any
	Tag    any
}

// Conn is an open link.
type Conn interface {
	// Prepare plans the reading of some tags of one device, all of one
	// sampling interval. It is called again for the same device when the
	// tag map changed. It does no I/O unless the protocol must look tags up
	// once (OPC UA browse paths); then ErrLinkDown may be returned.
	Prepare(ctx context.Context, d *tag.Device, tags []*tag.Tag) (Group, error)
	// Close ends the connection and interrupts calls under way. It may be
	// called from any goroutine and more than once.
	Close() error
}

// Group is a set of tags of one device that are read together.
type Group interface {
	// Read appends one sample for each tag of the group to dst and returns
	// it, with Value, Quality and Time set; Read numbers are the caller's.
	// A tag that cannot be read gets a bad sample. With an error nothing
	// that was appended is used, except that with ErrLinkDown the good
	// samples are: they were read before the link went.
	Read(ctx context.Context, dst []tag.Sample) ([]tag.Sample, error)
}

// Subscriber is a Group whose device pushes values by itself. Where a Group
// implements it, and Subscribes says so, Subscribe is called instead of Read.
type Subscriber interface {
	// Subscribes says whether this group is to be pushed rather than read.
	Subscribes() bool
	// Subscribe asks the device to push, and hands over what arrives until
	// ctx ends or the subscription is lost; then it returns why. It runs in
	// a goroutine of its own beside reads and writes. emit may block for as
	// long as the disk does; the slice is the caller's again afterwards.
	Subscribe(ctx context.Context, emit func([]tag.Sample)) error
}

// Writer is a Group that can write its tags.
type Writer interface {
	// Write writes v, already converted to the unit of the device, to t and
	// reads it back. It returns the sample read back. An error that wraps
	// ErrOutcomeUnknown means that the device may or may not have taken the
	// value; any other error means that it has not. It never repeats a
	// write by itself.
	Write(ctx context.Context, t *tag.Tag, v tag.Value) (tag.Sample, error)
}
