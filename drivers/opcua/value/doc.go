// Package value turns what an OPC UA server sends into values, qualities and
// times of ours, and a value of ours into what a node takes.
//
// It never guesses: a number that does not fit, a date that the library could
// not decode, a structure whose fields are unknown become bad quality with a
// reason, or stay what they are on the wire, but never another value.
//
// Nothing here blocks or panics on outside data, and everything is safe for
// concurrent use. The one thing kept is the list of structure encodings that
// Learn was told, which the library holds once per process.
package value
