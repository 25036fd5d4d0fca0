// Package modbus is the driver of Modbus TCP, RTU and ASCII, registered as
// modbus-tcp, modbus-rtu and modbus-ascii.
//
// A link is one TCP connection or one serial line with any number of units on
// it. The tags of a device that share a sampling interval are put into block
// reads once (package plan); each read then sends those requests one after
// the other (package wire) and takes the tags out of the answers (package
// layout). No late, foreign or damaged answer ever becomes a value.
//
// A block that the device refuses is taken apart until the tags that it does
// not know stand alone: they alone are bad. A device that does not answer is
// a *drivers.DeviceError, and its neighbours on the link carry on; a
// connection or port that is gone is drivers.ErrLinkDown. A write whose
// outcome is not known says so and is never repeated.
//
// README.md tells users how tags are written.
package modbus
