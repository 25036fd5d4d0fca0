// Package opcuapeer starts the independent OPC UA server of
// internal/peers/opcua for the tests of any package.
//
// Only tests import it. Start fails the test, never skips it, when Node or the
// server's packages are missing. The server listens on a free port of
// loopback, ends with the test by its process id, and also when the test
// binary is killed: its standard input closes.
package opcuapeer
