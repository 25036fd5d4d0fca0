package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fieldferry/buffer"
	"fieldferry/cmd/gateway/console"
	"fieldferry/tag"
)

// bufferDir is a log of 300 samples of two tags, not closed in order where
// open is set: then it is in use until the test ends.
func bufferDir(t *testing.T, open bool) string {
	t.Helper()
	c := buffer.Default()
	c.Dir, c.RuntimeDir, c.MinFree = filepath.Join(t.TempDir(), "buffer"), "", 0
	b, err := buffer.Open(buffer.DirFS(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	d := &tag.Device{Name: "press", Link: &tag.Link{Name: "line1"}}
	tags := []*tag.Tag{{Name: "speed", Device: d, Unit: "1/min"}, {Name: "state", Device: &tag.Device{Name: "pump", Link: d.Link}}}
	for i := range 300 {
		s := []tag.Sample{{Tag: tags[i%2], Value: tag.Int(int64(i)), Time: time.Date(2026, 11, 20, 8, 0, i, 0, time.UTC)}}
		if err := b.Append(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if open {
		t.Cleanup(func() { b.Close() })
	} else if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return c.Dir
}

// ask runs a command line and returns what it prints, and its exit code.
func ask(args ...string) (string, int) {
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.Execute()
	var c *console.Coded
	switch {
	case err == nil:
		return out.String(), console.ExitDone
	case errors.As(err, &c):
		return out.String() + c.Error(), c.Code
	}
	return out.String() + err.Error(), console.ExitUsage
}

func TestBufferCommands(t *testing.T) {
	dir, empty := bufferDir(t, true), t.TempDir()
	for _, c := range []struct {
		args  string
		code  int
		lines int // of output; -1: any
		has   string
	}{
		{"ls {dir}", 0, -1, "300 samples appended"},
		{"ls {dir} --json", 0, -1, `"appended": 300`},
		{"verify {dir}", 0, -1, "clean: 300 samples"},
		{"verify {dir} --json", 0, -1, `"result": "clean"`},
		{"cat {dir}", 0, 301, "press/speed"},
		{"cat {dir} --json", 0, 300, `"tag":"state"`},
		{"cat {dir} --json --from 11 --to 20", 0, 10, `"seq":20,`},
		{"cat {dir} --json --tag press/* --from 11 --to 20", 0, 5, `"value":10,`},
		{"cat {dir} --json --device pump", 0, 150, `"value":299,`},
		{"cat {dir} --json --from 2026-11-20T08:00:10Z --to 2026-11-20T08:00:20", 0, 10, `"value":19,`},
		{"export {dir}", 0, 301, "seq,epoch,class,time"},
		{"export {dir} --json", 0, 300, `"value":0,`},
		{"cat {dir} --from x", 2, -1, "neither a sequence number"},
		{"cat {dir} --tag [", 2, -1, "not a pattern"},
		{"export {dir} --format xml", 2, -1, "unknown format"},
		{"export {dir} --output {dir}/x.csv", 2, -1, "nothing is ever written"},
		{"export {dir} --output {dir}/../x.csv", 0, 0, ""},
		{"export {dir} --output {dir}/../x.csv", 1, -1, "exists"},
		{"ls {empty}", 2, -1, "no buffer lies here"},
		{"verify {empty}/none", 2, -1, "name the directory"},
		{"", 2, -1, "needs a command"},
		{"mend {dir}", 2, -1, "unknown command"},
	} {
		args := strings.Fields("buffer " + strings.NewReplacer("{dir}", dir, "{empty}", empty).Replace(c.args))
		out, code := ask(args...)
		if n := strings.Count(out, "\n"); code != c.code || c.lines >= 0 && n != c.lines || !strings.Contains(out, c.has) {
			t.Errorf("%q: exit code %d with %d lines, want %d with %d and %q:\n%.800s", c.args, code, n, c.code, c.lines, c.has, out)
		}
		if strings.Contains(c.args, "json") && code == 0 {
			for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
				var v map[string]any
				if err := dec.Decode(&v); err != nil {
					t.Errorf("%q: %v", c.args, err)
					break
				}
			}
		}
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "..", "x.csv")); err != nil || bytes.Count(raw, []byte("\n")) != 301 {
		t.Errorf("x.csv has %d lines (%v), want 301", bytes.Count(raw, []byte("\n")), err)
	}
}

// TestBufferCommandsOnDamage: a copy with a destroyed piece is lossy but
// consistent; one whose account contradicts itself cannot be made by damage.
func TestBufferCommandsOnDamage(t *testing.T) {
	dir := bufferDir(t, false)
	files, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if more, _ := filepath.Glob(filepath.Join(dir, "*", "*.seg")); err != nil || len(files)+len(more) == 0 {
		t.Fatalf("no segments: %v", err)
	} else {
		files = append(files, more...)
	}
	f, err := os.OpenFile(files[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte("x"), 300), 6000); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"verify", "cat", "export"} {
		if out, code := ask("buffer", command, dir); code != console.ExitFaults {
			t.Errorf("%s: exit code %d, want %d:\n%.800s", command, code, console.ExitFaults, out)
		}
	}
}

func TestParseBound(t *testing.T) {
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"": "0 0001-01-01T00:00:00Z", "17": "17 0001-01-01T00:00:00Z", "2h": "0 2026-11-20T06:00:00Z", "-2h": "0 2026-11-20T06:00:00Z",
		"2026-11-20": "0 2026-11-20T00:00:00Z", "2026-11-20 07:30": "0 2026-11-20T07:30:00Z", "2026-11-20T09:00:00+01:00": "0 2026-11-20T08:00:00Z",
		"0": "fault", "-5": "fault", "yesterday": "fault", "2026-13-01": "fault",
	} {
		seq, at, err := parseBound("from", text, now)
		got := fmt.Sprintf("%d %s", seq, at.UTC().Format(time.RFC3339))
		if err != nil {
			got = "fault"
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}
