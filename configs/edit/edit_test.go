package edit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"fieldferry/configs/tree"

	"pgregory.net/rapid"
)

func kinds(_, key string) Kind {
	switch key {
	case "address", "unit", "description", "name", "type":
		return Text
	case "scale", "deadband", "interval":
		return Bare
	}
	return Guess
}

const sample = `# the plant
links:
  - name: line1   # first
    driver: modbus-tcp
    devices:
      - {each: 1..20, name: "meter{n:02}", profile: sdm}
      - name: pump   # µ³
        profile: pump
        # tags follow
        tags:
          - {name: speed, address: "hr:100", scale: 0.1, unit: rpm}  # 1/min
          - name: total      # a block
            address: 'hr:102'   # quoted
            # before unit
            unit: m³
            description: |
              two
              lines
          - {name: "äöü", address: "hr:1", labels: {cell: "4"}, invalid: [1, # one
              2]}
        # end of pump

      - name: fan
        profile: fan
      - {name: flow, tags: [{name: a, address: "hr:7"}]}
      - name: empty
        tags:
      - name: last
        tags:
        - name: x
          address: "hr:1"`

func TestSet(t *testing.T) {
	tests := []struct {
		device, tag string
		set         map[string]string
		gone, come  []string // lines that disappear and appear
	}{
		{"pump", "speed", map[string]string{"scale": "0.2"},
			[]string{`          - {name: speed, address: "hr:100", scale: 0.1, unit: rpm}  # 1/min`},
			[]string{`          - {name: speed, address: "hr:100", scale: 0.2, unit: rpm}  # 1/min`}},
		{"pump", "speed", map[string]string{"address": "40001.10", "deadband": "1", "unit": ""},
			[]string{`          - {name: speed, address: "hr:100", scale: 0.1, unit: rpm}  # 1/min`},
			[]string{`          - {name: speed, address: "40001.10", scale: 0.1, deadband: 1}  # 1/min`}},
		{"pump", "total", map[string]string{"address": "hr:104"},
			[]string{`            address: 'hr:102'   # quoted`}, []string{`            address: "hr:104"   # quoted`}},
		{"pump", "total", map[string]string{"deadband": "0.5", "interval": "5s"}, nil,
			[]string{`            deadband: 0.5`, `            interval: 5s`}},
		{"pump", "total", map[string]string{"unit": ""}, []string{`            unit: m³`}, nil},
		{"pump", "total", map[string]string{"description": "one: line # no comment"},
			[]string{`            description: |`, `              two`, `              lines`}, []string{`            description: "one: line # no comment"`}},
		{"pump", "äöü", map[string]string{"unit": "°C"},
			[]string{`              2]}`}, []string{`              2], unit: "°C"}`}},
		{"pump", "äöü", map[string]string{"labels": `{cell: "5", x: y}`},
			[]string{`          - {name: "äöü", address: "hr:1", labels: {cell: "4"}, invalid: [1, # one`},
			[]string{`          - {name: "äöü", address: "hr:1", labels: {cell: "5", x: y}, invalid: [1, # one`}},
		{"pump", "level", map[string]string{"interval": "5s"}, nil, []string{`          - {name: level, interval: 5s}`}},
		{"fan", "speed", map[string]string{"deadband": "2"}, nil, []string{`        tags: [{name: speed, deadband: 2}]`}},
		{"flow", "a", map[string]string{"name": "b"},
			[]string{`      - {name: flow, tags: [{name: a, address: "hr:7"}]}`}, []string{`      - {name: flow, tags: [{name: b, address: "hr:7"}]}`}},
		{"last", "x", map[string]string{"unit": "K", "interval": "1s"},
			[]string{}, []string{`          unit: K`, `          interval: 1s`}},
		{"pump", "speed", map[string]string{"scale": "0,5"},
			[]string{`          - {name: speed, address: "hr:100", scale: 0.1, unit: rpm}  # 1/min`},
			[]string{`          - {name: speed, address: "hr:100", scale: "0,5", unit: rpm}  # 1/min`}},
	}
	for _, nl := range []string{"\n", "\r\n"} {
		in := strings.ReplaceAll(sample, "\n", nl)
		for _, tt := range tests {
			out, err := Set([]byte(in), tt.device, tt.tag, tt.set, kinds)
			if err != nil {
				t.Errorf("set %v of %s/%s: %v", tt.set, tt.device, tt.tag, err)
				continue
			}
			gone, come := diff(strings.Split(in, nl), strings.Split(string(out), nl))
			if !slices.Equal(gone, tt.gone) || !slices.Equal(come, tt.come) {
				t.Errorf("set %v of %s/%s with %q:\n gone %q\n want %q\n come %q\n want %q", tt.set, tt.device, tt.tag, nl, gone, tt.gone, come, tt.come)
			}
		}
	}
}

