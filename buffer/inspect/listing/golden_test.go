package listing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"fieldferry/buffer"
	"fieldferry/buffer/fault"
	"fieldferry/buffer/inspect"
	"fieldferry/buffer/inspect/export"
	"fieldferry/buffer/inspect/listing"
	"fieldferry/tag"
)

var update = flag.Bool("update", false, "write what the tests get into testdata")

const dir = "/data"

// words are bytes that no compression makes shorter.
func words(rnd *rand.Rand) tag.Value {
	p := make([]byte, 600)
	for i := range p {
		p[i] = byte(rnd.Uint32())
	}
	return tag.Bytes(p)
}

// fill makes a log with several segments, two readers, and the samples of three
// devices; more than some 18,000 samples are more than it may keep.
func fill(t *testing.T, m *fault.Machine, samples int) *buffer.Buffer {
	t.Helper()
	c := buffer.Config{Dir: dir, MaxBytes: 8 << 20, SyncInterval: 10 * time.Minute}
	b, err := buffer.Open(m, c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	fast, slow := reader(t, b, "fast"), reader(t, b, "slow")
	tags := plant()
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := 0; n < samples; {
		var s []tag.Sample
		for range 100 {
			v := tag.Sample{Tag: tags[n%len(tags)], Value: words(rnd), Read: uint64(n / 3), Time: time.Unix(1_790_000_000, int64(n)*1_234_567).UTC()}
			if n%11 == 0 {
				v.Value, v.Quality = tag.Value{}, tag.BadFor(tag.ReasonTimeout)
			}
			s = append(s, v)
			n++
		}
		if err := b.Append(s); err != nil {
			t.Fatal(err)
		}
		if err := b.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n == 300 {
			settle(t, fast, 250)
			settle(t, slow, 20)
			if err := b.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b
}

func plant() (tags []*tag.Tag) {
	link := &tag.Link{Name: "line1"}
	for _, d := range []string{"press", "pump", "meter"} {
		dev := &tag.Device{Name: d, Link: link}
		for _, n := range []string{"a", "b", "c"} {
			tags = append(tags, &tag.Tag{Name: n, Device: dev, Unit: "°C"})
		}
	}
	return tags
}

func reader(t *testing.T, b *buffer.Buffer, name string) *buffer.Reader {
	t.Helper()
	r, err := b.Reader(name, buffer.StartOldest)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// settle settles n samples, one of which is put aside.
func settle(t *testing.T, r *buffer.Reader, n int) {
	t.Helper()
	for left := n; left > 0; {
		es, err := r.Next(t.Context(), make([]buffer.Entry, 0, left))
		if err != nil {
			t.Fatal(err)
		}
		if left == n {
			r.PutAside(es[0].Turn, "too large")
		}
		r.Settle(es[len(es)-1].Turn)
		left -= len(es)
	}
}

// segments lists the files of the class normal, oldest first.
func segments(t *testing.T, m *fault.Machine) []string {
	t.Helper()
	var out []string
	in := filepath.Join(dir, "normal")
	names, err := m.ReadDir(in)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	for _, n := range names {
		if strings.HasSuffix(n, ".seg") {
			out = append(out, filepath.Join(in, n))
		}
	}
	if len(out) < 2 {
		t.Fatalf("segments: %q, want two at least", out)
	}
	return out
}

// garbage overwrites a piece of a file.
func garbage(m *fault.Machine, name string, from, n int) {
	rnd := rand.New(rand.NewPCG(3, 4))
	m.Damage(name, func(p []byte) {
		for i := from; i < min(from+n, len(p)); i++ {
			p[i] = byte(rnd.Uint32())
		}
	})
}

var cases = []struct {
	name    string
	samples int
	close   bool
	harm    func(t *testing.T, m *fault.Machine, files []string)
	worst   inspect.Level
	settled int // samples that every reader had settled, and whose file was deleted
}{
	{"clean", 6000, true, nil, inspect.Note, 0},
	{"running", 6000, false, nil, inspect.Note, 0},
	{"dropped", 22000, true, nil, inspect.Loss, 20},
	{"page", 6000, true, func(_ *testing.T, m *fault.Machine, f []string) { garbage(m, f[0], 40*4096, 4096) }, inspect.Loss, 0},
	{"header", 6000, true, func(_ *testing.T, m *fault.Machine, f []string) { garbage(m, f[1], 0, 4096) }, inspect.Loss, 0},
	{"dictionary", 6000, true, func(_ *testing.T, m *fault.Machine, f []string) { garbage(m, f[0], 4096+200, 100) }, inspect.Loss, 0},
	{"file gone", 6000, true, func(t *testing.T, m *fault.Machine, f []string) {
		if err := m.Remove(f[1]); err != nil {
			t.Fatal(err)
		}
	}, inspect.Loss, 0},
	{"set aside", 6000, true, func(t *testing.T, m *fault.Machine, f []string) {
		if err := m.Rename(f[0], f[0]+".bad"); err != nil {
			t.Fatal(err)
		}
	}, inspect.Loss, 0},
}

// TestGolden lists and verifies whole and damaged directories, and compares
// with testdata. What export gives out and what verify counts as lost make up
// what was appended, exactly.
func TestGolden(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := fault.New()
			b := fill(t, m, c.samples)
			if c.close {
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
			} else {
				defer b.Close()
			}
			if c.harm != nil {
				c.harm(t, m, segments(t, m))
			}
			d, err := inspect.Open(m, dir)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, c.name, look(t, d, c.worst))
			conserved(t, d, c.samples-c.settled)
		})
	}
}

