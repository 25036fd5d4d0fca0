package mapping_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"fieldferry/mapping"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name string
		typ  string
		c    mapping.Config
		want []string
	}{
		{"nothing", "int16", mapping.Config{}, nil},
		{"everything", "float32", mapping.Config{Scale: p(0.1), Offset: p(-5), Deadband: p(0.5), MinInterval: 1, MaxInterval: 2, StaleAfter: time.Minute, Min: p(0), Max: p(0)}, nil},
		{"scale 0", "int16", mapping.Config{Scale: p(0)}, []string{"scale: a scale of 0 would make every value the same (leave it out, or use 1, for the raw value)"}},
		{"not finite", "int16", mapping.Config{Offset: p(math.NaN()), Max: p(math.Inf(1))}, []string{
			"offset: NaN is not a finite number (write a number such as 0.1)", "max: +Inf is not a finite number (write a number such as 0.1)"}},
		{"negative deadband", "int16", mapping.Config{Deadband: p(-1)}, []string{"deadband: -1 is negative (use 0 to publish every read)"}},
		{"limits exchanged", "int16", mapping.Config{Min: p(10), Max: p(1)}, []string{"min: min 10 is above max 1 (no value could be within them: exchange them)"}},
		{"negative times", "int16", mapping.Config{MinInterval: -1, MaxInterval: -1, StaleAfter: -1}, []string{
			"min_interval: -1ns is negative (use 0 to leave it to the default)",
			"max_interval: -1ns is negative (use 0 to leave it to the default)",
			"stale_after: -1ns is negative (use 0 to leave it to the default)"}},
		{"intervals exchanged", "int16", mapping.Config{MinInterval: time.Minute, MaxInterval: time.Second}, []string{
			"min_interval: min_interval 1m0s is longer than max_interval 1s (a tag cannot be published both less and more often: exchange them)"}},
		{"stale between reads", "int16", mapping.Config{StaleAfter: time.Millisecond}, []string{
			"stale_after: stale_after 1ms is shorter than the interval 1s (the tag would be stale between any two reads: use at least two intervals)"}},
		{"text", "string", mapping.Config{Scale: p(2), Offset: p(1), Deadband: p(1), Min: p(0), Max: p(1)}, []string{
			`scale: scale needs a number, but the type is "string" (remove it, or write scale: 1 at this tag where it is inherited)`,
			`offset: offset needs a number, but the type is "string" (remove it, or write offset: 0 at this tag where it is inherited)`,
			`deadband: deadband needs a number, but the type is "string" (remove it, or write deadband: 0 at this tag where it is inherited)`,
			`min: min needs a number, but the type is "string" (remove it, or correct the type)`,
			`max: max needs a number, but the type is "string" (remove it, or correct the type)`}},
		{"writes", "float32", mapping.Config{Step: p(0.5), MaxStep: p(5), WriteTolerance: p(0), MinWriteInterval: time.Minute}, nil},
		{"writes that cannot be", "int16", mapping.Config{Step: p(0), MaxStep: p(-1), WriteTolerance: p(-1), MinWriteInterval: -1}, []string{
			"step: with 0 the values that may be written would not differ (leave it out, or write a number above 0)",
			"max_step: with -1 no write could change anything (leave it out, or write a number above 0)",
			"write_tolerance: with -1 nothing could be read back as it was written (leave it out, or write a number above 0)",
			"min_write_interval: -1ns is negative (use 0 to leave it to the default)"}},
		{"steps of text", "bool", mapping.Config{Step: p(1), MaxStep: p(1), WriteTolerance: p(1)}, []string{
			`step: step needs a number, but the type is "bool" (remove it, or correct the type)`,
			`max_step: max_step needs a number, but the type is "bool" (remove it, or correct the type)`,
			`write_tolerance: write_tolerance needs a number, but the type is "bool" (remove it, or correct the type)`}},
		{"text, switched off", "string", mapping.Config{Scale: p(1), Offset: p(0), Deadband: p(0)}, nil},
		{"bool", "Bool", mapping.Config{Scale: p(2)}, []string{`scale: scale needs a number, but the type is "Bool" (remove it, or write scale: 1 at this tag where it is inherited)`}},
	} {
		var got []string
		for _, f := range mapping.Check(newTag(c.typ), c.c) {
			got = append(got, f.Error())
		}
		if g, w := strings.Join(got, "\n"), strings.Join(c.want, "\n"); g != w {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", c.name, g, w)
		}
	}
}

// TestConfigKeys: the loader goes by the yaml tags; every field needs its own.
func TestConfigKeys(t *testing.T) {
	var got []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[mapping.Config]()) {
		got = append(got, f.Tag.Get("yaml"))
	}
	want := "scale offset deadband min_interval max_interval stale_after min max step max_step write_tolerance min_write_interval"
	if strings.Join(got, " ") != want {
		t.Errorf("keys: got %v, want %s", got, want)
	}
}