// diff is the lines that only a and only b have, in order.
func diff(a, b []string) (gone, come []string) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}

func TestRefused(t *testing.T) {
	tests := []struct {
		in, device, tag string
		set             map[string]string
		want            string
	}{
		{sample, "meter07", "power", map[string]string{"scale": "1"}, "is one of those that `each` makes on line 6"},
		{sample, "pmup", "speed", nil, "not in the tag map"},
		{sample, "flow", "b", nil, "not in the tag map"},
		{sample, "pump", "speed", map[string]string{"name": ""}, "cannot be removed"},
		{sample, "fan", "x", map[string]string{"name": "y"}, "comes from a profile"},
		{"links: [\n", "a", "b", nil, "before it is repaired"},
		{"links: [{devices: [{name: a, tags: [{name: b, unit: &u K}, {name: c, unit: *u}]}]}]", "a", "b", map[string]string{"unit": "V"}, "by hand"},
		{"links: [{devices: [{name: a, tags: &t [{name: b}]}, {name: c, tags: *t}]}]", "c", "b", map[string]string{"unit": "V"}, "by hand"},
	}
	for _, tt := range tests {
		out, err := Set([]byte(tt.in), tt.device, tt.tag, tt.set, kinds)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("set %v of %s/%s: got %q, %v; want an error with %q", tt.set, tt.device, tt.tag, out, err, tt.want)
		}
	}
}

func TestAddRemove(t *testing.T) {
	for _, device := range []string{"pump", "fan", "flow", "empty", "last"} {
		out, err := Add([]byte(sample), device, "new", map[string]string{"address": "hr:9", "unit": "V"}, kinds)
		if err != nil {
			t.Errorf("add to %s: %v", device, err)
			continue
		}
		if _, err := Add(out, device, "new", nil, kinds); err == nil {
			t.Errorf("add to %s twice: no error", device)
		}
		back, err := Remove(out, device, "new")
		if err != nil {
			t.Errorf("remove from %s: %v", device, err)
		} else if gone, come := diff(strings.Split(sample, "\n"), strings.Split(string(back), "\n")); len(gone) > 1 || len(come) > 1 {
			t.Errorf("add to and remove from %s leaves\n%q instead of\n%q", device, come, gone)
		}
	}
	if _, err := Remove([]byte(sample), "fan", "speed"); !errors.Is(err, ErrNotFound) {
		t.Errorf("remove a tag of a profile: got %v, want ErrNotFound", err)
	}
}

// TestAny edits random maps and holds every edit to its promise: the text
// parses, the tag has exactly the settings that were asked for, every other
// value and every line without the tag is as it was.
func TestAny(t *testing.T) { rapid.Check(t, anyEdits) }

func anyEdits(t *rapid.T) {
	file := []byte(randomMap(t))
	device := fmt.Sprint("d", rapid.IntRange(0, 2).Draw(t, "device"))
	for i := range 4 {
		name := fmt.Sprint("t", rapid.IntRange(0, 3).Draw(t, "tag"))
		set := map[string]string{}
		for range rapid.IntRange(1, 3).Draw(t, "keys") {
			key := rapid.SampledFrom([]string{"address", "unit", "scale", "deadband", "other", "description"}).Draw(t, "key")
			set[key] = rapid.OneOf(rapid.SampledFrom([]string{"", "1", "0.5", "a b", "x: y", "# no", "it's", `"`, "null", "[a", "{a: b}", "äö", " x ", "- a", "a\nb", "0,5", "*a", "&b", "!c", "%", "true"}), rapid.StringN(0, 8, 20)).Draw(t, "value")
		}
		out, err := Set(file, device, name, set, kinds)
		if err != nil {
			if !refusable(err) {
				t.Fatalf("edit %d: set %q of %s/%s in\n%s\n%v", i, set, device, name, file, err)
			}
			continue
		}
		holds(t, file, out, device, name, set)
		file = out
	}
}

// refusable are the errors that may come of random texts.
func refusable(err error) bool {
	return errors.Is(err, ErrNotFound) || strings.Contains(err.Error(), "by hand") || strings.Contains(err.Error(), "NUL")
}

