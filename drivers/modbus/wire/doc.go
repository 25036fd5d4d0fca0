// Package wire is the link layer of Modbus: it sends one request to one unit
// and returns the answer to that request, or says why there is none. No late,
// foreign or damaged answer is ever returned as the answer.
//
// TCP speaks Modbus TCP, RTU speaks RTU frames over a serial line or a TCP
// connection. Both offer Exchange, which may be called by any goroutine,
// returns soon after its context ends and never waits longer than its
// timeouts, and Close, which interrupts every Exchange. Neither connects
// again: once a link is down it stays down, and a new one is opened.
//
// Every error of Exchange is a *frame.Error that tells what kind of failure it
// was and whether the request may have reached the device.
package wire
