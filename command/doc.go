// Package command is the only way to a write lane: whoever wants to write a
// tag, a broker or a person at the page, asks a Service, which checks access,
// type, range, rate, expiry and repetition, writes, reads back, and records
// what was asked and what became of it.
//
// By default nothing is written: a Service whose Rules do not allow writes
// refuses every request, with the reason. Execute blocks until the device has
// answered or the request has been refused, at most until its context ends;
// a write under way then ends as "unknown". It is safe for concurrent use,
// and writes to one tag are never interleaved. Nothing is queued for a device
// that does not answer, and no write is ever repeated by itself.
package command
