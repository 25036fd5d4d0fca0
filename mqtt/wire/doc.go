// Package wire is one MQTT 5 connection to a broker, and the only place that
// knows the client library. The package mqtt dials, publishes and subscribes
// through it; a later release of the library, or another one, changes nothing
// outside.
//
// Everything the uplink may not leave to a library is done here. The outcome
// of every publish is reported with its reason code, in the order the broker
// tells (the session). Writes are gathered while the one before is under way,
// and every packet that arrives is measured and checked before the library
// sees it (the conn). The end of a connection has exactly one cause, told in
// words (Error).
//
// A Client lives for one connection: it is never connected twice, and what
// was in flight when it ended is forgotten, for the buffer is the memory.
// Nothing blocks without a deadline: dialing, the handshake, the answer to
// CONNECT and every write to the socket are bounded. A Client is safe for
// concurrent use, except that Send has one caller.
package wire
