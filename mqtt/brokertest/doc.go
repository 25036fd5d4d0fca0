// Package brokertest is what the tests of the uplink talk to instead of a
// real broker: a broker that misbehaves on request, and a proxy that damages
// the way to a good one. It is used by tests alone.
//
// Everything listens on a free port of 127.0.0.1 and ends with the test that
// started it.
package brokertest
