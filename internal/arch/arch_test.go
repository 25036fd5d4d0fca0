package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// check runs everything over a module; the parts are named for the report.
func check(tb testing.TB, t *tree, rows []place, f []fence, l limits) map[string][]string {
	tb.Helper()
	found := map[string][]string{
		"arrows": checkArrows(t, rows),
		"fences": checkFences(t, f),
		"sizes":  checkSizes(t, l),
		"texts":  checkTexts(tb, t),
	}
	for name, r := range rules {
		for _, p := range t.pkgs {
			found[name] = append(found[name], r(t, p)...)
		}
	}
	return found
}

// TestModule holds every rule over this module.
func TestModule(t *testing.T) {
	m := parseModule(t, filepath.Join("..", ".."))
	for name, faults := range check(t, m, places, fences, budget) {
		t.Run(name, func(t *testing.T) {
			for _, f := range faults {
				t.Error(f)
			}
		})
	}
}

// TestRulesSee runs every rule over a module that breaks them all, and
// compares with testdata/bad.txt: a rule that sees nothing proves nothing.
func TestRulesSee(t *testing.T) {
	rows := []place{
		{"drivers", contract, nil, "the contract"},
		{"low", parts, []string{"high"}, ""},
		{"high", doors, []string{"low"}, "may look down"},
		{"sleepy", parts, nil, "breaks the rules that need no other package"},
		{"vars", parts, nil, "breaks the rules about package variables"},
		{"util", parts, nil, "has a bad name"},
		{"onlytests", parts, nil, "has no source"},
	}
	outside := []fence{
		{"example.com/port", []string{"low"}, false, 1, "one file"},
		{"example.com/leak", nil, true, 0, "for tests"},
		{"os/exec", nil, false, 0, "starts nothing"},
	}
	small := limits{function: 12, functionP95: 6, sourceFile: 32, testFile: 10, packageLines: 40, exported: 4, methods: 2}

	var lines []string
	for name, faults := range check(t, parseModule(t, filepath.Join("testdata", "bad")), rows, outside, small) {
		if len(faults) == 0 {
			t.Errorf("rule %q found nothing in testdata/bad", name)
		}
		for _, f := range faults {
			lines = append(lines, name+" | "+f)
		}
	}
	slices.Sort(lines)
	got := strings.Join(lines, "\n") + "\n"
	golden, err := os.ReadFile(filepath.Join("testdata", "bad.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if got != string(golden) {
		t.Errorf("testdata/bad\n got:\n%s\nwant:\n%s", got, golden)
	}
}

// TestFencesMatchGoMod: each module that go.mod requires directly has a row,
// and the pinned ones are at the version that was measured.
func TestFencesMatchGoMod(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	required := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(?:require )?\s*([a-z0-9.]+\.[a-z]+/\S+) (v\S+)( // indirect)?$`).FindAllStringSubmatch(string(text), -1) {
		required[m[1]] = m[2]
		if m[3] == "" && fenceOf(fences, m[1]) == nil {
			t.Errorf("go.mod requires %s, which has no row in fences", m[1])
		}
	}
	for module, want := range pinned {
		if got, ok := required[module]; ok && got != want.version {
			t.Errorf("go.mod has %s %s, want %s: %s", module, got, want.version, want.why)
		}
	}
}

// pinned are modules whose newer or older versions were found wanting.
var pinned = map[string]struct{ version, why string }{
	"github.com/goburrow/modbus": {"v0.1.0", "later versions cannot be fetched"},
	"github.com/goburrow/serial": {"v0.1.0", "later versions cannot be fetched"},
	"github.com/gopcua/opcua":    {"v0.9.1", "the version whose faults are known and worked around"},
	"github.com/tarm/serial":     {"v0.0.0-20180830185346-98f6abe2eb07", "the last commit"},
}
