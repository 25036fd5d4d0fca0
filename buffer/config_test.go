package buffer

import (
	"errors"
	"strings"
	"testing"
	"time"

	"fieldferry/tag"
)

func TestConfig(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	bad := Config{RuntimeDir: "/x", MaxBytes: 1, MaxAge: time.Second, MinFree: -1, SyncInterval: time.Hour}
	var fs tag.Faults
	if !errors.As(bad.Validate(), &fs) || len(fs) != 5 {
		t.Errorf("got %v, want five faults", bad.Validate())
	}
	if _, err := Open(DirFS(), bad, quiet()); err == nil {
		t.Error("opened with a bad configuration")
	}
}

func TestSize(t *testing.T) {
	for in, want := range map[string]Size{
		"4GiB": 4 << 30, "512MiB": 512 << 20, "64 KiB": 64 << 10, "10GB": 10e9, "1.5kB": 1500, "7": 7, "7B": 7, "0": 0, "1TiB": 1 << 40,
	} {
		var got Size
		if err := got.UnmarshalText([]byte(in)); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", in, got, err, want)
		}
		var again Size
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("%q is written as %q, which reads as %d, %v", in, got, again, err)
		}
	}
	for _, in := range []string{"", "x", "4 gigs", "-1", "NaN", "1e300GiB", "GiB", "4gib"} {
		var got Size
		if err := got.UnmarshalText([]byte(in)); err == nil || !strings.Contains(err.Error(), "size") {
			t.Errorf("%q: got %d, %v, want an error", in, got, err)
		}
	}
}
