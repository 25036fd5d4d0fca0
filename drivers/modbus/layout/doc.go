// Package layout knows how a tag lies in the tables of a Modbus device: how
// its address is written, which registers or bits it takes, and how their
// bytes become a value and back.
//
// It does no I/O, keeps no state and panics on nothing: bytes that form no
// value give an error. A Layout is made once per tag and may be used by any
// goroutine. Decoding a number allocates nothing.
package layout
