package option

import (
	"testing"

	"fieldferry/drivers/modbus/plan"
)

func TestCoalesceText(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Coalesce
		text string
	}{
		{"auto", Coalesce{}, "auto"},
		{"off", Coalesce{mode: plan.Single}, "off"},
		{"gap:20", Coalesce{plan.Gap, 20}, "gap:20"},
		{"gap: 0", Coalesce{plan.Gap, 0}, "gap:0"},
		{"gap", Coalesce{}, ""},
		{"20", Coalesce{}, ""},
		{"gap:-1", Coalesce{}, ""},
		{"gap:9999", Coalesce{}, ""},
	} {
		var got Coalesce
		err := got.UnmarshalText([]byte(c.in))
		if (err == nil) != (c.text != "") || got != c.want || err == nil && got.String() != c.text {
			t.Errorf("%q: got %+v, %v; want %+v", c.in, got, err, c.want)
		}
	}
}
