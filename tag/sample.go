package tag

import (
	"fmt"
	"time"
)

// Sample is one reading of a tag.
//
// Time is when the device had the value (its source timestamp) or, where it
// tells none, when the answer that carried it arrived; UTC. Read numbers the
// device's read cycles upwards from 1 within one run of the gateway: samples
// of one device with the same Read were read together.
type Sample struct {
	Tag     *Tag
	Value   Value
	Quality Quality
	Time    time.Time
	Read    uint64
	// BySource says that Time is the device's own, not the gateway's: a repair
	// of the gateway's clock does not touch it.
	BySource bool
}

// Quality is how far a sample may be trusted, and why not further. The zero
// value is good.
type Quality struct {
	Level  Level
	Reason string // empty when good, unless something is worth saying; a constant or interned text
}

// Level is the coarse quality. Its numbers are written to disk.
type Level uint8

// The levels, best first.
const (
	Good Level = iota
	Uncertain
	Bad
)

var levelNames = [...]string{Good: "good", Uncertain: "uncertain", Bad: "bad"}

func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("level(%d)", uint8(l))
}

// Reasons that more than one package gives. Drivers add their own words, such
// as the name of an OPC UA status code.
const (
	ReasonStale       = "stale"         // no fresh read within the tag's own limit: the last value stands
	ReasonTimeout     = "timeout"       // the device did not answer
	ReasonDeviceDead  = "device dead"   // it missed several answers in a row
	ReasonLinkDown    = "link down"     // the connection is gone
	ReasonBadAddress  = "bad address"   // the device has no such register or node
	ReasonBadValue    = "bad value"     // the bytes do not form a value of the type
	ReasonNotFinite   = "not finite"    // NaN or an infinity
	ReasonOutOfRange  = "out of range"  // outside the limits of the tag
	ReasonMaintenance = "maintenance"   // somebody works on the device
	ReasonDriver      = "driver fault"  // the driver panicked or broke its contract
	ReasonStarting    = "not read yet"  // the gateway has only just started
	ReasonSource      = "source is bad" // a computed tag lacks a good source
)

// OK is good quality with nothing to add.
func OK() Quality { return Quality{} }

// BadFor is bad quality for a reason.
func BadFor(reason string) Quality { return Quality{Level: Bad, Reason: reason} }

// UncertainFor is uncertain quality for a reason.
func UncertainFor(reason string) Quality { return Quality{Level: Uncertain, Reason: reason} }

func (q Quality) String() string {
	if q.Reason == "" {
		return q.Level.String()
	}
	return q.Level.String() + " (" + q.Reason + ")"
}
