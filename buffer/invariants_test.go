package buffer

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// invariants are what the buffer promises, and the tests that would see a
// breach. Those that check after every run of every workload do so in
// rig.check, rig.conserved, rig.afterCrash and knowledge.check.
var invariants = []struct {
	number int
	holds  string
	tests  []string
}{
	{1, "durable: what a sync has returned for is readable after any end, unless a drop is recorded, durably, before its file goes", []string{"TestCrashStates", "TestDropIsDurableBeforeItsFileGoes", "TestKillAtEveryOperation", "TestModel"}},
	{2, "prefix: a power cut costs the end of what was appended and leaves no holes", []string{"TestCrashStates"}},
	{3, "no invention: what is handed out was appended, and is unchanged", []string{"TestCrashStates", "TestModel", "TestBitFlips", "TestAnyPageDestroyed"}},
	{4, "order: sequence numbers grow and are never used twice, over restarts and repairs", []string{"TestCrashStates", "TestKillNine", "TestStartWithoutDisk", "TestModel"}},
	{5, "at least once: what is not settled comes again, what is settled durably never does", []string{"TestCrashStates", "TestKillNine"}},
	{6, "conservation: every account adds up, over restarts", []string{"TestCrashStates", "TestModel", "TestEveryOperationFailsOnce", "TestFullDisk"}},
	{7, "bounds: of bytes on disk, in memory, and of free space left to others", []string{"TestModel", "TestFreeFloor", "TestFullDisk"}},
	{8, "classes: nothing is dropped for room while a lower class has a sealed segment", []string{"TestLowerClassGoesFirst"}},
	{9, "damage costs the block that it is in, and is counted exactly", []string{"TestAnyPageDestroyed", "TestBitFlips", "TestFileGone"}},
	{10, "opening never fails for what files hold, deletes nothing unread, and twice is as good as once", []string{"TestEverythingGone", "TestHeadersGone", "TestCrashStates"}},
	{11, "no clock changes the order or deletes anything", []string{"TestClockJumps"}},
	{12, "speed: live samples do not wait for the backlog, by order and by count (as time, and the opening of 10 GiB: make bench)", []string{"TestLiveFirst", "TestAlarmIsSyncedAtOnce", "TestNextSegmentIsAllocatedAhead"}},
	{13, "an error of any operation leaves 1 to 6 true", []string{"TestEveryOperationFailsOnce", "TestSyncIsNotRetried", "TestDiskUnreadable", "TestCrashStates"}},
}

// TestInvariantsAreTested: the tests in the list exist.
func TestInvariantsAreTested(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") {
				there[fn.Name.Name] = true
			}
		}
	}
	for _, inv := range invariants {
		for _, name := range inv.tests {
			if !there[name] {
				t.Errorf("invariant %d (%s): there is no test %s", inv.number, inv.holds, name)
			}
		}
	}
}
