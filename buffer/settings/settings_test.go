package settings

import (
	"errors"
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
	same := Default()
	same.RuntimeDir = same.Dir + "/./" // it would be locked twice
	if err := same.Validate(); !errors.As(err, &fs) || len(fs) != 1 || fs[0].Path != "runtime_dir" {
		t.Errorf("runtime directory %s in dir %s: got %v, want a fault of runtime_dir", same.RuntimeDir, same.Dir, err)
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