func holds(t *rapid.T, file, out []byte, device, name string, set map[string]string) {
	r := &tree.Report{}
	tree.Parse("", out, r)
	if r.Len() > 0 {
		t.Fatalf("set %q of %s/%s breaks\n%s\ninto\n%s\n%v", set, device, name, file, out, r.Faults())
	}
	pb, _ := find(file, device)
	pa, err := find(out, device)
	if err != nil {
		t.Fatal(err)
	}
	tag := pa.tag(name)
	for key, v := range set {
		if n := tag.Get(key); v == "" && n != nil || v != "" && (n == nil || n.Kind == tree.Scalar && n.Text != v) {
			t.Fatalf("set %q of %s/%s: got %s for %s in\n%s", set, device, name, n, key, out)
		}
	}
	old := pb.tag(name)
	if old != nil {
		for _, p := range old.Pairs {
			if _, asked := set[p.Key.Text]; !asked && tag.Get(p.Key.Text).String() != p.Value.String() {
				t.Fatalf("set %q of %s/%s changed %s", set, device, name, p.Key.Text)
			}
		}
	}
	gone, come := diff(strings.Split(string(file), "\n"), strings.Split(string(out), "\n"))
	concerned := old
	if old == nil {
		concerned = pb.device
	}
	start, end, err := concerned.Span()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(file[lineStart(file, start):lineEnd(file, end)]), "\n")
	kept, removed := strings.Count(strings.Join(gone, "\n"), "# keep")-strings.Count(strings.Join(come, "\n"), "# keep"), 0
	for _, v := range set {
		if v == "" {
			removed++
		}
	}
	if kept > removed {
		t.Fatalf("set %q of %s/%s lost %d comments of\n%s\nin\n%s", set, device, name, kept, file, out)
	}
	for _, line := range gone {
		if !slices.Contains(lines, line) {
			t.Fatalf("set %q of %s/%s changed the line %q of\n%s\nin\n%s", set, device, name, line, file, out)
		}
	}
	for _, d := range []string{"d0", "d1", "d2"} {
		if d == device {
			continue
		}
		a, _ := find(file, d)
		b, _ := find(out, d)
		if a != nil && (b == nil || a.device.String() != b.device.String()) {
			t.Fatalf("set %q of %s/%s changed device %s", set, device, name, d)
		}
	}
}

// randomMap writes a tag map in a mixture of styles.
func randomMap(t *rapid.T) string {
	var b strings.Builder
	b.WriteString("# keep top\nlinks:\n  - name: l\n    driver: x\n    defaults: {profile: p}\n    devices:\n")
	value := rapid.SampledFrom([]string{`"hr:1"`, "plain", "'it''s'", "7", "0.5", `"a # b"`, "two words", "m³"})
	for d := range 3 {
		comment := rapid.SampledFrom([]string{"", " # keep c", "   # keep µ"})
		if rapid.Bool().Draw(t, "flow device") {
			fmt.Fprintf(&b, "      - {name: d%d, tags: [", d)
			for i := range rapid.IntRange(0, 3).Draw(t, "tags") {
				if i > 0 {
					b.WriteString(", ")
				}
				fmt.Fprintf(&b, "{name: t%d, address: %s}", i, value.Draw(t, "v"))
			}
			fmt.Fprintf(&b, "]}%s\n", comment.Draw(t, "c"))
			continue
		}
		fmt.Fprintf(&b, "      - name: d%d%s\n", d, comment.Draw(t, "c"))
		n := rapid.IntRange(0, 3).Draw(t, "tags")
		if n > 0 {
			b.WriteString("        tags:\n")
		}
		for i := range n {
			if rapid.Bool().Draw(t, "comment line") {
				fmt.Fprintf(&b, "          # keep %d %d\n", d, i)
			}
			if rapid.Bool().Draw(t, "flow tag") {
				fmt.Fprintf(&b, "          - {name: t%d, unit: %s, address: %s}%s\n", i, value.Draw(t, "v"), value.Draw(t, "v"), comment.Draw(t, "c"))
				continue
			}
			keys := rapid.Permutation([]string{"name", "address", "unit"}).Draw(t, "keys")
			for j, k := range keys {
				lead := "            "
				if j == 0 {
					lead = "          - "
				}
				v := value.Draw(t, "v")
				if k == "name" {
					v = fmt.Sprint("t", i)
				}
				fmt.Fprintf(&b, "%s%s: %s%s\n", lead, k, v, comment.Draw(t, "c"))
			}
		}
	}
	return b.String()
}

func FuzzSet(f *testing.F) {
	f.Add([]byte(sample), "pump", "speed", "scale", "2")
	f.Add([]byte(sample), "fan", "x", "unit", "a: b")
	f.Add([]byte(sample), "pump", "total", "unit", "")
	f.Fuzz(func(t *testing.T, file []byte, device, tag, key, value string) {
		if out, err := Set(file, device, tag, map[string]string{key: value}, kinds); err == nil {
			if _, err := parse(out); err != nil {
				t.Fatalf("set %s=%q of %s/%s breaks %q into %q: %v", key, value, device, tag, file, out, err)
			}
		}
	})
}
