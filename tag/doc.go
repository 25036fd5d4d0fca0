// Package tag is the vocabulary of the gateway: links, devices, tags, and the
// samples that are read from them. Every other package may import it; it
// imports nothing of ours.
//
// A Link, a Device and a Tag are built once by the configuration loader and
// are not changed afterwards: they may be read by any goroutine without a
// lock, and compared by pointer. A changed tag map makes new ones. A Sample
// and a Value are small structs that are copied; a numeric sample never
// allocates.
//
// Nothing here blocks, and nothing panics on outside data.
package tag
