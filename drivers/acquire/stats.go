package acquire

import (
	"context"
	"errors"
	"sync"
	"time"
)

// LinkStats is what a link has been doing since the gateway started it.
type LinkStats struct {
	Name       string
	Driver     string
	Endpoint   string
	Up         bool
	Since      time.Time // when Up last changed
	LastError  string    // of the last time it went down
	Reconnects uint64    // connections after the first
	Reads      uint64    // groups read, whatever came of it
	Overruns   uint64    // scheduled reads that had no turn
	Panics     uint64    // of the driver
	Busy       time.Duration
	Devices    []DeviceStats
}

// DeviceStats is what a device has been doing.
type DeviceStats struct {
	Name       string
	Dead       bool
	Since      time.Time     // when Dead last changed, or the start
	LastAnswer time.Time     // zero: never
	Reads      uint64        // answers
	Missed     uint64        // answers that did not come, or could not be used
	MissedNow  uint64        // of those, in a row until now
	Overruns   uint64        // scheduled reads that had no turn
	Took       time.Duration // the last answer's
	Typical    time.Duration // moving average over about eight answers
	LastError  string
}

// stats is the link's part of LinkStats, written by its goroutine.
type stats struct {
	mu       sync.Mutex // guards the fields below
	isUp     bool
	told     bool // the tags were made bad and no device has answered since
	since    time.Time
	lastErr  string
	connects uint64
	reads    uint64
	overruns uint64
	panics   uint64
	failed   uint64 // attempts since it went down
	busy     time.Duration
}

// up notes a connection, and tells how long the link had been down and how
// many attempts failed, if it was up before.
func (s *stats) up(now time.Time) (failed uint64, down time.Duration, was bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	failed, down, was = s.failed, now.Sub(s.since), s.connects > 0
	s.isUp, s.since, s.failed = true, now, 0
	s.connects++
	return failed, down, was
}

// down notes a lost or failed connection, and says whether it is to be told:
// once, and not when it is opened again without a pause.
func (s *stats) down(now time.Time, err error, pause time.Duration) (tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isUp {
		s.since = now
	}
	s.isUp, s.lastErr = false, err.Error()
	s.failed++
	tell = !s.told && pause > 0
	s.told = s.told || tell
	return tell
}

// alive notes an answer: the next loss of the link is news again.
func (s *stats) alive() {
	s.mu.Lock()
	s.told = false
	s.mu.Unlock()
}

func (s *stats) panicked() {
	s.mu.Lock()
	s.panics++
	s.mu.Unlock()
}

func (s *stats) overran(n uint64) {
	s.mu.Lock()
	s.overruns += n
	s.mu.Unlock()
}

func (s *stats) read(took time.Duration) {
	s.mu.Lock()
	s.reads++
	s.busy += took
	s.mu.Unlock()
}

// deviceStats is the shared part of DeviceStats.
type deviceStats struct {
	mu         sync.Mutex // guards the fields below
	s          DeviceStats
	missedDead uint64 // answers missed since it died
}

func (d *deviceStats) answered(now time.Time, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.s.Reads++
	d.s.MissedNow = 0
	d.s.LastAnswer = now
	d.s.Took = took
	if d.s.Typical == 0 {
		d.s.Typical = took
	}
	d.s.Typical += (took - d.s.Typical) / 8
}

func (d *deviceStats) missed(_ time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.s.Missed++
	d.s.MissedNow++
	d.missedDead++
	// A probe that we cut off ourselves tells less than the driver's own words
	// about the silence before it.
	if d.s.MissedNow == 1 || !errors.Is(err, context.DeadlineExceeded) {
		d.s.LastError = err.Error()
	}
}

func (d *deviceStats) died(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.s.Dead {
		d.s.Dead, d.s.Since, d.missedDead = true, now, d.s.MissedNow
	}
}

func (d *deviceStats) revived(now time.Time) (missed uint64, down time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	missed, down = d.missedDead, now.Sub(d.s.Since)
	d.s.Dead, d.s.Since, d.missedDead = false, now, 0
	return missed, down
}

func (d *deviceStats) overran(n uint64) {
	d.mu.Lock()
	d.s.Overruns += n
	d.mu.Unlock()
}

// Stats returns a copy of the figures. Safe for concurrent use.
func (r *Runner) Stats() LinkStats {
	r.stats.mu.Lock()
	out := LinkStats{
		Name: r.link.Name, Driver: r.link.Driver, Endpoint: r.link.Endpoint,
		Up: r.stats.isUp, Since: r.stats.since, LastError: r.stats.lastErr,
		Reads: r.stats.reads, Overruns: r.stats.overruns, Panics: r.stats.panics, Busy: r.stats.busy,
	}
	if r.stats.connects > 0 {
		out.Reconnects = r.stats.connects - 1
	}
	r.stats.mu.Unlock()
	for _, d := range r.devices {
		d.stats.mu.Lock()
		s := d.stats.s
		d.stats.mu.Unlock()
		s.Name = d.dev.Name
		out.Devices = append(out.Devices, s)
	}
	return out
}
