// Package modbustest is a Modbus server for tests that does as it is told:
// it answers late, twice, in pieces, for another unit, with a wrong length or
// not at all, and counts what it was asked. Only tests import it.
//
// It shares no code with the driver, so that an error in one is seen by the
// other.
package modbustest
