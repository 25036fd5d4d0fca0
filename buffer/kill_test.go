package buffer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"fieldferry/tag"
)

// exit ends the test binary; as a child it never gets there.
func exit(code int) { os.Exit(code) }

const childEnv = "FIELDFERRY_BUFFER_TEST_CHILD"

// TestKillChild is what the child process runs: it appends numbered samples,
// reads and settles them, and tells on standard output what it may rely on,
// until it is killed.
func TestKillChild(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		return // this process is the parent: TestKillNine starts the child
	}
	c := killConfig(dir)
	b, err := Open(DirFS(), c, quiet())
	if err != nil {
		fmt.Println("failed", err)
		return
	}
	r, err := b.Reader("a", StartOldest)
	if err != nil {
		fmt.Println("failed", err)
		return
	}
	var first int64
	if _, err := fmt.Sscan(os.Getenv(childEnv+"_FIRST"), &first); err != nil {
		fmt.Println("failed", err)
		return
	}
	tags := rigTags(7)
	out := bufio.NewWriter(os.Stdout)
	for v := max(1, first*perRun); ; v++ {
		if err := b.Append([]tag.Sample{sampleFor(tags, v)}); err != nil {
			fmt.Println("failed", err)
			return
		}
		fmt.Fprintln(out, "appended", v)
		if v%3 == 0 {
			es, err := r.Next(ended, make([]Entry, 0, 5))
			if err != nil && !errors.Is(err, context.Canceled) {
				fmt.Println("failed", err)
				return
			}
			for _, e := range es {
				fmt.Fprintln(out, "got", e.Seq, e.Sample.Value)
			}
			if len(es) > 0 && v%2 == 0 {
				r.Settle(es[len(es)-1].Turn)
				fmt.Fprintln(out, "settled", es[len(es)-1].Sample.Value)
			}
		}
		if err := out.Flush(); err != nil {
			return
		}
	}
}

func killConfig(dir string) Config {
	return Config{Dir: filepath.Join(dir, "data"), RuntimeDir: filepath.Join(dir, "run"), MaxBytes: 64 << 20, SyncInterval: 10 * time.Millisecond}
}

// oracle is what the parent knows from the child's words.
type oracle struct {
	t                 *testing.T
	appended, settled int64
	seqs              map[string]string // sequence number -> sample
	ends              map[int64]int64   // run -> last sample it told of
	last              int64             // sample that was handed out last in this run
}

func (o *oracle) hear(line string) {
	f := strings.Fields(line)
	var v int64
	if len(f) < 2 || f[0] == "failed" {
		o.t.Fatalf("child: %s", line)
	}
	if _, err := fmt.Sscan(f[len(f)-1], &v); err != nil {
		o.t.Fatalf("child: %q: %v", line, err)
	}
	switch f[0] {
	case "appended":
		o.appended = v
		o.ends[v/perRun] = v
	case "settled":
		o.settled = v
	case "got":
		if before, ok := o.seqs[f[1]]; ok && before != f[2] {
			o.t.Fatalf("sequence number %s was given to sample %s and to %s", f[1], before, f[2])
		}
		o.seqs[f[1]] = f[2]
		if o.last != 0 && !o.follows(o.last, v, 1) {
			o.t.Fatalf("sample %d after %d", v, o.last)
		}
		if o.last == 0 && !o.follows(o.settled, v, 11) { // the child may not have told of the last one
			o.t.Fatalf("the first sample after the kill is %d, settled was %d", v, o.settled)
		}
		o.last = v
	}
}

// perRun numbers the samples: run times perRun, and upwards.
const perRun = 1_000_000

// follows says that no sample between the two was told of, but for those
// that a slack allows.
func (o *oracle) follows(before, v, slack int64) bool {
	if before/perRun == v/perRun {
		return v > before && v <= before+slack
	}
	for run := before / perRun; run < v/perRun; run++ {
		if o.ends[run]-max(before, run*perRun-1) >= slack {
			return false
		}
	}
	return v%perRun < slack
}

// TestKillNine kills a process that appends, again and again, at any moment:
// nothing that Append returned for is missing, nothing that was settled comes
// again, and no number is used twice.
func TestKillNine(t *testing.T) {
	dir := t.TempDir()
	o := &oracle{t: t, seqs: map[string]string{}, ends: map[int64]int64{}}
	for i := range kills(t) {
		o.last = 0
		runChild(t, dir, o, int64(i), 1+rand.IntN(3000))
		if o.appended == 0 {
			t.Fatalf("run %d: the child appended nothing", i)
		}
	}
	checkKilled(t, killConfig(dir), o)
}

// kills is how often the process is killed: as often as KILLS says.
func kills(t *testing.T) int {
	text, ok := os.LookupEnv("KILLS")
	if !ok {
		return 20
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		t.Fatalf("KILLS is %q, want a number", text)
	}
	return n
}

// runChild runs the child for a number of lines and kills it then.
func runChild(t *testing.T, dir string, o *oracle, run int64, lines int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKillChild$")
	cmd.Env = append(os.Environ(), childEnv+"="+dir, fmt.Sprintf("%s_FIRST=%d", childEnv, run))
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(pipe)
	for n := 0; in.Scan(); n++ {
		if n == lines {
			_ = cmd.Process.Kill() // it ends at once or has ended
		}
		if in.Text() == "PASS" {
			break
		}
		o.hear(in.Text())
	}
	_ = cmd.Wait() // killed
}

// checkKilled opens the log in this process and reads what is left.
func checkKilled(t *testing.T, c Config, o *oracle) {
	b := openDir(t, c)
	defer b.Close()
	r, err := b.Reader("a", StartOldest)
	if err != nil {
		t.Fatal(err)
	}
	o.last = 0
	for {
		es, err := r.Next(ended, nil)
		for _, e := range es {
			o.hear(fmt.Sprint("got ", e.Seq, " ", e.Sample.Value))
		}
		if err != nil {
			break
		}
	}
	if o.last != 0 && o.last < o.appended || o.last == 0 && o.settled+11 < o.appended {
		t.Fatalf("the log ends with sample %d, appended was %d", o.last, o.appended)
	}
	s := b.Stats().Readers[0]
	if total(s.Dropped) > 0 {
		t.Fatalf("samples count as dropped: %v", s.Dropped)
	}
	told := int64(0)
	for run, end := range o.ends {
		told += end - max(1, run*perRun) + 1
	}
	t.Logf("%d kills, %d samples that Append had returned for, none missing; epoch %d", len(o.ends), told, b.Stats().Epoch)
}
