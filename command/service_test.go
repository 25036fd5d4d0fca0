package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"fieldferry/live"
	"fieldferry/tag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lane is a plant that takes every value, or does what a test tells it.
type lane struct {
	mu     sync.Mutex
	writes []tag.Value
	do     func(ctx context.Context, v tag.Value) (tag.Value, error)
}

func (l *lane) Write(ctx context.Context, _ *tag.Tag, v tag.Value) (tag.Value, error) {
	l.mu.Lock()
	l.writes = append(l.writes, v)
	do := l.do
	l.mu.Unlock()
	if do != nil {
		return do(ctx, v)
	}
	return v, nil
}

type fixture struct {
	*Service
	lane  *lane
	rules Rules
	path  string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	store := live.New()
	dev := &tag.Device{Name: "pump", Link: &tag.Link{Name: "line1"}}
	store.Cell(&tag.Tag{Name: "setpoint", Device: dev, Access: tag.AccessReadWrite})
	store.Cell(&tag.Tag{Name: "speed", Device: dev}).Set(&tag.Sample{Value: tag.Int(3)}, time.Now())
	path := filepath.Join(t.TempDir(), "audit", "commands.jsonl")
	audit, err := OpenAudit(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { audit.Close() })
	low, high := 0.0, 1500.0
	f := &fixture{lane: &lane{}, path: path}
	f.rules = Rules{
		Allow:  true,
		Limits: func(*tag.Tag) Limits { return Limits{Min: &low, Max: &high} },
		Lane:   func(*tag.Tag) (Lane, bool) { return f.lane, true },
	}
	f.Service = New(store, audit, slog.New(slog.DiscardHandler), time.Now)
	f.SetRules(f.rules)
	return f
}

func (f *fixture) audited(t *testing.T) (recs []record) {
	t.Helper()
	file, err := os.Open(f.path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for sc := bufio.NewScanner(file); sc.Scan(); {
		var r record
		if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
			t.Fatalf("audit line %q: %v", sc.Text(), err)
		}
		recs = append(recs, r)
	}
	return recs
}

func setpoint(v tag.Value) Request {
	return Request{Device: "pump", Tag: "setpoint", Value: v, Source: "mqtt:plant"}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(f *fixture, r *Request)
		want string
	}{
		{"by default", func(f *fixture, _ *Request) { f.SetRules(Rules{}) }, "switched off"},
		{"unknown tag", func(_ *fixture, r *Request) { r.Tag = "setpiont" }, `no tag "setpiont"`},
		{"unknown device", func(_ *fixture, r *Request) { r.Device = "pmup" }, `a device "pmup"`},
		{"read only", func(_ *fixture, r *Request) { r.Tag = "speed" }, "not writable"},
		{"too low", func(_ *fixture, r *Request) { r.Value = tag.Int(-1) }, "below the tag's min of 0"},
		{"too high", func(_ *fixture, r *Request) { r.Value = tag.Float64(1500.01) }, "above the tag's max of 1500"},
		{"not a number", func(_ *fixture, r *Request) { r.Value = tag.Float64(math.NaN()) }, "not a finite number"},
		{"infinite", func(_ *fixture, r *Request) { r.Value = tag.Float64(math.Inf(1)) }, "not a finite number"},
		{"null", func(_ *fixture, r *Request) { r.Value = tag.Value{} }, "null cannot be written"},
		{"expired", func(_ *fixture, r *Request) { r.Expires = time.Now().Add(-time.Second) }, "expired at"},
		{"link not running", func(f *fixture, _ *Request) {
			f.rules.Lane = func(*tag.Tag) (Lane, bool) { return nil, false }
			f.SetRules(f.rules)
		}, "link line1 is not running"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			r := setpoint(tag.Int(100))
			c.edit(f, &r)
			res := f.Execute(t.Context(), r)
			if res.Outcome != OutcomeRefused || !strings.Contains(res.Reason, c.want) {
				t.Errorf("got %s: %q, want refused: …%s…", res.Outcome, res.Reason, c.want)
			}
			if len(f.lane.writes) != 0 {
				t.Errorf("a refused request reached the device: %v", f.lane.writes)
			}
			if recs := f.audited(t); len(recs) != 1 || recs[0].Outcome != "refused" || recs[0].Reason != res.Reason {
				t.Errorf("audit: got %+v, want one record of the refusal", recs)
			}
		})
	}
}

func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		name    string
		err     error
		outcome Outcome
	}{
		{"done", nil, OutcomeDone},
		{"refused by the device", errors.New("illegal data value"), OutcomeFailed},
		{"no answer", fmt.Errorf("timeout: %w", ErrUnknown), OutcomeUnknown},
		{"another value read back", fmt.Errorf("%w: 3", ErrNotTaken), OutcomeFailed},
	} {
		f := newFixture(t)
		f.lane.do = func(_ context.Context, v tag.Value) (tag.Value, error) { return v, c.err }
		r := setpoint(tag.Int(100))
		r.ID = "a1"
		res := f.Execute(t.Context(), r)
		if res.Outcome != c.outcome || res.ID != "a1" || res.At.IsZero() {
			t.Errorf("%s: got %+v, want outcome %s", c.name, res, c.outcome)
		}
		if (res.ReadBack == tag.Int(100)) != (c.err == nil || errors.Is(c.err, ErrNotTaken)) {
			t.Errorf("%s: read back %v", c.name, res.ReadBack)
		}
		rec := f.audited(t)[0]
		if rec.Source != "mqtt:plant" || rec.Value != "100" || rec.Outcome != c.outcome.String() {
			t.Errorf("%s: audit %+v", c.name, rec)
		}
	}
}

func TestRepeatedIDExecutesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.lane.do = func(_ context.Context, v tag.Value) (tag.Value, error) {
			time.Sleep(time.Second)
			return v, nil
		}
		r := setpoint(tag.Int(100))
		r.ID = "a1"
		var wg sync.WaitGroup
		var mu sync.Mutex
		repeated := 0
		for range 10 { // while the first is still under way
			wg.Go(func() {
				res := f.Execute(t.Context(), r)
				mu.Lock()
				defer mu.Unlock()
				if res.Outcome != OutcomeDone || res.ReadBack != tag.Int(100) {
					t.Errorf("got %+v, want done", res)
				}
				if res.Repeated {
					repeated++
				}
			})
		}
		wg.Wait()
		if n := len(f.lane.writes); n != 1 || repeated != 9 {
			t.Errorf("ten requests of one id: got %d writes, %d marked as repeated, want 1 and 9", n, repeated)
		}
		for _, changed := range []Request{
			{ID: r.ID, Source: r.Source, Device: r.Device, Tag: "speed", Value: r.Value},
			{ID: r.ID, Source: r.Source, Device: r.Device, Tag: r.Tag, Value: tag.Int(101)},
		} {
			if res := f.Execute(t.Context(), changed); res.Outcome != OutcomeRefused || !strings.Contains(res.Reason, "id of its own") {
				t.Errorf("a used id with %s = %v: got %s: %s, want refused", changed.Tag, changed.Value, res.Outcome, res.Reason)
			}
		}
		other := r
		other.Source = "page:anna"
		f.Execute(t.Context(), other)
		if n := len(f.lane.writes); n != 2 {
			t.Errorf("the same id of another source: got %d writes, want 2", n)
		}
		time.Sleep(25 * time.Hour)
		f.Execute(t.Context(), r)
		if n := len(f.lane.writes); n != 3 {
			t.Errorf("after a day: got %d writes, want 3", n)
		}
	})
}

func TestWritesToOneTagTakeTurnsAndKeepTheirDistance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		var mu sync.Mutex
		busy := 0
		f.lane.do = func(_ context.Context, v tag.Value) (tag.Value, error) {
			mu.Lock()
			if busy++; busy > 1 {
				t.Error("two writes to one tag at once")
			}
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			busy--
			mu.Unlock()
			return v, nil
		}
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() { f.Execute(t.Context(), setpoint(tag.Int(int64(i)))) })
		}
		wg.Wait()
		f.rules.Limits = func(*tag.Tag) Limits { return Limits{MinInterval: 5 * time.Second} }
		f.SetRules(f.rules)
		if res := f.Execute(t.Context(), setpoint(tag.Int(1))); res.Outcome != OutcomeRefused || !strings.Contains(res.Reason, "too often") {
			t.Errorf("got %s: %s, want refused: too often", res.Outcome, res.Reason)
		}
		time.Sleep(5 * time.Second)
		if res := f.Execute(t.Context(), setpoint(tag.Int(1))); res.Outcome != OutcomeDone {
			t.Errorf("after min_write_interval: got %s: %s, want done", res.Outcome, res.Reason)
		}
	})
}

func TestExpiryIsCheckedAgainBeforeTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.lane.do = func(_ context.Context, v tag.Value) (tag.Value, error) {
			time.Sleep(10 * time.Second)
			return v, nil
		}
		go f.Execute(t.Context(), setpoint(tag.Int(1)))
		synctest.Wait()
		r := setpoint(tag.Int(2))
		r.Expires = time.Now().Add(time.Second)
		if res := f.Execute(t.Context(), r); res.Outcome != OutcomeRefused || !strings.Contains(res.Reason, "expired") {
			t.Errorf("a request that expired while it waited: got %s: %s", res.Outcome, res.Reason)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go f.Execute(t.Context(), setpoint(tag.Int(3)))
		synctest.Wait()
		if res := f.Execute(ctx, setpoint(tag.Int(4))); res.Outcome != OutcomeRefused {
			t.Errorf("a request whose asker left: got %s", res.Outcome)
		}
		time.Sleep(time.Minute)
	})
}

func TestAuditIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	a, err := OpenAudit(path)
	if err != nil {
		t.Fatal(err)
	}
	line := append([]byte(strings.Repeat("x", 1<<20)), '\n')
	for range 40 {
		if err := a.append(line); err != nil {
			t.Fatal(err)
		}
	}
	var total int64
	for _, p := range []string{path, path + ".1"} {
		st, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		total += st.Size()
		if st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, want 0600", p, st.Mode().Perm())
		}
	}
	if total > 2*auditMax || total < auditMax {
		t.Errorf("audit files: %d bytes, want between %d and %d", total, auditMax, 2*auditMax)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.append(line); err == nil {
		t.Error("a closed audit took a record")
	}
}

func TestWithoutAnAuditNothingIsWritten(t *testing.T) {
	f := newFixture(t)
	f.Service = New(f.store, nil, slog.New(slog.DiscardHandler), time.Now)
	f.SetRules(f.rules)
	if res := f.Execute(t.Context(), setpoint(tag.Int(1))); res.Outcome != OutcomeRefused || !strings.Contains(res.Reason, "audit") {
		t.Errorf("got %s: %s, want refused for want of an audit", res.Outcome, res.Reason)
	}
	if res := f.Refuse(setpoint(tag.Int(1)), "not to be understood"); res.Outcome != OutcomeRefused || len(f.lane.writes) != 0 {
		t.Errorf("got %+v", res)
	}
}
