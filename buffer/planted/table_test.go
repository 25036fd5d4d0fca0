//go:build proof

package planted

// suite is a selection of tests that must see a bug.
type suite struct{ pkg, tests string }

// Suites: as few different ones as will do, since each is run without a bug
// too.
var (
	states  = suite{"buffer", "^TestCrashStates$"}
	faults  = suite{"buffer", "FullDisk|NotRetried|Unreadable|WithoutDisk|ClockJumps|OneProcess|FreeFloor"}
	failing = suite{"buffer", "EveryOperationFails"}
	kills   = suite{"buffer", "KillAtEveryOperation|KillNine"}
	damage  = suite{"buffer", "PageDestroyed|BitFlips|HeadersGone|EverythingGone|FileGone"}
	drops   = suite{"buffer", "DropIsDurable|LowerClassGoesFirst"}
	counts  = suite{"buffer", "CountersGoOn|CounterMoves"}
	lanes   = suite{"buffer", "LiveFirst|SplitsAreBounded"}
	wakes   = suite{"buffer", "AlarmIsSynced|OldSpare"}
	memory  = suite{"buffer/ring", "."}
	blocks  = suite{"buffer/segment", "."}
)

// bug is one that is planted: in file the text was is replaced by now.
type bug struct {
	name, file, was, now string
	suite                suite
}

