// Package buffer keeps samples on disk until every uplink has delivered them.
//
// It is three append-only logs in a directory, one for each class of samples,
// read as one by any number of readers, each at its own position. FORMAT.md says what lies on disk and why every
// crash leaves it readable. This package has the locks and the rules: what is
// written and when, who reads, what is dropped. Below it, each plain data for
// whoever holds the lock or is the writer:
//
//	classlog one log: what is written and when
//	retain   which samples go when space or time is up
//	account  what is known of a reader, and of all of them
//	queue    the samples that are not on disk yet; ring, the memory they are in
//	store    the segments on disk: writing, finding, reading them
//	dict     the numbers of tags and reasons
//	tally    the counters of tags; clock, what their times are worth
//	column   the samples of a block, packed; spare, the next segment's file
//	segment  headers and blocks; frame, what lies in a block
//	disk     the machine; fault, one that fails on request
//	size     numbers of bytes as people write them
//
// What Append returned for survives the end of the process at once, and a
// power cut once a sync has followed, at most Config.SyncInterval later; that
// of an alarm begins at once, though Append does not wait for it. What
// every reader has settled before that is never written at all. Sequence
// numbers start at 1, grow, and are never used twice. For every reader, over
// all restarts, appended = delivered + filtered + dropped + put aside +
// pending.
//
// A disk that is full, read-only or broken stops nobody: new samples wait in
// a bounded piece of memory, the oldest of them go first and are counted,
// Stats says so, and writing starts again by itself. Damaged blocks cost the
// samples in them, exactly counted. Nothing that cannot be read is deleted:
// its file is set aside.
//
// A Buffer may be used by any number of goroutines; a Reader by one that
// calls Next and by any number that settle. Append blocks only while its
// memory is full and the disk is busy, for 5 s at most.
package buffer
