// Package mapping turns what drivers read into what the gateway tells: it
// scales, checks limits, decides which reads are worth publishing, and keeps
// the latest sample of every tag in live.
//
// A link has one Table, compiled once from its tags and indexed by tag.Index.
// A sample passes these steps, in order:
//
//	raw -> scale, offset -> finite? -> limits -> maintenance -> worth publishing? -> live, buffer
//
// Quality goes along. A bad sample has no value, whatever the driver put
// there. A value that is NaN or infinite becomes bad ("not finite"), one
// outside min and max uncertain ("out of range"), every sample of a device in
// maintenance at most uncertain ("maintenance"), and a tag without a fresh
// read within its own limit uncertain ("stale") with its last value.
//
// A sample is published when it is the first of its tag, when its quality or
// reason changed, when its value left the deadband around the last published
// one, and when max_interval has passed. A tag without a deadband publishes
// every read. min_interval holds values back, and the newest one held back is
// published as soon as it may be; it never holds back a change of quality. A
// bad or stale tag is published once, and again after each max_interval.
//
// A Table is used by one goroutine at a time: it holds no lock, starts no
// goroutine, does no I/O, and allocates nothing for a numeric sample. The
// clock is given to it, and only differences of its times are used, so that a
// clock that is set does not disturb a deadband.
package mapping
