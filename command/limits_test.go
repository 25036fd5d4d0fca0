package command

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fieldferry/tag"
)

func number(f float64) *float64 { return &f }

func TestStepAndMaxStep(t *testing.T) {
	f := newFixture(t)
	limits := Limits{Min: number(0.05), Step: number(0.1), MaxStep: number(5)}
	f.rules.Limits = func(*tag.Tag) Limits { return limits }
	f.SetRules(f.rules)
	cell := f.store.Find("pump", "setpoint")
	has := func(v tag.Value, q tag.Quality) {
		cell.Set(&tag.Sample{Tag: cell.Tag(), Value: v, Quality: q}, time.Now())
	}
	for _, c := range []struct {
		v      float64
		has    tag.Value
		q      tag.Quality
		reason string
	}{
		{7.15, tag.Float64(3), tag.OK(), ""},
		{7.2, tag.Float64(3), tag.OK(), "7.2 is not a whole number of the tag's steps of 0.1"},
		{8.05, tag.Float64(3), tag.OK(), "from 3 to 8.05 is further than the tag's max_step of 5"},
		{8.05, tag.Float64(3.05), tag.OK(), ""},
		{3.05, tag.Float64(8.05), tag.OK(), ""},
		{3.05, tag.Float64(3), tag.UncertainFor(tag.ReasonStale), "its present value is not known"},
		{3.05, tag.Value{}, tag.BadFor(tag.ReasonTimeout), "its present value is not known"},
	} {
		has(c.has, c.q)
		res := f.Execute(t.Context(), setpoint(tag.Float64(c.v)))
		if want := map[bool]Outcome{true: OutcomeDone, false: OutcomeRefused}[c.reason == ""]; res.Outcome != want || !strings.Contains(res.Reason, c.reason) {
			t.Errorf("write %v over %v (%v): %s: %s; want %s: %q", c.v, c.has, c.q, res.Outcome, res.Reason, want, c.reason)
		}
	}
	fresh := newFixture(t)
	fresh.rules.Limits = f.rules.Limits
	fresh.SetRules(fresh.rules)
	if res := fresh.Execute(t.Context(), setpoint(tag.Float64(1.05))); res.Outcome != OutcomeRefused {
		t.Errorf("a tag that was never read: %s: %s", res.Outcome, res.Reason)
	}
}

// TestMinIntervalCountsWhatMayHaveBeenStored: a write that the device refused
// does not count, one whose outcome is unknown does, and so does one of the
// life before.
func TestMinIntervalCountsWhatMayHaveBeenStored(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		counts bool
	}{
		{"done", nil, true},
		{"unknown", fmt.Errorf("%w: timeout", ErrUnknown), true},
		{"not taken", fmt.Errorf("%w: 5", ErrNotTaken), true},
		{"refused by the device", fmt.Errorf("exception 2"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.rules.Limits = func(*tag.Tag) Limits { return Limits{MinInterval: time.Minute} }
				f.SetRules(f.rules)
				f.lane.do = func(context.Context, tag.Value) (tag.Value, error) { return tag.Value{}, c.err }
				f.Execute(t.Context(), setpoint(tag.Int(1)))
				refused := func(when string, want bool) {
					t.Helper()
					res := f.Execute(t.Context(), setpoint(tag.Int(2)))
					if got := res.Outcome == OutcomeRefused && strings.Contains(res.Reason, "written too often"); got != want {
						t.Errorf("%s: %s: %s; want refused as too often: %t", when, res.Outcome, res.Reason, want)
					}
				}
				if !c.counts {
					refused("at once", false)
					return
				}
				time.Sleep(59 * time.Second)
				refused("after 59 s", true)
				restarted(t, f)
				refused("after 59 s and a restart", true)
				time.Sleep(time.Second)
				refused("after 60 s", false)
			})
		})
	}
}

// restarted gives a fixture a new service over the same audit.
func restarted(t *testing.T, f *fixture) {
	t.Helper()
	audit, err := OpenAudit(f.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { audit.Close() })
	f.Service = New(f.store, audit, slog.New(slog.DiscardHandler), time.Now)
	f.SetRules(f.rules)
}

// TestHistorySurvivesDamage: a torn line costs itself alone, a clock that was
// set back does not make the wait longer than the interval, and an audit that
// cannot be read lets nothing be written to a tag that must be spared.
func TestHistorySurvivesDamage(t *testing.T) {
	f := newFixture(t)
	f.rules.Limits = func(*tag.Tag) Limits { return Limits{MinInterval: time.Minute} }
	f.SetRules(f.rules)
	line := `{"at":%q,"device":"pump","tag":"setpoint","value":"1","outcome":"done"}` + "\n"
	future := time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano)
	text := "{\"torn\n" + fmt.Sprintf(line, future) + "\x00\x00 \n[]\n{\"at\":"
	if err := os.WriteFile(f.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	restarted(t, f)
	res := f.Execute(t.Context(), setpoint(tag.Int(2)))
	if res.Outcome != OutcomeRefused || !strings.Contains(res.Reason, "allowed in 1m0s") {
		t.Errorf("a write in the future: %s: %s, want a wait of the whole interval", res.Outcome, res.Reason)
	}
	if err := os.Mkdir(f.path+".1", 0o700); err != nil {
		t.Fatal(err)
	}
	restarted(t, f)
	if res := f.Execute(t.Context(), setpoint(tag.Int(2))); res.Outcome != OutcomeRefused || !strings.Contains(res.Reason, "cannot be kept") {
		t.Errorf("an audit that cannot be read: %s: %s", res.Outcome, res.Reason)
	}
}
