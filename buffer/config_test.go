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
	bad := Config{RuntimeDir: "/x", MaxBytes: 1, MaxAge: time.Second, MinFree: -1, Profile: "tape", SyncInterval: time.Hour}
	var fs tag.Faults
	if !errors.As(bad.Validate(), &fs) || len(fs) != 6 {
		t.Errorf("got %v, want six faults", bad.Validate())
	}
	if _, err := Open(DirFS(), bad, quiet()); err == nil {
		t.Error("opened with a bad configuration")
	}
}

// TestProfile: what the disk is decides how often it is written, unless the
// user does.
func TestProfile(t *testing.T) {
	for _, x := range []struct {
		profile   string
		set, want time.Duration
	}{
		{"", 0, time.Second},
		{"ssd", 0, time.Second},
		{"sd-card", 0, 10 * time.Second},
		{"sd-card", time.Second, time.Second},
	} {
		c := Default()
		c.Profile, c.SyncInterval = x.profile, x.set
		if got := c.Filled().SyncInterval; got != x.want {
			t.Errorf("profile %q, sync_interval %v: got %v, want %v", x.profile, x.set, got, x.want)
		}
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
