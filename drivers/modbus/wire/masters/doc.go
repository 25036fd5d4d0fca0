// Package masters notices that somebody else asks on a serial line: a second
// master, whose requests and answers collide with ours.
//
// A Watch listens to the frames of a link as a wire.Tap. Proof is a request
// with a right checksum that was not ours; answers that nobody asked for are
// taken for one only when there are several. It says so in the log once, and
// again once an hour while it lasts. An answer that comes twice, which the line
// tells it of, is said likewise; Notes says both to whoever looks.
package masters
