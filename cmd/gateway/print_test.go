package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"fieldferry/cmd/gateway/console"
)

const hostile = "no\x1b[2J\r\nUP\tfine\u009b31m\u202eend\x7f"

func TestSafe(t *testing.T) {
	const want = "no\uFFFD[2J\uFFFD\uFFFDUP\uFFFDfine\uFFFD31m\uFFFDend\uFFFD"
	if got := console.Safe(hostile); got != want {
		t.Errorf("console.Safe(%q) = %q, want %q", hostile, got, want)
	}
	if got := console.SafeLines("a\n\tb\x1b\n"); got != "a\n\tb\uFFFD\n" {
		t.Errorf("safeLines: got %q", got)
	}
	raw, err := json.Marshal(map[string]string{"error": hostile})
	if err != nil {
		t.Fatal(err)
	}
	text := console.SafeJSON(raw)
	if strings.ContainsFunc(text, console.Dangerous) {
		t.Errorf("safeJSON leaves %q", text)
	}
	var back map[string]string
	if err := json.Unmarshal([]byte(text), &back); err != nil || back["error"] != hostile {
		t.Errorf("safeJSON changes the meaning: got %q (%v), want %q", back["error"], err, hostile)
	}
}

func TestPrintStatusIsSafe(t *testing.T) {
	raw, err := json.Marshal(map[string]any{
		"health": map[string]string{"sentence": "1 of 1 devices is down"}, "fault": hostile,
		"links": []any{map[string]any{"name": hostile, "state": "up", "budget": hostile,
			"counts": []any{map[string]any{"name": "late" + hostile, "count": 7}, map[string]any{"name": "foreign", "count": 0}}, "notes": []string{"another master" + hostile}}},
		"devices": []any{map[string]any{"name": "press", "state": "down", "error": hostile}},
		"uplinks": []any{map[string]any{"name": "plant", "broker": hostile, "error": hostile, "dropped": []any{map[string]any{"reason": "max bytes", "samples": 5}}}},
		"buffer":  map[string]any{"state": "down", "error": hostile, "bytes": 3 << 20},
	})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := printStatus(&b, raw); err != nil {
		t.Fatal(err)
	}
	if got := strings.ReplaceAll(b.String(), "\n", ""); strings.ContainsFunc(got, console.Dangerous) || strings.Count(b.String(), "\n") != 17 {
		t.Errorf("got %q, want 17 lines without control characters", b.String())
	}
}

func TestPrintStatusTellsWhatLinksHaveSeen(t *testing.T) {
	const raw = `{"links": [{"name": "line1", "state": "up", "counts": [{"name": "damaged", "count": 2}, {"name": "late", "count": 0}, {"name": "noise_bytes", "count": 9}], "notes": ["another master asks on this line (unit 9, function 3)"]}]}`
	var b strings.Builder
	if err := printStatus(&b, json.RawMessage(raw)); err != nil {
		t.Fatal(err)
	}
	const want = "\nline1 has seen 2 damaged, 9 noise bytes\nline1: warning: another master asks on this line (unit 9, function 3)\n"
	if !strings.Contains(b.String(), want) {
		t.Errorf("got\n%s\nwant in it\n%s", b.String(), want)
	}
}

func TestPrintReport(t *testing.T) {
	tests := []struct {
		faults    []fault
		want, err string
	}{
		{[]fault{{File: "tagmap.yaml", Line: 20, Column: 1, Text: "wrong"}}, "tagmap.yaml:20:1: wrong\n", "1 fault; nothing was changed"},
		{[]fault{{File: "tagmap.yaml", Text: "wrong", Hint: "mend it"}}, "tagmap.yaml: wrong (mend it)\n", "1 fault; nothing was changed"},
		{[]fault{{Text: "wrong"}, {File: "a", Line: 1, Column: 2, Path: "p", Text: "x\x1b\ny"}}, "wrong\na:1:2: p: x\uFFFD\uFFFDy\n", "2 faults; nothing was changed"},
		{[]fault{{File: "tagmap.yaml", Device: "pump", Tag: "speed", Text: "wrong"}}, "tagmap.yaml: pump/speed: wrong\n", "1 fault; nothing was changed"},
		{[]fault{{Device: "pump", Text: "wrong"}}, "pump: wrong\n", "1 fault; nothing was changed"},
	}
	for _, tt := range tests {
		var b strings.Builder
		err := report{Faults: tt.faults}.print(&b)
		var c *console.Coded
		if b.String() != tt.want || !errors.As(err, &c) || c.Code != console.ExitFaults || c.Error() != tt.err {
			t.Errorf("print %+v:\n got %q, %v\nwant %q, %s", tt.faults, b.String(), err, tt.want, tt.err)
		}
	}
}
