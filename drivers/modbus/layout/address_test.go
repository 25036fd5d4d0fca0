package layout

import (
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for _, c := range []struct{ in, want, err string }{
		{in: "coil:0", want: "coil:0"},
		{in: "di:65535", want: "di:65535"},
		{in: "ir:0x10", want: "ir:16"},
		{in: "HR: 100", want: "hr:100"},
		{in: " hr:10.3 ", want: "hr:10.3"},
		{in: "hr:0xFF.15", want: "hr:255.15"},
		{in: "hr:10.hi", want: "hr:10.hi"},
		{in: "ir:10.lo", want: "ir:10.lo"},
		{in: "00001", want: "coil:0"},
		{in: "10001", want: "di:0"},
		{in: "30001", want: "ir:0"},
		{in: "40001", want: "hr:0"},
		{in: "49999", want: "hr:9998"},
		{in: "400001", want: "hr:0"},
		{in: "465536", want: "hr:65535"},
		{in: "065536", want: "coil:65535"},
		{in: "40001.10", want: "hr:0.10"},
		{in: "40001.1", want: "hr:0.1"},
		{in: "", err: "neither"},
		{in: "hr", err: "neither"},
		{in: "hr:", err: "where a number belongs"},
		{in: "hr:-1", err: "where a number belongs"},
		{in: "hr:65536", err: "beyond 65535"},
		{in: "hr:0x", err: "where a number belongs"},
		{in: "hr:99999999999999999999", err: "where a number belongs"},
		{in: "reg:1", err: `unknown table "reg"`},
		{in: "hr:10.16", err: "bits are 0-15"},
		{in: "hr:10.", err: "bits are 0-15"},
		{in: "hr:10.003", err: "bits are 0-15"},
		{in: "coil:1.3", err: "single bit"},
		{in: "40000", err: "outside 40001-49999"},
		{in: "400000", err: "outside 400001-465536"},
		{in: "465537", err: "outside 400001-465536"},
		{in: "50001", err: "starts with 5"},
		{in: "123", err: "3 digits"},
		{in: "4000001", err: "7 digits"},
	} {
		a, err := ParseAddress(c.in)
		switch {
		case c.err == "" && (err != nil || a.String() != c.want):
			t.Errorf("ParseAddress(%q) = %v, %v; want %s", c.in, a, err, c.want)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("ParseAddress(%q) = %v, %v; want an error with %q", c.in, a, err, c.err)
		}
	}
}

// FuzzParseAddress: whatever is accepted lies in the tables and is written
// back as something that means the same.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"hr:10.3", "40001", "400001.15", "coil:0x1F", "ir:1.hi", "di:", "00001", "::", "hr:1.1.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if a.Number < 0 || a.Number > 65535 || a.Bit < 0 || a.Bit > 15 || a.Table > InputRegisters {
			t.Fatalf("ParseAddress(%q) = %+v, outside the tables", s, a)
		}
		again, err := ParseAddress(a.String())
		if err != nil || again != a {
			t.Fatalf("ParseAddress(%q) = %v, read back %v, %v", s, a, again, err)
		}
	})
}
