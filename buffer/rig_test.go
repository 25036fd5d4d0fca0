package buffer

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"fieldferry/buffer/disk"
	"fieldferry/buffer/fault"
	"fieldferry/tag"
)

// rig is a buffer on a machine that fails, and what the test knows about it.
// Sample number v has the value v; numbers grow with every append, over all
// restarts.
type rig struct {
	t       tester
	m       *fault.Machine
	cfg     Config
	lim     limits
	b       *Buffer
	tags    []*tag.Tag
	next    int64            // number of the next sample
	run     int64            // number of the first sample of this run
	kept    int64            // samples of this run below it survive a kill
	must    map[int64]bool   // samples that must be there
	faulty  bool             // a class may be unreadable on this machine: it comes later than the others
	loose   bool             // some could be kept nowhere but in memory of the process
	given   map[uint64]int64 // sequence number -> sample, of everything handed out
	readers map[string]*rigReader
	num     numbering
	forged  bool // something in the log was written by the test
}

// tester is what a test and a property have in common.
type tester interface {
	Helper()
	Log(args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
}

type rigReader struct {
	r        *Reader
	got      []Entry        // handed out, not settled
	settled  int64          // number of the last settled sample
	done     map[int64]bool // samples that were settled and did not come again
	first    int64          // the first sample that is for the reader
	seen     position       // the last of each class that was handed out
	backlog  position       // the same of the backlog
	split    int64          // samples below it are the backlog
	out      map[int64]bool // handed out since the reader was opened, and not taken back; nil: not looked at
	saved    position       // the same, when last durable
	low      position       // the position is this or later: after a crash settled may be too much
	lastSeen int64          // the last of any class
	apart    bool           // what is settled of the classes does not end at the same sample
}

// position is the last sample that was settled of each class.
type position [classes]int64

// all is the last sample of any class.
func (p position) all() int64 { return slices.Max(p[:]) }

func smallLimits() limits {
	return limits{segment: 8 << 10, ring: 64 << 10, leastRing: 64 << 10, batch: 1 << 30, manual: true}
}

func rigConfig() Config {
	return Config{Dir: "/data", RuntimeDir: "/run/ff", MaxBytes: 1 << 20, SyncInterval: time.Second}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func rigTags(n int) []*tag.Tag {
	link := &tag.Link{Name: "line1"}
	var tags []*tag.Tag
	for i := range n {
		d := &tag.Device{Name: fmt.Sprintf("dev%d", i%3), Link: link, Labels: map[string]string{"site": "x"}}
		class := [...]tag.Class{tag.ClassNormal, tag.ClassBulk, tag.ClassNormal, tag.ClassAlarm, tag.ClassBulk}[i%5]
		tags = append(tags, &tag.Tag{Name: fmt.Sprintf("t%d", i), Class: class, Device: d, Unit: "°C", Labels: map[string]string{"site": "x", "n": fmt.Sprint(i)}})
	}
	return tags
}

func newRig(t tester, cfg Config) *rig {
	g := emptyRig(t, cfg)
	g.open()
	return g
}

func emptyRig(t tester, cfg Config) *rig {
	return &rig{t: t, m: fault.New(), cfg: cfg, lim: smallLimits(), tags: rigTags(7), next: 1, run: 1, must: map[int64]bool{}, given: map[uint64]int64{}, num: newNumbering(), readers: map[string]*rigReader{}}
}

// open opens the buffer and those readers that were there. It returns false
// when the power is gone.
func (g *rig) open() bool {
	g.t.Helper()
	if !g.forged {
		g.consistent()
	}
	b, err := open(g.m, g.cfg, quiet(), g.lim)
	if err != nil {
		if g.m.Cut() {
			return false
		}
		g.t.Fatalf("open: %v", err)
	}
	g.b = b
	g.begins()
	for name, rr := range g.readers {
		r, err := b.Reader(name, StartNow)
		if err != nil {
			g.t.Fatalf("reader %s: %v", name, err)
		}
		rr.r, rr.got = r, nil
	}
	return true
}

func (g *rig) reader(name string, start Start) *rigReader {
	g.t.Helper()
	r, err := g.b.Reader(name, start)
	if err != nil {
		g.t.Fatalf("reader %s: %v", name, err)
	}
	rr := &rigReader{r: r, first: g.next, done: map[int64]bool{}, settled: g.next - 1}
	rr.seenTo(g.next - 1)
	rr.saved, rr.low = rr.seen, rr.seen
	g.readers[name] = rr
	return rr
}

// append adds n samples.
func (g *rig) append(n int) {
	g.t.Helper()
	s := make([]tag.Sample, n)
	for i := range s {
		s[i] = sampleFor(g.tags, g.next+int64(i))
	}
	g.next += int64(n) // before the call: the power may go in the middle of it
	if err := g.b.Append(s); err != nil {
		g.t.Fatalf("append: %v", err)
	}
	// Without shared memory, and without a disk, nothing survives a kill.
	switch st := g.b.Stats(); {
	case g.m.Cut():
	case st.Shared || st.Degraded == nil:
		g.kept = g.next
	default:
		g.loose = true
	}
}

func sampleFor(tags []*tag.Tag, v int64) tag.Sample {
	s := tag.Sample{
		Tag: tags[int(v)%len(tags)], Value: tag.Int(v), Read: uint64(v / 3),
		Time: time.Unix(1_790_000_000+v/2, v*1e6%1e9).UTC(),
	}
	s.BySource = v%13 == 0
	if v%11 == 0 {
		s.Quality = tag.BadFor(tag.ReasonTimeout)
	}
	return s
}

// sync makes everything durable, if it can.
func (g *rig) sync() bool {
	err := g.b.Sync(context.Background())
	if err == nil && !g.m.Cut() {
		g.promise(g.next)
		for _, rr := range g.readers {
			rr.saved = rr.low
		}
	}
	return err == nil
}

// promise notes that the samples of this run below end must be there.
func (g *rig) promise(end int64) {
	for ; g.run < end; g.run++ {
		g.must[g.run] = true
	}
}

// tick lets half a second pass.
func (g *rig) tick() {
	g.m.SetClock(func(c *disk.Clock) { c.Up += g.cfg.SyncInterval / 2; c.Wall = c.Wall.Add(g.cfg.SyncInterval / 2) })
	g.b.tick()
}

var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// read takes up to n samples, as many as are there, and checks them.
func (g *rig) read(rr *rigReader, n int) int {
	g.t.Helper()
	got := 0
	for got < n {
		es, err := rr.r.Next(ended, make([]Entry, 0, min(n-got, 256)))
		if g.m.Cut() {
			return got
		}
		for _, e := range es {
			g.check(rr, e)
		}
		got += len(es)
		if err != nil {
			return got
		}
	}
	return got
}

// check looks at one sample that was handed out: it was appended, it is
// unchanged, it comes in order, and its number is its own.
func (g *rig) check(rr *rigReader, e Entry) {
	v, ok := e.Sample.Value.Integer()
	if !ok || v < 1 || v >= g.next {
		g.t.Fatalf("sample %v was never appended (up to %d were)", e.Sample, g.next-1)
	}
	want := sampleFor(g.tags, v)
	if e.Sample.Tag.Path() != want.Tag.Path() || e.Sample.Quality != want.Quality || !e.Sample.Time.Equal(want.Time) || e.Sample.Read != want.Read || e.Sample.BySource != want.BySource {
		g.t.Fatalf("sample %d: got %v %v, want %v %v", v, e.Sample.Tag.Path(), e.Sample, want.Tag.Path(), want)
	}
	if before, ok := g.given[e.Seq]; ok && before != v {
		g.t.Fatalf("sequence number %d was used for sample %d and for %d", e.Seq, before, v)
	}
	g.given[e.Seq] = v
	g.checkNumber(v, &e)
	if rr.out[v] {
		g.t.Fatalf("sample %d comes a second time", v)
	}
	if rr.out != nil {
		rr.out[v] = true
	}
	if v < rr.split { // of the backlog, which is in order of its own
		if v <= rr.backlog[want.Tag.Class] || !e.Historical {
			g.t.Fatalf("sample %d, historical %v, after %d of the backlog before %d", v, e.Historical, rr.backlog[want.Tag.Class], rr.split)
		}
		rr.backlog[want.Tag.Class] = v
		rr.got = append(rr.got, e)
		return
	}
	last := rr.seen[want.Tag.Class]
	if !g.faulty {
		last = max(last, rr.lastSeen)
	}
	if v <= last {
		g.t.Fatalf("sample %d after %d", v, last)
	}
	rr.lastSeen = max(v, rr.lastSeen)
	rr.seen[want.Tag.Class] = v
	rr.got = append(rr.got, e)
}

// seenTo makes the check of the order begin behind sample v.
func (rr *rigReader) seenTo(v int64) {
	rr.lastSeen = v
	for c := range rr.seen {
		rr.seen[c] = v
	}
}

// settle settles the first n samples that were handed out.
func (g *rig) settle(rr *rigReader, n int) {
	n = min(n, len(rr.got))
	if n == 0 {
		return
	}
	for i, e := range rr.got[:n] {
		switch {
		case e.Seq%7 == 3:
			rr.r.Filtered(e.Turn)
		case i%5 == 4:
			rr.r.PutAside(e.Turn, "too large")
		}
	}
	last := rr.got[n-1]
	rr.r.Settle(last.Turn)
	if g.m.Cut() {
		return
	}
	for _, e := range rr.got[:n] {
		v, _ := e.Sample.Value.Integer()
		c := e.Sample.Tag.Class
		rr.low[c] = max(rr.low[c], v)
		rr.done[v] = true
	}
	rr.settled = rr.low.all()
	rr.got = rr.got[n:]
}

// conserved checks the sum of every reader's account, and that the log keeps
// to its bounds.
func (g *rig) conserved() {
	g.t.Helper()
	st := g.b.Stats()
	if st.Bytes > int64(g.cfg.MaxBytes)+int64(classes)*g.lim.segment || st.InMemory > classes*g.lim.ring {
		g.t.Fatalf("%d bytes on disk and %d in memory, want at most %d and a segment of each class, and %d", st.Bytes, st.InMemory, g.cfg.MaxBytes, classes*g.lim.ring)
	}
	for _, r := range st.Readers {
		for c, a := range append([]Account{r.Account}, r.Classes[:]...) {
			if sum := a.Delivered + a.Filtered + total(a.Dropped) + total(a.PutAside) + a.Pending; a.Appended != sum {
				g.t.Fatalf("reader %s, account %d: appended %d, but the sum of its account is %d: %+v", r.Name, c, a.Appended, sum, r)
			}
			r.Account.Appended -= a.Appended * uint64(min(c, 1))
		}
		if r.Account.Appended != 0 {
			g.t.Fatalf("reader %s: the classes have %d fewer samples appended than their sum: %+v", r.Name, r.Account.Appended, r)
		}
	}
}

func total(m map[string]uint64) (n uint64) {
	for _, c := range m {
		n += c
	}
	return n
}

// afterCrash reads everything that is left and compares it with what must be
// there. With lossy samples may have been dropped, but counted.
func (g *rig) afterCrash(lossy bool) {
	g.t.Helper()
	g.conserved()
	for name, rr := range g.readers {
		rr.again(rr.saved)
		before := g.lost(name)
		g.read(rr, 1<<20)
		there := map[int64]bool{}
		for _, e := range rr.got {
			v, _ := e.Sample.Value.Integer()
			there[v] = true
		}
		missing := uint64(0)
		for v := rr.first; v < g.next; v++ {
			if g.must[v] && !there[v] && !rr.done[v] {
				missing++
			}
			if there[v] {
				delete(rr.done, v)
			}
		}
		lost := g.lost(name)
		if missing > lost {
			g.t.Fatalf("reader %s: %d samples are missing, %d are counted (%d before reading); settled %d, got %d\n%s", name, missing, lost, before, rr.settled, len(rr.got), g.m.Dump())
		}
		if !lossy && lost > 0 {
			g.t.Fatalf("reader %s: %d samples counted as lost, none was: %v", name, lost, g.stats(name))
		}
	}
	g.conserved()
}

func (g *rig) stats(name string) ReaderStats {
	for _, r := range g.b.Stats().Readers {
		if r.Name == name {
			return r
		}
	}
	return ReaderStats{}
}

func (g *rig) lost(name string) uint64 { return total(g.stats(name).Dropped) }

// rewind starts a reader again.
func (g *rig) rewind(rr *rigReader) {
	rr.r.Rewind()
	rr.again(rr.low)
}

// again makes the check of the order begin behind what was settled of each
// class, and of any class, unless one came later than the others.
func (rr *rigReader) again(from position) {
	if rr.out != nil { // what is settled has holes
		from = position{}
	}
	for _, e := range rr.got {
		v, _ := e.Sample.Value.Integer()
		delete(rr.out, v)
	}
	rr.got, rr.low, rr.seen, rr.lastSeen, rr.backlog = nil, from, from, from.all(), position{}
	if rr.apart {
		rr.lastSeen = 0
	}
}

// another says that what fails on this machine does not on the next.
func (g *rig) another() {
	for _, rr := range g.readers {
		rr.apart = rr.apart || g.faulty
	}
	g.faulty = false
}

// reboot cuts the power.
func (g *rig) reboot(rnd *rand.Rand) {
	g.ends(false)
	g.m = g.m.Reboot(rnd)
	g.another()
	g.b = nil
	g.run = g.next
}

// kill kills the process.
func (g *rig) kill() {
	g.ends(g.survives())
	g.promise(g.kept)
	g.m = g.m.Kill()
	g.another()
	g.b = nil
	g.run = g.next
}
