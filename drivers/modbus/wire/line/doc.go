// Package line speaks Modbus RTU and Modbus ASCII on a port: a serial port, or
// a TCP connection to a converter, with one request under way at a time.
//
// These framings have no transaction ids, so a late answer looks like the
// answer to whatever was asked last. Every request that was given up is
// therefore remembered, across connections, for as long as its answer may
// still come; meanwhile nothing is sent whose answer could not be told from
// that one.
//
// A Line starts one goroutine, which reads; Close waits for it.
package line
