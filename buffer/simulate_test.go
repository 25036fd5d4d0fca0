//go:build !race

package buffer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"fieldferry/buffer/fault"
	"fieldferry/buffer/inspect"
	"fieldferry/tag"
)

// wantStates is how many crash states are tried: as many as CRASH_STATES says,
// otherwise what takes some ten seconds of one processor.
func wantStates(t *testing.T) int64 {
	text, ok := os.LookupEnv("CRASH_STATES")
	if !ok {
		return 100_000
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		t.Fatalf("CRASH_STATES is %q, want a number of states", text)
	}
	return n
}

// firstSeed is that of the first workload; CRASH_SEED repeats one that failed.
func firstSeed(t *testing.T) uint64 {
	text, ok := os.LookupEnv("CRASH_SEED")
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 40)
	if err != nil {
		t.Fatalf("CRASH_SEED is %q, want a number", text)
	}
	return n
}

// TestCrashStates cuts the power at every operation of many small workloads
// that changes something on disk, each time with much different luck, and
// looks at what the next run makes of it: nothing that was promised is
// missing, nothing is there that was not appended, the order is that of Append,
// every account adds up, and new sequence numbers are new. Some of the states
// are used further, and the power is cut there once more.
func TestCrashStates(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // a state lives for a moment
	var states, used atomic.Int64
	t.Run("cases", func(t *testing.T) {
		for _, c := range simCases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				s := simulation{t: t, seen: map[uint64]bool{}, lossy: c.lossy, fails: c.fails, want: wantStates(t) / int64(len(simCases))}
				for seed := firstSeed(t); s.states < s.want; seed++ {
					s.run(c.cfg, seed)
				}
				states.Add(s.states)
				used.Add(s.used)
			})
		}
	})
	t.Logf("%d different crash states recovered and checked, %d of them used further and cut again", states.Load(), used.Load())
}

// simCases are those of the other tests, with less room where they drop, and
// one whose disk fails now and then before the power does.
var simCases = []struct {
	name         string
	cfg          func(*Config)
	lossy, fails bool
}{
	{"shared memory", func(*Config) {}, false, false},
	{"written through", func(c *Config) { c.RuntimeDir = "" }, false, false},
	{"dropping", func(c *Config) { c.MaxBytes = 20 << 10 }, true, false},
	{"dropping for age, written through", func(c *Config) { c.RuntimeDir, c.MaxAge = "", time.Second }, true, false},
	{"failing disk", func(*Config) {}, false, true},
}

// simulation is the count of states of one kind of workload.
type simulation struct {
	t            *testing.T
	lossy, fails bool
	want         int64
	states, used int64
	seed         uint64
	seen         map[uint64]bool // states of this moment
}

// Sizes of a workload: small ones, because a state costs what is in its log.
const (
	simSteps  = 30
	simLucks  = 10  // states per operation, at most
	simReused = 128 // of so many states one is used further
)

