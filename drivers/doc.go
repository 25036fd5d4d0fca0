// Package drivers is the contract between the gateway and the protocols that
// it speaks, and the registry of those protocols.
//
// A protocol is one folder below this one. It implements Driver, registers
// itself by name in init, and is named once in drivers/all. The package
// drivers/acquire runs links for any driver; a driver only opens a
// connection, prepares requests and reads. It never schedules, retries a
// whole cycle, reconnects, or decides that a device is dead.
//
// Three faults are told apart everywhere. The tag is wrong: the driver
// appends a sample of bad quality and returns no error. The device is silent:
// it returns a *DeviceError, and its neighbours on the link carry on. The
// link is gone: it returns an error that wraps ErrLinkDown, and the link is
// closed and opened again.
//
// Every call that talks to a device takes a context, returns within 100 ms of
// its end, and never blocks without a deadline of its own. All methods of one
// Conn and of its Groups are called from one goroutine at a time, except
// Close and the interfaces that say otherwise.
package drivers
