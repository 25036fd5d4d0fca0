package tag_test

import (
	"strings"
	"testing"

	"fieldferry/tag"
)

func TestNearest(t *testing.T) {
	words := []string{"device", "uplink", "tag", "unit", "m1/temperature"}
	for s, want := range map[string]string{
		"devcie": "device", "Device": "device", "dev": "", "tga": "tag", "": "", "m1/temperatur": "m1/temperature",
		"unti": "unit", "x": "", strings.Repeat("device", 100): "", "dévice": "device",
	} {
		if got := tag.Nearest(s, words); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}
