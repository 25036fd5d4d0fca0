//go:build proof

package planted

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// quick is what a test run is told: bugs are found long before.
var quick = []string{"CRASH_STATES=20000", "KILLS=5"}

// TestPlantedBugs plants every bug of the table.
func TestPlantedBugs(t *testing.T) {
	suites := map[suite]bool{}
	for _, b := range bugs {
		suites[b.suite] = true
	}
	for s := range suites {
		t.Run("without a bug "+s.String(), func(t *testing.T) {
			t.Parallel()
			if out, err := s.run(t.Context(), ""); err != nil {
				t.Fatalf("%v\n%s", err, tail(out))
			}
		})
	}
	for _, b := range bugs {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			out, err := b.suite.run(t.Context(), b.plant(t))
			switch {
			case err == nil:
				t.Fatalf("nobody noticed: %s passes with\n%s", b.suite, b.now)
			case !failed(out):
				t.Fatalf("%v, but no test failed:\n%s", err, tail(out))
			}
			t.Logf("%s: found by %s", b.name, finder(out))
		})
	}
	t.Logf("%d bugs planted", len(bugs))
}

// run runs a suite, with an overlay if there is one.
func (s suite) run(ctx context.Context, overlay string) (string, error) {
	args := []string{"test", "-vet=off", "-failfast", "-timeout", "5m", "-run", s.tests}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+s.pkg)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), quick...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

const root = "../.."

// plant writes the file with the bug, and the overlay that names it.
func (b *bug) plant(t *testing.T) (overlay string) {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(root, b.file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), b.was); n != 1 {
		t.Fatalf("%s has %d times, want once:\n%s", b.file, n, b.was)
	}
	dir := t.TempDir()
	with := filepath.Join(dir, filepath.Base(file))
	if err := os.WriteFile(with, []byte(strings.Replace(string(text), b.was, b.now, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]map[string]string{"Replace": {file: with}})
	if err != nil {
		t.Fatal(err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// failed says that a test ran and failed, and not that something does not
// compile.
func failed(out string) bool {
	return strings.Contains(out, "--- FAIL") || strings.Contains(out, "panic: ")
}

// finder names the test that failed.
func finder(out string) string {
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); ok {
			return name
		}
	}
	return "a panic"
}

func tail(out string) string { return out[max(0, len(out)-4000):] }

func (s suite) String() string { return fmt.Sprintf("%s in ./%s", s.tests, s.pkg) }
