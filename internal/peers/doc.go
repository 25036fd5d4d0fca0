// Package peers starts foreign programs for the tests of any package: a
// pymodbus server, a mosquitto broker, a pair of connected pseudo terminals.
//
// Only tests import it. Every function fails the test, never skips it, when
// the program is missing or does not come up; every program ends with the
// test, by its process id, and also when the test binary is killed. Nothing
// listens but on loopback, on ports that are free.
package peers
