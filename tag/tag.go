package tag

import (
	"fmt"
	"time"
)

// Link is one physical connection: a serial line, a TCP connection, an OPC UA
// client. Exactly one goroutine owns it while the gateway runs.
type Link struct {
	Name     string        // unique in the gateway; "name/device" where a device has its own endpoint
	Driver   string        // the registered name: modbus-tcp, modbus-rtu, opcua, sim, calc
	Endpoint string        // as the driver reads it: tcp://host:502, /dev/serial/by-id/..., opc.tcp://host:4840
	Retry    time.Duration // longest pause between two attempts to connect
	StateDir string        // where the driver may keep what it learns; empty: nowhere
	Options  any           // the driver's link options, a pointer to what drivers.Options.Link returned
	Devices  []*Device
}

// Device is one addressed station on a link.
type Device struct {
	Name        string // unique in the gateway
	Link        *Link
	Description string
	Labels      map[string]string // the gateway's, overlaid by the profile's and the device's
	Profile     string            // name of the profile its tags came from, or empty
	DeadAfter   int               // answers missed in a row until it counts as dead
	Maintenance bool              // somebody works on it: its samples say so instead of raising alarms
	Options     any               // the driver's device options, a pointer to what drivers.Options.Device returned
	Tags        []*Tag
}

// Tag is a named datum of a device, as the tag map tells it.
type Tag struct {
	Name        string // unique in its device
	Device      *Device
	Index       int    // position among all tags of its link, 0 based; tables are indexed by it
	Address     string // as written in the tag map; the driver alone reads it
	Type        string // data type on the wire, in the driver's words: int16, float32, bool, ...
	Unit        string
	Description string
	Labels      map[string]string // the device's, overlaid by the tag's
	Class       Class
	Access      Access
	Interval    time.Duration // sampling interval, above zero
	Retain      *bool         // overrides the uplink's setting; nil leaves it to the uplink
	Options     any           // the driver's tag options, a pointer to what drivers.Options.Tag returned
}

// Path is device/tag, the name a user and an error message use.
func (t *Tag) Path() string {
	if t.Device == nil {
		return t.Name
	}
	return t.Device.Name + "/" + t.Name
}

// Class is how precious a tag's samples are. When the buffer is full the
// oldest samples of the lowest class go first.
type Class uint8

// The classes, lowest first. The zero value is ClassNormal, so that a tag
// which says nothing is neither precious nor cheap.
const (
	ClassNormal Class = iota
	ClassBulk
	ClassAlarm
)

var classNames = [...]string{ClassNormal: "normal", ClassBulk: "bulk", ClassAlarm: "alarm"}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// UnmarshalText reads alarm, normal or bulk.
func (c *Class) UnmarshalText(b []byte) error {
	for i, n := range classNames {
		if n == string(b) {
			*c = Class(i)
			return nil
		}
	}
	return fmt.Errorf("unknown class %q: use alarm, normal or bulk", b)
}

// MarshalText writes what UnmarshalText reads.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Access says whether a tag may be read, written or both. The zero value is
// AccessRead: nothing is written to a plant by accident.
type Access uint8

// The kinds of access.
const (
	AccessRead Access = iota
	AccessReadWrite
	AccessWrite
)

var accessNames = [...]string{AccessRead: "read", AccessReadWrite: "read-write", AccessWrite: "write"}

func (a Access) String() string {
	if int(a) < len(accessNames) {
		return accessNames[a]
	}
	return fmt.Sprintf("access(%d)", uint8(a))
}

// UnmarshalText reads read, read-write or write.
func (a *Access) UnmarshalText(b []byte) error {
	for i, n := range accessNames {
		if n == string(b) {
			*a = Access(i)
			return nil
		}
	}
	return fmt.Errorf("unknown access %q: use read, read-write or write", b)
}

// MarshalText writes what UnmarshalText reads.
func (a Access) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Readable says whether the tag is sampled.
func (a Access) Readable() bool { return a != AccessWrite }

// Writable says whether the tag may be written at all.
func (a Access) Writable() bool { return a != AccessRead }
