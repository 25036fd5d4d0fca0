// Package recorder is the flight recorder of a Modbus link: it keeps the last
// frames with their time, direction and outcome, so that a fault in the field
// can be read afterwards, sent to somebody, and played again.
//
// A Recorder is a wire.Tap: the link tells it each frame, and it copies the
// bytes into a ring that is reused, without allocating once the ring has
// been around. When something goes wrong (no answer, a wrong, late or foreign
// one, noise) it keeps a copy of what lay around that moment: one of the first
// time, and one of the latest, renewed at most every ten minutes, so that a
// fault at night is still there in the morning.
//
// It outlives the connections of its link: whoever runs the link makes one,
// puts it into the context of Open with NewContext, and asks it later. All
// methods are safe for concurrent use and block for no longer than it takes
// to copy a ring.
//
// A Record is written and read as text; FORMAT.md describes it.
package recorder
