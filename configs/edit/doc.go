// Package edit changes single settings in the text of a tag map. It splices
// at the positions of the parsed nodes, so that every line that is not
// concerned stays byte-identical, comments and all; a comment on the line of
// a removed setting goes with it.
//
// After every edit the text is parsed again and compared: a change that would
// touch anything but what was asked for is refused, never written. What
// cannot be edited safely (a device of an `each` entry, anchors) is an error
// that says so. Whether the new values make sense is for configs.Load to say.
package edit
