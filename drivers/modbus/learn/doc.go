// Package learn keeps what a link has found out about its devices: registers
// that a device does not have, the longest block that it answers, the pause
// that it needs. The planner goes round these; a person can read them, edit
// the file while the gateway is stopped, and have them forgotten.
//
// A fact is learnt from a refusal alone, never from silence, a busy device or
// an answer that may be late. Each is tried again after a while, so that a
// device with new firmware heals by itself: a tag that was refused after a
// minute at first and after six hours at last, anything else after a day at
// first and after a week at last. What a person wrote without `retry` stays.
//
// The facts of a link are one small JSON file, written whole and atomically:
// a power cut leaves the old one or the new one. A file that cannot be read
// is set aside under another name and said, never deleted, and the link
// starts with no facts.
//
// A Store is safe for concurrent use; only Open and Save touch the disk.
package learn
