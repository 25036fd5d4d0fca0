// Package scripted is an OPC UA server for tests whose every answer is written
// by the test: too few results, the wrong type, silence. It runs in the
// process of the test, on loopback, without security.
//
// Only tests import it. It speaks through the same library as the driver, so
// that it proves how the driver behaves, not that the library is right: the
// independent server of internal/peers/opcua does that.
package scripted
