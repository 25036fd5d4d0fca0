// Package detect is the byte-order detective: it takes registers of a device
// and shows every plausible way to read them, each with the line of a tag map
// that reads it so.
//
// A manual that does not say in which order the words of a float lie, or that
// counts registers from one, costs an afternoon of trying. Readings tries
// every type, byte order, address and usual scale at once, and ranks what
// comes out: first by what the display of the device shows, where somebody
// has typed that in, then by how likely a device would hold such a value.
//
// It does no I/O, keeps no state and panics on no input.
package detect
