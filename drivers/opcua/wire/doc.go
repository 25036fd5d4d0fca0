// Package wire is one OPC UA session over one TCP connection: hello, secure
// channel, session, requests with deadlines, orderly close. It is the fence
// around github.com/gopcua/opcua: its packages uacp and uasc are used here
// and nowhere else, and its Client, with its own reconnecting, is not used at
// all. The data types of package ua are the vocabulary of all our packages.
//
// A Session is opened once and never reconnects: after the first sign that
// the connection is lost, Down is closed and every call fails with
// drivers.ErrLinkDown. Open makes a fresh configuration each time, so that
// nothing a peer sent before can weaken the next attempt.
//
// Every call ends with its context or its own deadline, also while the
// library is stuck in a lock or a write; Close interrupts all of them and
// waits for the goroutines that were started. Methods are safe for concurrent
// use. A panic of the library on one of our goroutines ends the session; one
// on its own goroutines cannot be caught here, which is why a link of this
// driver can run in a child process.
package wire
