package size

import (
	"strings"
	"testing"
)

func TestBytes(t *testing.T) {
	for in, want := range map[string]Bytes{
		"4GiB": 4 << 30, "512MiB": 512 << 20, "64 KiB": 64 << 10, "10GB": 10e9, "1.5kB": 1500, "7": 7, "7B": 7, "0": 0, "1TiB": 1 << 40,
	} {
		var got Bytes
		if err := got.UnmarshalText([]byte(in)); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", in, got, err, want)
		}
		var again Bytes
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("%q is written as %q, which reads as %d, %v", in, got, again, err)
		}
	}
	for _, in := range []string{"", "x", "4 gigs", "-1", "NaN", "1e300GiB", "GiB", "4gib"} {
		var got Bytes
		if err := got.UnmarshalText([]byte(in)); err == nil || !strings.Contains(err.Error(), "size") {
			t.Errorf("%q: got %d, %v, want an error", in, got, err)
		}
	}
}