var bugs = []bug{
	{
		"acknowledged before the sync", "buffer/store/write.go",
		"if err := w.file.Sync(); err != nil {", "if err := error(nil); err != nil {", states,
	},
	{
		"no directory sync", "buffer/store/write.go",
		"err = s.fs.SyncDir(s.dir)", "err = nil", states,
	},
	{
		"checksum not looked at", "buffer/segment/block.go",
		"if crc32.Update(sum, table, payload) != le.Uint32(p[blockHeader-4:]) {",
		"if crc32.Update(sum, table, payload) == 0 && le.Uint32(p[blockHeader-4:]) == 1 {", states,
	},
	{
		"checksum of the header alone: zeroed sectors pass", "buffer/segment/block.go",
		"if crc32.Update(sum, table, payload) != le.Uint32(p[blockHeader-4:]) {",
		"if crc32.Update(sum, table, payload) != le.Uint32(p[blockHeader-4:]) && stored > 0 && payload[stored-1] != 0 {", states,
	},
	{
		"stale blocks of other files pass", "buffer/segment/header.go",
		"return Key(crc32.Checksum(b[:], table))", "return 0", blocks,
	},
	{
		"file deleted before its drop is recorded", "buffer/classlog/commit.go",
		"	if err := l.store.Begin(h, snapshot, l.counts()); err != nil {", "	l.store.Delete()\n	if err := l.store.Begin(h, snapshot, l.counts()); err != nil {", drops,
	},
	{
		"file deleted before its drop for age is recorded", "buffer/classlog/retain.go",
		"	if len(l.w.drops) > 0 {\n		_ = l.TryCommit()", "	l.store.Delete()\n	if len(l.w.drops) > 0 {\n		_ = l.TryCommit()", drops,
	},
	{
		"sequence numbers go on after a power cut", "buffer/buffer.go",
		"	if torn {\n		b.c.Seq += epochGap\n	}\n", "", states,
	},
	{
		"a failed sync is tried again", "buffer/store/write.go",
		"if err := w.file.Sync(); err != nil {", "if err := w.file.Sync(); err != nil && w.file.Sync() != nil {", faults,
	},
	{
		"age by the wall clock", "buffer/buffer.go",
		"b.c.Now += b.c.Clock.Until(c)", "b.c.Now += max(0, c.Wall.Sub(b.c.Clock.Wall))", faults,
	},
	{
		"positions durable before their samples", "buffer/classlog/commit.go",
		"	for more := true; more; {", "	if accounts {\n		l.c.Mu.Lock()\n		l.w.saving = l.book.Save()\n		l.c.Mu.Unlock()\n		l.putAccounts()\n		if err := l.store.Sync(); err != nil {\n			return err\n		}\n	}\n	for more := true; more; {", states,
	},
	{
		"positions not saved", "buffer/classlog/commit.go",
		"	frames = append(frames, l.book.Frames()...)\n", "", states,
	},
	{
		"blocks behind a torn one pass", "buffer/store/recover.go",
		"if last && off >= proven {", "if last && off >= proven && off < 0 {", states,
	},
	{
		"a torn end is not rewritten", "buffer/store/recover.go",
		"s.settle(df, f, min(proven, off), off)", "_ = proven", kills,
	},
	{
		"deleted before that is durable", "buffer/classlog/retain.go",
		"passed := l.book.PassedDurably", "passed := l.book.Passed", drops,
	},
	{
		"memory freed before the sync", "buffer/classlog/commit.go",
		"	return l.store.Flush()\n", "	l.c.Mu.Lock()\n	l.durableLocked()\n	l.c.Mu.Unlock()\n	return l.store.Flush()\n", failing,
	},
	{
		"goes on behind a failed sync", "buffer/classlog/commit.go",
		"l.store.GiveUp(l.diskOrd, l.diskSeq)", "l.store.GiveUp(l.store.Next(), l.diskSeq)", failing,
	},
	{
		"loss in memory not counted", "buffer/classlog/append.go",
		"		l.book.Lost(h.From, h.To, ReasonDisk)\n", "		l.book.Lost(h.From, h.From, ReasonDisk)\n", faults,
	},
	{
		"damage counted one short", "buffer/lane.go",
		"n: to - c.next, kind: account.Lost", "n: max(to-c.next, 2) - 1, kind: account.Lost", damage,
	},
	{
		"commit word before the frames", "buffer/ring/ring.go",
		"	rec.Frames = append(rec.Frames, frames...)\n	rec.Count += count\n	commit := uint64(rec.Count)<<32 | uint64(uint32(len(rec.Frames)))\n	atomic.StoreUint64(word(r.data[rec.off+56:]), commit)\n",
		"	rec.Count += count\n	commit := uint64(rec.Count)<<32 | uint64(uint32(len(rec.Frames)+len(frames)))\n	atomic.StoreUint64(word(r.data[rec.off+56:]), commit)\n	rec.Frames = append(rec.Frames, frames...)\n", memory,
	},
	{
		"settled in memory only", "buffer/reader.go",
		"		if changed[c] {\n			l.KeepLocked(r.a[c])\n		}\n", "		_, _ = c, l\n", kills,
	},
	{
		"dictionary behind its samples", "buffer/queue/queue.go",
		"		q.save(e)\n	}\n	why", "	}\n	why", kills,
	},
	{
		"two processes on one directory", "buffer/fault/vanish.go",
		"	if m.locked[dir] != nil {", "	if m.locked[dir] == m.locked[dir] && false {", faults,
	},
	{
		"higher class dropped first", "buffer/retain/retain.go",
		"	for _, l := range logs {\n		if x, ok := l.Oldest(); ok {", "	for i := range logs {\n		l := logs[len(logs)-1-i]\n		if x, ok := l.Oldest(); ok {", drops,
	},
	{
		"number of a tag reused after a power cut", "buffer/classlog/count.go",
		"if !sure && !none {", "if !sure && !none && false {", counts,
	},
	{
		"higher class dropped for a lower one's next segment", "buffer/retain/retain.go",
		"	if l.Begun() {", "	if false {", drops,
	},
	{
		"alarm not synced at once", "buffer/buffer.go",
		"b.alarm = b.alarm || class == tag.ClassAlarm", "b.alarm = b.alarm && class == tag.ClassAlarm", wakes,
	},
	{
		"old spare file taken as a segment", "buffer/store/recover.go",
		"			_ = s.fs.Remove(s.path(name)) // or by the next Allocate\n",
		"			old := segment.Header{Log: 1, ID: 1}\n			_ = s.fs.Rename(s.path(name), s.path(old.Name()))\n			name = old.Name()\n", wakes,
	},
	{
		"backlog sample handed out twice over both lanes", "buffer/split.go",
		"live.from, back.to = head, head", "live.from, back.to = head-min(head, 3), head", lanes,
	},
	{
		"position of a lane lost", "buffer/frame/meta.go",
		"r.Ahead = readRanges(in, r.Ord)", "_ = readRanges(in, r.Ord)", lanes,
	},
}
