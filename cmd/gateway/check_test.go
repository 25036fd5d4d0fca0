package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCheckTellsBusTime: the text and the JSON of check say the same of each
// link.
func TestCheckTellsBusTime(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"gateway.yaml": "gateway: {name: gw1}\nbuffer: {dir: " + filepath.Join(dir, "buffer") + ", max_bytes: 64MiB}\n",
		"tagmap.yaml": `links:
  - name: line1
    driver: modbus-rtu
    endpoint: /dev/ttyS9
    devices:
      - {name: meter, tags: [{name: u1, address: "hr:0", type: uint16, interval: 20ms}, {name: u2, address: "hr:900", type: uint16, interval: 20ms}]}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := func(args ...string) string {
		c := checkCmd()
		var out bytes.Buffer
		c.SetOut(&out)
		c.SetArgs(append(args, dir, "--admin", filepath.Join(dir, "none.yaml")))
		if err := c.Execute(); err != nil {
			t.Fatalf("check %v: %v\n%s", args, err, out.String())
		}
		return out.String()
	}
	var v struct {
		OK       bool     `json:"ok"`
		BusTimes []string `json:"bus_times"`
	}
	raw, text := check("--json"), check()
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	if !v.OK || len(v.BusTimes) != 1 || !strings.HasPrefix(v.BusTimes[0], "warning: link line1 cannot keep up") || !slices.Contains(strings.Split(text, "\n"), v.BusTimes[0]) {
		t.Errorf("got %q in\n%s\nwant the line on line1 that stands in\n%s", v.BusTimes, raw, text)
	}
}