// run tries the states of one workload.
func (s *simulation) run(change func(*Config), seed uint64) {
	cfg := rigConfig()
	change(&cfg)
	g := emptyRig(s.t, cfg)
	g.lim.segment, g.lim.ring = 6<<10, 8<<10
	if s.fails {
		g.lim.ring = 32 << 10 // for what waits
	}
	s.seed = seed
	work := rand.New(rand.NewPCG(seed, 5))
	g.open()
	g.reader("a", StartNow)
	g.reader("slow", StartNow)
	g.sync()
	g.m.Watch(func(at *fault.Moment) { s.cut(g, at) })
	if s.fails {
		g.m.Plan(nowAndThen(rand.New(rand.NewPCG(seed, 6))))
	}
	simWork(g, work)
	g.m.Watch(nil)
	g.m.Plan(nil)
	if err := g.b.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// nowAndThen makes one of thirty changes fail. What only reads does not: a
// class that cannot be read comes later than the others.
func nowAndThen(rnd *rand.Rand) func(int, string, string) error {
	return func(_ int, kind, name string) error {
		if kind != "read" && kind != "open" && (kind == "syncdir" || strings.HasSuffix(name, ".seg")) && rnd.IntN(30) == 0 {
			return syscall.EIO
		}
		return nil
	}
}

// simWork is work with fewer samples.
func simWork(g *rig, rnd *rand.Rand) {
	a, slow := g.readers["a"], g.readers["slow"]
	for range simSteps {
		switch rnd.IntN(8) {
		case 0, 1:
			g.append(1 + rnd.IntN(12))
		case 2:
			g.append(40)
		case 3:
			g.tick()
		case 4, 5:
			g.sync()
		case 6:
			g.read(a, 1000)
			g.settle(a, len(a.got))
		case 7:
			n := 1 + rnd.IntN(30)*rnd.IntN(30)
			g.read(slow, n)
			g.settle(slow, rnd.IntN(n+1))
		}
	}
}

// cut tries the states that a power cut in this moment may leave.
func (s *simulation) cut(g *rig, at *fault.Moment) {
	if s.states >= s.want {
		return
	}
	k := know(g)
	op := at.Op()
	clear(s.seen)
	for luck := range min(1+at.Unsynced(), simLucks) {
		rnd := rand.New(rand.NewPCG(s.seed<<20|uint64(op), uint64(luck)))
		m := at.Reboot(rnd)
		sum := m.Sum()
		if s.seen[sum] {
			continue // the same state again counts for nothing
		}
		s.seen[sum] = true
		s.states++
		chance := (int64(s.seed)*1009 + int64(op)*31 + int64(luck)) % simReused
		if chance == simReused/2 && !s.lossy {
			if err := openTwice(g, m); err != nil {
				s.t.Fatalf("seed %d, operation %d, luck %d: %v", s.seed, op, luck, err)
			}
			continue
		}
		if chance == 0 {
			s.used++
			g.fork(fmt.Sprintf("seed %d, operation %d, luck %d", s.seed, op, luck), func(g *rig) {
				g.m, g.b, g.run = m, nil, g.next
				g.lim.ring = smallLimits().ring // survive appends much at once
				survive(g, rnd, s.lossy)
			})
			continue
		}
		if err := k.check(m, s.lossy); err != nil {
			s.t.Fatalf("seed %d, operation %d, luck %d: %v", s.seed, op, luck, err)
		}
	}
}

// knowledge is what the rig knows in one moment, for many checks: they only
// read it.
type knowledge struct {
	g    *rig
	must []bool // by sample
	head uint64 // the last sequence number that was handed out
}

func know(g *rig) *knowledge {
	k := &knowledge{g: g, must: make([]bool, g.next)}
	for v := range g.must {
		k.must[v] = true
	}
	for seq := range g.given {
		k.head = max(k.head, seq)
	}
	return k
}

// check verifies the log on m from outside, opens it and compares it with what
// is known.
func (k *knowledge) check(m *fault.Machine, lossy bool) error {
	if err := verify(m, k.g.cfg.Dir); err != nil && !errors.Is(err, inspect.ErrNone) {
		return fmt.Errorf("%w\n%s", err, m.Dump())
	}
	b, err := open(m, k.g.cfg, quietLog, k.g.lim)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	readers := make(map[string]*Reader, len(k.g.readers))
	missing := make(map[string]int64, len(k.g.readers))
	for name, rr := range k.g.readers {
		if readers[name], err = b.Reader(name, StartNow); err != nil {
			return fmt.Errorf("reader %s: %w", name, err)
		}
		if missing[name], err = k.drain(readers[name], rr, lossy); err != nil {
			return fmt.Errorf("reader %s: %w\n%s", name, err, m.Dump())
		}
	}
	if err := k.checkNew(b, readers); err != nil {
		return err
	}
	for _, st := range b.Stats().Readers {
		if sum := st.Delivered + st.Filtered + total(st.Dropped) + total(st.PutAside) + st.Pending; st.Appended != sum {
			return fmt.Errorf("reader %s: appended %d, but the sum of the account is %d: %+v", st.Name, st.Appended, sum, st)
		}
		if st.Pending > 0 || st.Dropped["missing"]+st.Dropped["damaged"] > 0 {
			return fmt.Errorf("reader %s: %d samples pending, want none; missing or damaged: %v, want none\n%s", st.Name, st.Pending, st.Dropped, m.Dump())
		}
		if lost, n := total(st.Dropped), missing[st.Name]; n > int64(lost) || !lossy && lost > 0 {
			return fmt.Errorf("reader %s: %d promised samples are missing, %v are counted\n%s", st.Name, n, st.Dropped, m.Dump())
		}
	}
	return nil
}

var quietLog = quiet()

// drain reads everything that is left for one reader and returns how many of
// the samples are missing that must be there. Where nothing may be dropped
// what is left of a class has no holes: a power cut costs the end.
func (k *knowledge) drain(r *Reader, rr *rigReader, lossy bool) (missing int64, err error) {
	there := make([]bool, k.g.next)
	last, lastSeq, turn := rr.saved.all(), uint64(0), uint64(0)
	for {
		es, _ := r.Next(ended, make([]Entry, 0, 64))
		for i := range es {
			if last, err = k.checkEntry(&es[i], last, lastSeq); err != nil {
				return 0, err
			}
			there[last], lastSeq, turn = true, es[i].Seq, es[i].Turn
		}
		if len(es) == 0 {
			break
		}
	}
	r.Settle(turn)
	for v := rr.settled + 1; v < k.g.next; v++ {
		if k.must[v] && !there[v] {
			missing++
		}
	}
	if lossy {
		return missing, nil
	}
	return missing, k.holes(there, rr.settled+1)
}

// holes finds a sample that is not there between two of its class that are,
// of those from first on: what all have settled need never have been written.
func (k *knowledge) holes(there []bool, first int64) error {
	begun, gone := map[tag.Class]bool{}, map[tag.Class]int64{}
	for v := first; v < k.g.next; v++ {
		class := k.g.tags[int(v)%len(k.g.tags)].Class
		switch {
		case there[v] && gone[class] > 0:
			return fmt.Errorf("sample %d is there, sample %d before it is not", v, gone[class])
		case there[v]:
			begun[class] = true
		case begun[class]:
			gone[class] = v
		}
	}
	return nil
}

// openTwice opens the log, kills the process at once and opens it again: the
// samples and their numbers are the same.
func openTwice(g *rig, m *fault.Machine) error {
	var lists [2]string
	for i := range lists {
		b, err := open(m, g.cfg, quietLog, g.lim)
		if err != nil {
			return fmt.Errorf("open for time %d: %w", i+1, err)
		}
		r, err := b.Reader("a", StartNow)
		if err != nil {
			return err
		}
		for {
			es, _ := r.Next(ended, make([]Entry, 0, 64))
			for _, e := range es {
				lists[i] += fmt.Sprint(e.Seq, "=", e.Sample.Value, " ")
			}
			if len(es) == 0 {
				break
			}
		}
		m = m.Kill()
	}
	if lists[0] != lists[1] {
		return fmt.Errorf("the log changes when it is opened again:\nfirst  %s\nsecond %s", lists[0], lists[1])
	}
	return nil
}

// checkNew appends a sample, which comes to all readers and has a number of
// its own. It is settled: gaps are counted when the position has passed them.
func (k *knowledge) checkNew(b *Buffer, readers map[string]*Reader) error {
	if err := b.Append([]tag.Sample{sampleFor(k.g.tags, k.g.next)}); err != nil {
		return err
	}
	for name, r := range readers {
		es, _ := r.Next(ended, make([]Entry, 0, 2))
		if len(es) != 1 {
			return fmt.Errorf("reader %s: %d samples came, want the new one", name, len(es))
		}
		if es[0].Seq <= k.head {
			return fmt.Errorf("a new sample has the number %d, but %d was handed out", es[0].Seq, k.head)
		}
		r.Settle(es[0].Turn)
	}
	return nil
}

// checkEntry looks at one sample behind another and returns its number.
func (k *knowledge) checkEntry(e *Entry, last int64, lastSeq uint64) (int64, error) {
	v, ok := e.Sample.Value.Integer()
	if !ok || v < 1 || v >= k.g.next {
		return 0, fmt.Errorf("sample %v was never appended (up to %d were)", e.Sample, k.g.next-1)
	}
	if v <= last || e.Seq <= lastSeq {
		return 0, fmt.Errorf("sample %d with number %d after %d with %d", v, e.Seq, last, lastSeq)
	}
	want := sampleFor(k.g.tags, v)
	if e.Sample.Tag.Path() != want.Tag.Path() || e.Sample.Quality != want.Quality || !e.Sample.Time.Equal(want.Time) || e.Sample.Read != want.Read || e.Sample.BySource != want.BySource {
		return 0, fmt.Errorf("sample %d: got %v %v, want %v %v", v, e.Sample.Tag.Path(), e.Sample, want.Tag.Path(), want)
	}
	if before, ok := k.g.given[e.Seq]; ok && before != v {
		return 0, fmt.Errorf("sequence number %d was used for sample %d and for %d", e.Seq, before, v)
	}
	return v, nil
}
