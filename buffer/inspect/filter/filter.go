// Package filter says which samples of a log are wanted: by number, by time, by
// name. Nothing in it blocks, and a Filter may be used by many.
package filter

import (
	"path"
	"time"

	"fieldferry/tag"
)

// Filter says which samples are wanted. Its zero value means all of the log.
type Filter struct {
	FromSeq, ToSeq uint64    // both inclusive; 0: no limit
	From, To       time.Time // source timestamps, From inclusive, To exclusive; zero: no limit
	Tags           []string  // DEVICE/TAG, with * ? and [] as in file names; empty: all
	Devices        []string  // likewise
	Aside          bool      // the files that were set aside, too
}

// Wants says that a sample with the number seq is wanted.
func (f *Filter) Wants(seq uint64, s *tag.Sample) bool {
	t := s.Time
	switch {
	case seq < f.FromSeq, f.ToSeq > 0 && seq > f.ToSeq:
		return false
	case !f.From.IsZero() && t.Before(f.From), !f.To.IsZero() && !t.Before(f.To):
		return false
	case len(f.Tags) == 0 && len(f.Devices) == 0:
		return true
	}
	return matches(f.Tags, s.Tag.Path()) || matches(f.Devices, s.Tag.Device.Name)
}

func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(p, name); ok && err == nil || p == name {
			return true
		}
	}
	return false
}
