package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fieldferry/internal/gateway"
	"fieldferry/tag"
	"fieldferry/web/plant"
)

const editedMap = `links:
  - name: line
    driver: sim
    devices:
      - name: filler
        interval: 20ms
        description: beside the door
        tags:
          - {name: speed, address: sine, type: float64, unit: 1/min, scale: 0.5}
          - {name: note, address: text, type: string}
      - {name: capper, profile: motor}
  - name: hall
    driver: calc
    devices:
      - {name: sums, tags: [{name: speed, expr: 'sum(tags("filler/speed"))', unit: 1/min}]}
  - name: park
    driver: sim
    devices:
      - {each: 1..2, name: "inverter{n}", tags: [{name: power, address: ramp, type: float64, interval: 20ms}]}
`

const motorProfile = "tags: [{name: current, address: ramp, type: float64, unit: A, interval: 20ms}]\n"

// running is a gateway without uplinks on simulated links.
type running struct {
	*gateway.Gateway
	t   *testing.T
	dir string
}

func start(t *testing.T) *running {
	t.Helper()
	r := &running{t: t, dir: t.TempDir()}
	r.write("gateway.yaml", fmt.Sprintf("gateway: {name: g}\nbuffer: {dir: %s, max_bytes: 64MiB, min_free: 1MiB}\nweb: {listen: \"127.0.0.1:0\"}\n", filepath.Join(r.dir, "buffer")))
	r.write("profiles/motor.yaml", motorProfile)
	r.write("tagmap.yaml", editedMap)
	ready := make(chan struct{})
	g, err := gateway.New(gateway.Options{
		ConfigDir: filepath.Join(r.dir, "config"), RuntimeDir: filepath.Join(r.dir, "run"), Version: "test",
		Log: slog.New(slog.DiscardHandler), Ready: func(string) { close(ready) },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Gateway = g
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return r
}

func (r *running) write(name, text string) {
	r.t.Helper()
	file := filepath.Join(r.dir, "config", name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) draft(device, name string, set map[string]string) plant.Draft {
	return plant.Draft{Base: r.Revision().ID, Comment: "why", Changes: []plant.Change{{Device: device, Tag: name, Set: set}}}
}

func (r *running) tag(path string) *tag.Tag {
	r.t.Helper()
	tags, _ := r.Tags()
	i := slices.IndexFunc(tags, func(t *tag.Tag) bool { return t.Path() == path })
	if i < 0 {
		r.t.Fatalf("there is no tag %s", path)
	}
	return tags[i]
}

func (r *running) link(name string) plant.Link {
	r.t.Helper()
	links := r.Status().Links
	i := slices.IndexFunc(links, func(l plant.Link) bool { return l.Name == name })
	if i < 0 {
		r.t.Fatalf("there is no link %s", name)
	}
	return links[i]
}

// until polls with a generous limit.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

func texts(effects []plant.Effect) string {
	var b strings.Builder
	for _, e := range effects {
		fmt.Fprintf(&b, "%s\n", e.Text)
	}
	return b.String()
}

func TestCheckTellsWhatADraftDoes(t *testing.T) {
	r := start(t)
	for _, c := range []struct {
		device, tag string
		set         map[string]string
		want        string
	}{
		{"filler", "speed", map[string]string{"scale": "0.25", "unit": "Hz"},
			"scale of filler/speed: 0.5 → 0.25\nunit of filler/speed: 1/min → Hz\nlink line restarts: its 2 devices pause for a moment, all other links run on\n"},
		{"filler", "speed", map[string]string{"class": "alarm", "access": "read"},
			"class of filler/speed: normal → alarm\nlink line restarts: its 2 devices pause for a moment, all other links run on\n"},
		{"sums", "speed", map[string]string{"deadband": "1"},
			"deadband of sums/speed: not set → 1\nlink hall restarts: device sums pauses for a moment, all other links run on\n"},
		{"capper", "current", map[string]string{"unit": ""}, ""},
		{"filler", "speed", map[string]string{}, ""},
	} {
		got, err := r.Check(t.Context(), r.draft(c.device, c.tag, c.set))
		if err != nil || len(got.Faults) > 0 || texts(got.Effects) != c.want {
			t.Errorf("%s/%s with %v: %v %+v, effects\n%swant\n%s", c.device, c.tag, c.set, err, got.Faults, texts(got.Effects), c.want)
		}
	}
}

func TestCheckTellsWhereAFaultBelongs(t *testing.T) {
	r := start(t)
	for _, c := range []struct {
		device, tag string
		set         map[string]string
		key, text   string
	}{
		{"filler", "speed", map[string]string{"scale": "a tenth"}, "scale", `"a tenth" is not a number`},
		{"filler", "speed", map[string]string{"address": "hr:1"}, "address", `unknown signal "hr:1"`},
		{"sums", "speed", map[string]string{"expr": `sum(tags("nobody/x"))`}, "expr", "matches no tag"},
		{"inverter1", "power", map[string]string{}, "", "`each` makes"},
		{"nobody", "x", map[string]string{"unit": "A"}, "", "not in the tag map"},
	} {
		got, err := r.Check(t.Context(), r.draft(c.device, c.tag, c.set))
		if err != nil || len(got.Faults) != 1 {
			t.Errorf("%s/%s with %v: %v, faults %+v, want one", c.device, c.tag, c.set, err, got.Faults)
			continue
		}
		if f := got.Faults[0]; f.Device != c.device || f.Tag != c.tag || f.Key != c.key || !strings.Contains(f.Text, c.text) {
			t.Errorf("%s/%s with %v: got %+v, want key %q and %q", c.device, c.tag, c.set, f, c.key, c.text)
		}
	}
}

// TestApplyTouchesOneLinkAlone edits a tag while the links run.
func TestApplyTouchesOneLinkAlone(t *testing.T) {
	r := start(t)
	until(t, "all links read", func() bool { return r.link("line").Cycles > 3 && r.link("park").Cycles > 3 })
	old, before := r.tag("filler/speed"), r.link("park")
	_, generation := r.Tags()
	draft := r.draft("filler", "speed", map[string]string{"unit": "Hz"})
	rep, err := r.Apply(t.Context(), draft, "anna")
	if err != nil || rep.Applied == nil || len(rep.Faults) > 0 {
		t.Fatalf("apply: %+v, %v", rep, err)
	}
	now := r.tag("filler/speed")
	if _, g := r.Tags(); now.Unit != "Hz" || g <= generation || r.Revision().ID != rep.Applied.ID || rep.Applied.ID == draft.Base {
		t.Errorf("unit %q, generation %d after %d, running %s, applied %+v", now.Unit, g, generation, r.Revision().ID, rep.Applied)
	}
	until(t, "the edited link reads again", func() bool { return r.link("line").Cycles > 3 })
	after := r.link("park")
	if after.Connects != before.Connects || after.Overruns != before.Overruns || after.Cycles < before.Cycles || !after.Since.Equal(before.Since) {
		t.Errorf("the other link was disturbed: %+v, before %+v", after, before)
	}
	if got := r.Settings(old); got != nil {
		t.Errorf("settings of a tag of the old list: %v, want none", got)
	}
	if _, err := r.Apply(t.Context(), draft, "late"); !errors.Is(err, plant.ErrStale) {
		t.Errorf("the same draft again: %v, want ErrStale", err)
	}
}

// TestHistory: what is applied in the page and what is edited by hand stand in
// one list, under the names that the running revision has.
func TestHistory(t *testing.T) {
	r := start(t)
	if h, err := r.History(t.Context(), 10); err != nil || len(h) != 0 {
		t.Errorf("at first: %+v, %v, want nothing", h, err)
	}
	if _, err := r.Apply(t.Context(), r.draft("filler", "speed", map[string]string{"scale": "0.25"}), "anna"); err != nil {
		t.Fatal(err)
	}
	first := r.Revision().ID
	text, err := os.ReadFile(filepath.Join(r.dir, "config", "tagmap.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r.write("tagmap.yaml", strings.Replace(string(text), "unit: 1/min, scale: 0.25", "unit: Hz, scale: 0.25", 1))
	r.write("profiles/motor.yaml", "# not another motor\n"+motorProfile)
	if rep, err := r.Reload(t.Context(), "SIGHUP"); err != nil || len(rep.Faults) > 0 {
		t.Fatalf("reload: %+v, %v", rep, err)
	}
	r.write("tagmap.yaml", "links: 7\n")
	if rep, err := r.Reload(t.Context(), "SIGHUP"); err != nil || len(rep.Faults) == 0 || r.Status().Fault == "" {
		t.Fatalf("reload of a broken file: %+v, %v", rep, err)
	}
	h, err := r.History(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range h {
		name := map[string]string{first: "first", r.Revision().ID: "running"}[v.ID]
		got = append(got, fmt.Sprintf("%s by %q (%s): %s", name, v.Author, v.Comment, strings.Join(v.Changes, "; ")))
	}
	want := []string{
		`running by "SIGHUP" (): profiles/motor.yaml was edited as well`,
		`running by "SIGHUP" (): unit of filler/speed: 1/min → Hz; link line restarts: its 2 devices pause for a moment, all other links run on`,
		`first by "anna" (why): scale of filler/speed: 0.5 → 0.25; link line restarts: its 2 devices pause for a moment, all other links run on`,
		` by "" (): tagmap.yaml as it was before the next change`,
	}
	slices.Sort(got[:2]) // of one moment
	slices.Sort(want[:2])
	if !slices.Equal(got, want) {
		t.Errorf("history\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func TestSettings(t *testing.T) {
	r := start(t)
	for _, c := range []struct {
		path string
		want map[string]plant.Setting
		not  []string
	}{
		{"filler/speed", map[string]plant.Setting{
			"address": {Text: "sine", From: "tag"}, "scale": {Text: "0.5", From: "tag"}, "interval": {Text: "20ms", From: "device filler"},
			"access": {Text: "read", From: "default"}, "class": {Text: "normal", From: "default"}, "offset": {From: "default"},
			"description": {From: "default"}, "high": {Text: "100", From: "default"},
		}, []string{"name", "labels", "enabled", "expr"}},
		{"capper/current", map[string]plant.Setting{"unit": {Text: "A", From: "profile motor"}}, nil},
		{"sums/speed", map[string]plant.Setting{"expr": {Text: `sum(tags("filler/speed"))`, From: "tag"}, "require": {Text: "all", From: "default"}}, []string{"address", "access"}},
	} {
		got := r.Settings(r.tag(c.path))
		for k, want := range c.want {
			if s, ok := got[k]; !ok || s != want {
				t.Errorf("%s: %s is %+v (offered: %t), want %+v", c.path, k, s, ok, want)
			}
		}
		for _, k := range c.not {
			if s, ok := got[k]; ok {
				t.Errorf("%s: %s is offered: %+v", c.path, k, s)
			}
		}
	}
}
