// Package inspect reads a buffer's directory from outside: that of a running
// gateway, of one that has stopped, or a copy. It lists what is there, gives
// out the samples, and checks everything that can be checked.
//
// It never writes, never locks and needs no configuration. Of the machine it
// uses no more than opening, listing and reading; it goes on past everything
// that cannot be read, and counts it. A log that is written meanwhile is read
// up to where it was durable; segments that are deleted meanwhile are passed
// over. What lies in a gateway's memory alone, a sync interval of samples at
// most, is not seen.
//
// A Dir is used by one goroutine at a time. Its methods block for as long as
// the disk does and honour their context between two blocks.
package inspect
