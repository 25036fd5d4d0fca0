// Package tty opens serial ports for Modbus: for us alone, set to the
// line's speed and format, and with a word when they hang up. The standard
// calls for no more; everything about frames lies in package wire.
//
// The library that opens the port is used in one file. What it cannot do is
// done beside it, through a second descriptor of the same terminal.
package tty
