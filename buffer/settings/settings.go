// Package settings is what a user sets of a buffer.
package settings

import (
	"fmt"
	"path/filepath"
	"time"

	"fieldferry/buffer/size"
	"fieldferry/tag"
)

// Config says where the log lies and how much of the disk it may take.
type Config struct {
	// Dir holds the log. Default /var/lib/fieldferry/buffer.
	Dir string `yaml:"dir"`
	// RuntimeDir is in memory (tmpfs) and outlives the process, not the
	// machine's boot: samples wait there for the next sync. Empty: Append
	// writes straight to the log. Default /run/fieldferry.
	RuntimeDir string `yaml:"runtime_dir"`
	// MaxBytes bounds the files in Dir; beyond it the oldest samples are
	// dropped, a segment at a time. At least 8MiB. Default 4GiB.
	MaxBytes size.Bytes `yaml:"max_bytes"`
	// MaxAge bounds the age of the samples in Dir by the log's own time.
	// 0 means no bound. Default 720h (30 days).
	MaxAge time.Duration `yaml:"max_age"`
	// MinFree is how much of the disk is left to others. Default 512MiB.
	MinFree size.Bytes `yaml:"min_free"`
	// Profile says what the disk bears: "ssd", or "sd-card", which is written
	// to less often. Default ssd.
	Profile string `yaml:"profile"`
	// SyncInterval is the most that a power cut may cost, 10ms to 10m; samples
	// of class alarm are synced at once whatever it says. Default 1s, with the
	// profile sd-card 10s.
	SyncInterval time.Duration `yaml:"sync_interval"`
}

// The profiles.
const (
	profileSSD = "ssd"
	profileSD  = "sd-card"
)

// Filled returns c with what its profile decides where it says nothing.
func (c Config) Filled() Config {
	if c.SyncInterval == 0 {
		c.SyncInterval = time.Second
		if c.Profile == profileSD {
			c.SyncInterval = 10 * time.Second
		}
	}
	return c
}

// Default is the configuration of a gateway that says nothing.
func Default() Config {
	return Config{
		Dir:        "/var/lib/fieldferry/buffer",
		RuntimeDir: "/run/fieldferry",
		MaxBytes:   4 << 30,
		MaxAge:     30 * 24 * time.Hour,
		MinFree:    512 << 20,
		Profile:    profileSSD,
	}
}

// Validate returns all faults at once, as tag.Faults.
func (c Config) Validate() error {
	var fs tag.Faults
	if c.Dir == "" {
		fs = append(fs, tag.Fault{Path: "dir", Text: "empty", Hint: "name the directory that keeps the samples"})
	}
	if c.Dir != "" && c.RuntimeDir != "" && filepath.Clean(c.Dir) == filepath.Clean(c.RuntimeDir) {
		fs = append(fs, tag.Fault{Path: "runtime_dir", Text: fmt.Sprintf("%q is also the buffer's dir", c.RuntimeDir), Hint: "name a directory in memory, such as /run/fieldferry"})
	}
	if c.MaxBytes < minBytes {
		fs = append(fs, tag.Fault{Path: "max_bytes", Text: fmt.Sprintf("%q is too little", c.MaxBytes), Hint: "give it 8MiB at least"})
	}
	if c.MaxAge < 0 || c.MaxAge > 0 && c.MaxAge < time.Minute {
		fs = append(fs, tag.Fault{Path: "max_age", Text: fmt.Sprintf("%q is not an age", c.MaxAge), Hint: "0 for no limit, otherwise 1m at least"})
	}
	if c.MinFree < 0 {
		fs = append(fs, tag.Fault{Path: "min_free", Text: fmt.Sprintf("%q is negative", c.MinFree), Hint: "0 leaves nothing to others"})
	}
	if c.Profile != "" && c.Profile != profileSSD && c.Profile != profileSD {
		fs = append(fs, tag.Fault{Path: "profile", Text: fmt.Sprintf("%q is not a profile", c.Profile), Hint: "ssd or sd-card"})
	}
	c = c.Filled()
	if c.SyncInterval < 10*time.Millisecond || c.SyncInterval > 10*time.Minute {
		fs = append(fs, tag.Fault{Path: "sync_interval", Text: fmt.Sprintf("%q is out of range", c.SyncInterval), Hint: "10ms to 10m; leave it out for 1s, or 10s with profile: sd-card"})
	}
	return fs.Err()
}

const minBytes = 8 << 20
