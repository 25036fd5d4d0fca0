// Package sink is the way of a link's samples: mapped, then appended to the
// buffer. internal/gateway makes one for each link; acquire calls it from one
// goroutine at a time. It blocks for as long as the disk does.
package sink

import (
	"log/slog"
	"time"

	"fieldferry/buffer"
	"fieldferry/mapping"
	"fieldferry/tag"
)

// Appender is what a link needs of the buffer.
type Appender interface {
	Append(samples []tag.Sample) error
}

var _ Appender = (*buffer.Buffer)(nil)

// Sink is the way of a link's samples: mapped, then appended. acquire calls it
// from one goroutine at a time.
type Sink struct {
	Table *mapping.Table
	Out   Appender
	Log   *slog.Logger

	swept  []tag.Sample
	failed bool // the last Append failed: only the edge is logged
}

// Accept maps what was read and appends it.
func (s *Sink) Accept(in []tag.Sample) { s.append(s.Table.Apply(in)) }

// Sweep appends what has become due by time.
func (s *Sink) Sweep(now time.Time) {
	s.swept = s.Table.Sweep(now, s.swept[:0])
	s.append(s.swept)
}

// Pushed says which tags their device sends.
func (s *Sink) Pushed(tags []*tag.Tag) { s.Table.Pushed(tags) }

// append hands samples to the buffer, which counts what it cannot keep.
func (s *Sink) append(out []tag.Sample) {
	if len(out) == 0 {
		return
	}
	err := s.Out.Append(out)
	if (err != nil) == s.failed {
		return
	}
	s.failed = err != nil
	if s.failed {
		s.Log.Error("samples not kept", "err", err)
	} else {
		s.Log.Info("samples are kept again")
	}
}
