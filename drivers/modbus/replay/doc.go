// Package replay plays a record of a Modbus link as a simulated device: it
// answers each request as it was answered in the field, with the same values,
// exceptions, wrong answers and silences, in the recorded time or at once. A
// field fault becomes a test case.
//
// A Script is made from a record and knows no transport. Serve plays it to
// those who connect, ServePort on a serial line or a pseudo terminal; both
// block until their context ends and leave no goroutine behind.
package replay
