// Package trust holds the certificates of OPC UA connections: our own, made
// once and kept in a directory, and the server's, which must be given in a
// file and is never learned from the wire.
//
// Its functions do file I/O and may take a second when they make a key. They
// are safe for concurrent use, also by several processes on one directory. A
// crash leaves either no own certificate or a complete one.
package trust
