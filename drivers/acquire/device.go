package acquire

import (
	"runtime/debug"
	"sync/atomic"
	"time"

	"fieldferry/tag"
)

// defaultDeadAfter is used where the tag map says nothing.
const defaultDeadAfter = 3

// forever is the gap before the next read of a neighbour that has none.
const forever = time.Duration(1<<63 - 1)

// device is what the link's goroutine knows of one device. The counters are
// read by Stats; everything else belongs to that goroutine.
type device struct {
	dev    *tag.Device
	read   atomic.Uint64 // the number of the last read cycle
	sample []*tag.Tag    // the tags that are read

	next    map[time.Duration]time.Time // turns of its groups, by interval, kept from one connection to the next
	blamed  bool                        // the last connection ended in the middle of a request to it
	missed  int                         // answers missed in a row
	dead    bool                        //
	probeAt time.Time                   // when a dead device is tried again
	pause   time.Duration               // the pause before that
	probes  int                         // since it died
	typical time.Duration               // how long it usually takes to answer

	stats deviceStats
}

func newDevice(d *tag.Device) *device {
	x := &device{dev: d, next: map[time.Duration]time.Time{}}
	for _, t := range d.Tags {
		if t.Access.Readable() {
			x.sample = append(x.sample, t)
		}
	}
	return x
}

// reset begins anew after a reconnect: no device is suspect, and a dead one is
// probed at once. A device in whose turn the connection ended keeps what is
// held against it: it may be what ends every connection.
func (d *device) reset(now time.Time) {
	if d.blamed {
		d.blamed = false
		return
	}
	d.pause, d.probes, d.probeAt = probeMin, 0, now
	if !d.dead {
		d.missed = 0
	}
}

// answered notes an answer that took the given time, and says whether the
// device had been dead.
func (d *device) answered(now time.Time, took time.Duration) (wasDead bool) {
	wasDead = d.dead
	d.missed, d.dead, d.pause, d.probes = 0, false, 0, 0
	if d.typical == 0 {
		d.typical = took
	}
	d.typical += (took - d.typical) / 8
	d.stats.answered(now, took)
	return wasDead
}

// miss notes a missed answer, and says whether the device has just died.
func (d *device) miss(now time.Time, err error) (died bool) {
	d.missed++
	d.stats.missed(now, err)
	limit := d.dev.DeadAfter
	if limit <= 0 {
		limit = defaultDeadAfter
	}
	if d.dead {
		d.probes++
		d.pause = min(2*d.pause, probeMax)
	} else if d.missed >= limit {
		d.dead, died, d.pause = true, true, probeMin
		d.stats.died(now)
	}
	d.probeAt = now.Add(d.pause)
	return died
}

// patience is how long a suspect or dead device may take when the gap before
// its neighbours' next read is only so long. Every fourth probe of a dead one
// may take as long as the driver allows, so that a slow device finds its way
// back.
func (d *device) patience(gap time.Duration) (limit time.Duration, limited bool) {
	if d.missed == 0 || gap == forever || (d.dead && d.probes%4 == 0) {
		return 0, false
	}
	return max(gap, 2*d.typical+50*time.Millisecond), true
}

// appendBad appends a bad sample for every tag that is read.
func (d *device) appendBad(dst []tag.Sample, reason string, now time.Time) []tag.Sample {
	n := d.read.Add(1)
	for _, t := range d.sample {
		dst = append(dst, tag.Sample{Tag: t, Quality: tag.BadFor(reason), Time: now, Read: n})
	}
	return dst
}

func stack() string {
	const keep = 4096
	b := debug.Stack()
	return string(b[:min(len(b), keep)])
}
