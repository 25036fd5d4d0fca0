package learn

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/plan"
)

const hr = layout.HoldingRegisters

func start() time.Time { return time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func ids(s *Store) string {
	var out []string
	for _, f := range s.Facts() {
		out = append(out, f.ID())
	}
	return strings.Join(out, " ")
}

// TestKeptAcrossARun: what was learnt and measured is there again, and is what
// was said.
func TestKeptAcrossARun(t *testing.T) {
	t0 := start()
	path := filepath.Join(t.TempDir(), "modbus", "line.json")
	s := Open(path, quiet())
	d := s.Device("meter07", 7)
	d.Hole(plan.Range{Table: hr, Start: 100, Length: 20}, OfGap, "exception 2", t0)
	d.Hole(plan.Range{Table: hr, Start: 200, Length: 0}, OfGap, "exception 2", t0)
	d.Hole(plan.Range{Table: layout.Coils, Start: 5, Length: 1}, OfTag, "exception 2", t0)
	d.Limit(hr, 50, 63, "exception 3", t0)
	d.NeedsPause(100*time.Millisecond, "exception 2", t0)
	d.Keep(plan.Costs{Request: 40 * time.Millisecond, Register: 16 * time.Microsecond}, 99)
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
	again := Open(path, quiet())
	want := "meter07/coil:5 meter07/hr:100-119 meter07/hr:limit meter07/hr:|200 meter07/pause"
	if got := ids(again); got != want {
		t.Errorf("facts %s\nwant  %s", got, want)
	}
	d = again.Device("meter07", 7)
	l, next := d.Limits(plan.Limits{}, t0)
	if got := fmt.Sprint(l.Max, l.Walls); got != "[0 0 56 0] [{coil 5 1} {holding register 100 20} {holding register 200 0}]" {
		t.Errorf("limits %v", got)
	}
	if next != t0.Add(time.Minute) || d.Pause() != 100*time.Millisecond {
		t.Errorf("next %v, pause %v", next, d.Pause())
	}
	if c, n := d.Costs(); n != 99 || c.Request != 40*time.Millisecond || c.Bit != time.Microsecond {
		t.Errorf("costs %v from %d reads", c, n)
	}
	// Another unit id is another device.
	other, _ := again.Device("meter07", 8).Limits(plan.Limits{}, t0)
	if len(other.Walls) != 0 || other.Max != [4]int{} {
		t.Errorf("another unit has limits %v", other)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), `"pause": "100ms"`) || !strings.Contains(string(text), "Edit this only") {
		t.Errorf("%v: not for people:\n%s", err, text)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.new")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// TestRetries: a fact is believed for a while, doubled each time it is learnt
// again, and not for ever.
func TestRetries(t *testing.T) {
	s := Open("", quiet())
	d := s.Device("m", 1)
	gap, tag := plan.Range{Table: hr, Start: 10, Length: 2}, plan.Range{Table: hr, Start: 30, Length: 1}
	now := start()
	var rests []time.Duration
	for range 12 {
		until := d.Hole(tag, OfTag, "x", now)
		rests = append(rests, until.Sub(now))
		now = until
	}
	if fmt.Sprint(rests[:5]) != "[1m0s 2m0s 4m0s 8m0s 16m0s]" || rests[11] != 6*time.Hour {
		t.Errorf("a tag rests %v", rests)
	}
	rests = nil
	for range 5 {
		until := d.Hole(gap, OfGap, "x", now)
		rests = append(rests, until.Sub(now))
		now = until
	}
	if fmt.Sprint(rests) != "[24h0m0s 48h0m0s 96h0m0s 168h0m0s 168h0m0s]" {
		t.Errorf("a gap rests %v", rests)
	}
	if l, _ := d.Limits(plan.Limits{}, now.Add(-time.Second)); len(l.Walls) != 2 {
		t.Errorf("before its time: walls %v", l.Walls)
	}
	if l, _ := d.Limits(plan.Limits{}, now); len(l.Walls) != 1 || l.Walls[0] != tag {
		t.Errorf("due: walls %v, want that of the tag alone", l.Walls)
	}
	if healed := d.Answered(plan.Range{Table: hr, Start: 5, Length: 10}); fmt.Sprint(healed) != "[m/hr:10-11]" || ids(s) != "m/hr:30" {
		t.Errorf("healed %v, left %s", healed, ids(s))
	}
}

// TestLimitIsHalved: a limit closes in on the truth, and is disproved by a
// longer answer.
func TestLimitIsHalved(t *testing.T) {
	t0 := start()
	s := Open("", quiet())
	d := s.Device("m", 1)
	most := func() int { l, _ := d.Limits(plan.Limits{}, t0); return l.Max[hr] }
	d.Limit(hr, 1, 125, "x", t0)
	for range 12 {
		n := most()
		if n <= 50 {
			d.Answered(plan.Range{Table: hr, Length: n})
		} else {
			d.Limit(hr, 1, n, "x", t0)
		}
	}
	if most() != 50 || d.Watches(t0) {
		t.Errorf("limit %d, want 50 found: %+v", most(), s.Facts())
	}
	later := t0.Add(25 * time.Hour)
	if l, _ := d.Limits(plan.Limits{}, later); l.Max[hr] != 0 || !d.Watches(later) {
		t.Errorf("due: limit %d", l.Max[hr])
	}
	d.Limit(hr, 1, 125, "x", later) // refused as before: what was found still holds
	if most() != 50 || s.Facts()[0].Times != 2 {
		t.Errorf("limit %d, %+v", most(), s.Facts())
	}
	if d.Answered(plan.Range{Table: hr, Length: 80}); ids(s) != "" {
		t.Errorf("80 were answered, and still known: %s", ids(s))
	}
}

func TestForget(t *testing.T) {
	s := Open("", quiet())
	for _, name := range []string{"a", "ab"} {
		s.Device(name, 1).Hole(plan.Range{Table: hr, Start: 1, Length: 1}, OfGap, "x", start())
		s.Device(name, 1).NeedsPause(time.Second, "x", start())
	}
	before := s.Version()
	if n := s.Forget("nobody"); n != 0 || s.Version() != before {
		t.Errorf("forgot %d of nobody", n)
	}
	if n := s.Forget("ab/pause"); n != 1 || ids(s) != "a/hr:1 a/pause ab/hr:1" || s.Version() == before {
		t.Errorf("forgot %d, left %s", n, ids(s))
	}
	if n := s.Forget("a"); n != 2 || ids(s) != "ab/hr:1" {
		t.Errorf("forgot %d, left %s", n, ids(s))
	}
}

// TestBadFileIsSetAside: nothing of it is used, nothing of it is lost, and it
// is said.
func TestBadFileIsSetAside(t *testing.T) {
	for _, bad := range []string{
		"", "{", "[]", `{"facts":[]} more`, `{"fact":[]}`,
		`{"facts":[{"device":"m","unit":1,"kind":"hole","table":"hr","start":65530,"length":10,"why":"","learned":"2026-11-20T09:00:00Z"}]}`,
		`{"facts":[{"device":"m","unit":1,"kind":"limit","table":"hr","answered":5,"refused":5,"why":"","learned":"2026-11-20T09:00:00Z"}]}`,
		`{"facts":[{"device":"m","unit":1,"kind":"pause","pause":"1h","why":"","learned":"2026-11-20T09:00:00Z"}]}`,
		`{"facts":[{"device":"m","unit":999,"kind":"pause","pause":"1s","why":"","learned":"2026-11-20T09:00:00Z"}]}`,
		`{"costs":[{"device":"m","unit":1,"request":"-1s","register":"1s","reads":1}]}`,
	} {
		path := filepath.Join(t.TempDir(), "line.json")
		for n := 1; n <= 2; n++ {
			if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
				t.Fatal(err)
			}
			if s := Peek(path); len(s.Facts()) != 0 {
				t.Errorf("%q: Peek knows %s", bad, ids(s))
			}
			var log bytes.Buffer
			s := Open(path, slog.New(slog.NewTextHandler(&log, nil)))
			aside := fmt.Sprintf("%s.bad%d", path, n)
			kept, err := os.ReadFile(aside)
			if err != nil || string(kept) != bad || len(s.Facts()) != 0 || !strings.Contains(log.String(), aside) {
				t.Errorf("%q: kept %q, %v; facts %s; log %s", bad, kept, err, ids(s), log.String())
			}
		}
	}
}

func TestSaveThatFailsIsTriedAgain(t *testing.T) {
	dir := t.TempDir()
	block := filepath.Join(dir, "modbus")
	if err := os.WriteFile(block, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := Open("", quiet())
	s.path = filepath.Join(block, "line.json")
	s.Device("m", 1).NeedsPause(time.Second, "x", start())
	if err := s.Save(); err == nil {
		t.Fatal("saved below a file")
	}
	if err := os.Remove(block); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
	if got := ids(Open(s.path, quiet())); got != "m/pause" {
		t.Errorf("kept %q", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"about":"x","facts":[{"device":"m","unit":1,"kind":"limit","table":"hr","answered":5,"refused":9,"why":"","learned":"2026-11-20T09:00:00Z"}]}`))
	f.Add([]byte(`{"facts":[{"device":"m","unit":1,"kind":"hole","table":"coil","start":5,"length":0,"why":"","learned":"2026-11-20T09:00:00Z"}],"costs":[{"device":"m","unit":1,"request":"1s","register":"0s","reads":1}]}`))
	f.Add([]byte(`{"facts":[{"kind":"pause","pause":"1s"}]}`))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		got, err := decode(raw)
		if err != nil {
			return
		}
		s := &Store{file: got, log: quiet()}
		for i := range got.Facts {
			d := s.Device(got.Facts[i].Device, got.Facts[i].Unit)
			l, _ := d.Limits(plan.Limits{}, start())
			plan.Blocks([]plan.Item{{Table: hr, Length: 1}, {Table: hr, Start: 5, Length: 3, Tag: 1}}, l, plan.Costs{})
			d.Answered(plan.Range{Table: hr, Length: 100})
		}
	})
}
