package classlog

// perEpoch is more than the samples that a tag can have between two unclean
// ends: a counter stays below that many times the epoch.
const perEpoch = 1 << 32

// CountOnLocked lets the counters of tags go on where they stood. Where it is
// not known which numbers were given they jump to what no run before can have
// given. The end of the main log, which is closed last, tells of all tags.
// Without it the memory that outlived the process must tell of each log that
// was written to, or that no other one was.
func (c *Common) CountOnLocked(main *Log, others []*Log) {
	sure, none := main.tail.Counted, main.tail.Empty
	for _, l := range others {
		t := &l.tail
		none = none && t.Empty
		sure = sure && !main.tail.Empty && (main.tail.Clean || t.Counted && (t.Kept || t.Untouched))
	}
	if !sure && !none {
		c.Counters.Jump(perEpoch, perEpoch*uint64(main.q.Epoch()-1))
	}
}

// CountOnAfterLocked lets all counters jump by at least that much.
func (c *Common) CountOnAfterLocked(by uint64) { c.Counters.Jump(perEpoch+by, 0) }