// look is what ls and verify print.
func look(t *testing.T, d *inspect.Dir, worst inspect.Level) string {
	t.Helper()
	var out bytes.Buffer
	l, err := listing.List(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Text(&out); err != nil {
		t.Fatal(err)
	}
	v, got, err := listing.Verify(t.Context(), d, &out)
	if err != nil {
		t.Fatal(err)
	}
	if got != worst || v.Result != worst.Verdict() {
		t.Errorf("the worst finding is %v (%s), want %v\n%s", got, v.Result, worst, &out)
	}
	if _, err := json.Marshal([]any{l, v}); err != nil {
		t.Error(err)
	}
	return out.String()
}

// conserved compares what can be read and what is counted as lost with what
// was appended.
func conserved(t *testing.T, d *inspect.Dir, appended int) {
	t.Helper()
	sum, err := d.Verify(t.Context(), func(inspect.Finding) {})
	if err != nil {
		t.Fatal(err)
	}
	n, last := uint64(0), uint64(0)
	lost, err := d.Samples(t.Context(), inspect.Filter{Aside: true}, func(s *inspect.Sample) error {
		if n++; s.Seq <= last {
			return fmt.Errorf("sample %d after %d", s.Seq, last)
		}
		last = s.Seq
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n+sum.Dropped+lost.Samples != uint64(appended) {
		t.Errorf("%d samples read, %d lost (%d by verify), %d dropped by record: not the %d that were appended", n, lost.Samples, sum.Damaged, sum.Dropped, appended)
	}
}

// changing is what is drawn at random, and sizes: how many blocks there are
// depends on when the buffer finds the time to write.
var changing = []struct {
	of *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`[0-9a-f]{16}(\.seg|,)`), "LOG$1"},
	{regexp.MustCompile(`[0-9.]+ [KM]iB|(?m:  \d{6,7}$)`), "  SIZE"},
	{regexp.MustCompile(`\d+ blocks`), "N blocks"},
	{regexp.MustCompile(` at \d{4,}: \d+ bytes`), " at OFFSET: N bytes"},
	{regexp.MustCompile(` at \d{4,}: recorded`), " at OFFSET: recorded"},
	{regexp.MustCompile(` +`), " "},
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	for _, c := range changing {
		got = c.of.ReplaceAllString(got, c.by)
	}
	file := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s (write it with -update)\n got:\n%s\nwant:\n%s", file, got, want)
	}
}

// TestContradiction: a log whose account does not add up is inconsistent. The
// account is that of a segment whose samples are taken away, footer and all.
func TestContradiction(t *testing.T) {
	m := fault.New()
	if err := fill(t, m, 6000).Close(); err != nil {
		t.Fatal(err)
	}
	files := segments(t, m)
	// The third segment takes the place, and the number, of the second.
	swapped := strings.Replace(files[2], "/00000003-", "/00000002-", 1)
	if err := m.Rename(files[2], swapped); err != nil {
		t.Fatal(err)
	}
	d, err := inspect.Open(m, dir)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, worst, err := listing.Verify(t.Context(), d, &out); err != nil || worst == inspect.Note {
		t.Errorf("a file under a false name: %v (%v)\n%s", worst, err, &out)
	}
}

// TestExportPastDamage: every page destroyed, one after the other, costs
// exactly what is counted.
func TestExportPastDamage(t *testing.T) {
	m := fault.New()
	const samples = 3000
	if err := fill(t, m, samples).Close(); err != nil {
		t.Fatal(err)
	}
	file := segments(t, m)[0]
	var whole []byte
	m.Damage(file, func(p []byte) { whole = slices.Clone(p) })
	for at := 0; at < len(whole); at += 16 * 4096 {
		garbage(m, file, at, 4096)
		d, err := inspect.Open(m, dir)
		if err != nil {
			t.Fatal(err)
		}
		conserved(t, d, samples)
		covered(t, d, int64(at))
		w, err := export.New(io.Discard, export.CSV)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Samples(context.Background(), inspect.Filter{}, w.Write); err != nil {
			t.Fatal(err)
		}
		m.Damage(file, func(p []byte) { copy(p, whole) })
	}
}

// covered wants a finding at the place of a destroyed page.
func covered(t *testing.T, d *inspect.Dir, page int64) {
	t.Helper()
	found := false
	if _, err := d.Verify(t.Context(), func(f inspect.Finding) {
		found = found || f.Offset >= 0 && f.Offset < page+4096 && f.Offset >= page-64<<10
	}); err != nil || !found {
		t.Errorf("no finding at the destroyed page at %d (%v)", page, err)
	}
}
