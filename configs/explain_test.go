package configs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"fieldferry/configs"
	"fieldferry/tag"
)

// TestDescriptionIsNotInherited: what describes a device, or is a key of a
// tag alone, is not a setting of the device's tags.
func TestDescriptionIsNotInherited(t *testing.T) {
	g := load(t, `links:
  - name: l
    driver: modbus-tcp
    endpoint: tcp://a:1
    description: the line
    devices:
      - name: d
        unit_id: 1
        description: the pump
        profile: meter
        tags:
          - {name: own, address: "hr:1", description: the tag}
          - {name: bare, address: "hr:2"}
`, "profiles/meter.yaml", `tags: [{name: other, address: "hr:3", description: of the profile}]`)
	for name, want := range map[string]string{"own": "the tag from tag", "bare": "", "other": "of the profile from profile meter"} {
		tg := g.Find("d", name)
		got := ""
		for _, s := range g.ExplainTag(tg) {
			if s.Key == "description" {
				got = strings.Trim(s.Value, `"`) + " from " + s.From
			}
		}
		if got != want {
			t.Errorf("description of %s: got %q, want %q (the tag has %q)", name, got, want, tg.Description)
		}
	}
}

func TestExplainTagIsTheTagsPartOfExplain(t *testing.T) {
	g := load(t, inheriting, "profiles/meter.yaml", meter)
	tg := g.Find("m1", "power")
	want := slices.DeleteFunc(g.Explain(tg), func(s configs.Setting) bool { return s.Of != "tag" })
	if got := g.ExplainTag(tg); !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	if got := g.ExplainTag(&tag.Tag{Name: tg.Name, Device: tg.Device}); got != nil {
		t.Errorf("a tag of another configuration: got %v, want nothing", got)
	}
}

// TestTagKeys: the keys that hold one text each, not groups such as labels.
func TestTagKeys(t *testing.T) {
	got := configs.TagKeys(options("").Drivers["modbus-tcp"])
	for _, want := range []string{"address", "type", "interval", "scale", "byte_order", "retain", "access"} {
		if !slices.Contains(got, want) {
			t.Errorf("keys %v lack %s", got, want)
		}
	}
	for _, not := range []string{"name", "labels"} {
		if slices.Contains(got, not) {
			t.Errorf("keys %v have %s", got, not)
		}
	}
}

// BenchmarkExplainTag is what the page's list of tags costs, per tag.
func BenchmarkExplainTag(b *testing.B) {
	var profile strings.Builder
	profile.WriteString("tags:\n")
	for i := range 1000 {
		fmt.Fprintf(&profile, "  - {name: t%d, address: \"hr:%d\", type: float32, unit: W, deadband: 0.5}\n", i, 2*i)
	}
	g := load(b, `links: [{name: l, driver: modbus-tcp, endpoint: "tcp://a:1", devices: [{each: 1..10, name: "d{n}", unit_id: "{n}", profile: big}]}]
`, "profiles/big.yaml", profile.String())
	tags := g.Tags()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		g.ExplainTag(tags[i%len(tags)])
		i++
	}
}
