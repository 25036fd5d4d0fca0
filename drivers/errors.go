package drivers

import (
	"errors"
	"fmt"

	"fieldferry/tag"
)

// ErrLinkDown is wrapped by errors of Open, Prepare, Read, Subscribe and Write
// when the connection is gone: the caller closes the Conn and opens a new one.
var ErrLinkDown = errors.New("link down")

// ErrAbsent is wrapped by Open's error, beside ErrLinkDown, when what the link
// leads to is not there at all: an adapter that is unplugged, a device that
// has not dialled in. To look again costs nothing and disturbs nobody, so the
// caller does soon.
var ErrAbsent = errors.New("not there")

// ErrOutcomeUnknown is wrapped by Write's error when the device may or may
// not have taken the value.
var ErrOutcomeUnknown = errors.New("outcome unknown")

// DeviceError says that one device did not answer, or answered what cannot be
// used; its neighbours on the link are not concerned.
type DeviceError struct {
	Device string // name of the device
	Reason string // for the quality of its samples: tag.ReasonTimeout, "device busy", ...
	Err    error  // what happened
}

func (e *DeviceError) Error() string { return fmt.Sprintf("device %s: %v", e.Device, e.Err) }

func (e *DeviceError) Unwrap() error { return e.Err }

// Fault is one thing wrong with a link, a device or a tag, found by Check.
// Device and Tag tell where: both nil for the link itself.
type Fault struct {
	Device *tag.Device
	Tag    *tag.Tag
	tag.Fault
}
