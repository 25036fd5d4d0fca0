// Package flight is the window of an uplink: which messages are on their way,
// what became of them, and up to where everything is settled.
//
// Messages enter in the order of the buffer. Their outcomes may come in any
// order; what is settled is always a prefix. A refusal alone settles nothing:
// one refused message among others that are taken is that message's fault, and
// it is put aside, but when nothing passes any more it is an outage, and the
// messages stay where they are. So a refused message waits until a later one
// is taken. The limits of that wait are in Fault.
//
// A Window belongs to one connection and is forgotten with it. It is safe for
// concurrent use by one sender (Acquire, Sent, Refuse, Skip), whoever reports
// outcomes (Result) and whoever collects (Changed, Collect, Fault). Only
// Acquire blocks.
package flight
