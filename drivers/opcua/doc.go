// Package opcua reads, subscribes and writes nodes of OPC UA servers. It
// registers the driver opcua.
//
// A link is one session over one TCP connection. Its devices are parts of the
// server's address space; each tag names a node. Tags are polled, or the
// server is asked to push them (mode: subscribe); both may be mixed in one
// device. Nodes are named by namespace URI where people are wise, since
// indexes move: the namespace array is read after every connection.
//
// The library github.com/gopcua/opcua is fenced in by drivers/opcua/wire and
// is trusted with nothing but encoding: every call has a deadline, and no
// reconnecting of the library is used. A lost connection ends in
// drivers.ErrLinkDown and a new Open. A server that sends malformed messages
// can still crash the library on goroutines of its own, and so the process:
// links to servers that are not trusted to be sane belong into a child
// process.
package opcua
