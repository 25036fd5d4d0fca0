package modbus

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of faults in README.md anew")

// fault is one that a master must survive, and what ours does about it. One of
// the last three says how it is shown.
type fault struct {
	what string // the fault
	does string // the behaviour, in a line
	play func(t *testing.T)
	test string // or the test elsewhere that plays it: folder and name
	not  string // or why it cannot be played
}

// name is that of the sub-test of a fault.
func (f fault) name(n int) string { return fmt.Sprintf("%02d %s", n, f.what) }

// TestFaults plays the faults that a master must survive, one sub-test each.
func TestFaults(t *testing.T) {
	if len(faults) != 50 {
		t.Fatalf("%d faults, want 50", len(faults))
	}
	for i, f := range faults {
		if f.play == nil {
			continue
		}
		t.Run(f.name(i+1), func(t *testing.T) {
			t.Parallel()
			f.play(t)
		})
	}
}

// TestFaultsShownElsewhere: the tests that the table names are there.
func TestFaultsShownElsewhere(t *testing.T) {
	for i, f := range faults {
		shown := 0
		for _, yes := range []bool{f.play != nil, f.test != "", f.not != ""} {
			if yes {
				shown++
			}
		}
		if shown != 1 || f.what == "" || f.does == "" {
			t.Errorf("fault %d: %d of play, test and not are set, want one; what %q, does %q", i+1, shown, f.what, f.does)
		}
		if f.test != "" && !hasTest(t, f.test) {
			t.Errorf("fault %d: there is no test %s", i+1, f.test)
		}
	}
}

// hasTest says whether there is a test, by "folder Name", the folder from here.
func hasTest(t *testing.T, test string) bool {
	t.Helper()
	dir, name, _ := strings.Cut(test, " ")
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}

// TestFaultsInReadme: the README lists the faults as the table has them.
func TestFaultsInReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	list.WriteString("| | fault | behaviour | shown by |\n|---|---|---|---|\n")
	for i, f := range faults {
		shown := "`TestFaults`"
		if f.test != "" {
			shown = "`" + f.test[strings.Index(f.test, " ")+1:] + "`"
		} else if f.not != "" {
			shown = f.not
		}
		fmt.Fprintf(&list, "| %d | %s | %s | %s |\n", i+1, f.what, f.does, shown)
	}
	part := regexp.MustCompile(`(?s)(<!-- faults: .*?-->\n).*(<!-- end of faults -->)`)
	if !part.Match(text) {
		t.Fatal("README.md has no place for the table of faults")
	}
	want := part.ReplaceAllStringFunc(string(text), func(s string) string {
		m := part.FindStringSubmatch(s)
		return m[1] + list.String() + m[2]
	})
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatal("README.md does not list the faults as they are: go test ./drivers/modbus -run TestFaultsInReadme -update")
	}
	if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
