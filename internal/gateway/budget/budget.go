// Package budget tells what is asked of the links of a gateway and what they
// can do, and what their drivers have learnt about the devices on them. It
// belongs to internal/gateway.
//
// A Meter is weighed by one goroutine and read by any. Nothing here talks to a
// device; Forget and the first look at a link touch one small file.
package budget

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"fieldferry/drivers"
	"fieldferry/tag"
	"fieldferry/web/plant"
	"fieldferry/web/plant/learnt"
)

// SetStateDirs tells drivers where to keep what they learn: beside the buffer,
// on the disk that is meant to be written to.
func SetStateDirs(links []*tag.Link, buffer string) {
	for _, l := range links {
		l.StateDir = filepath.Join(filepath.Dir(buffer), "learnt")
	}
}

// Lines tells for each link what was asked of it and what it can do, as far as
// its driver can say. A line on a link that cannot keep up begins with
// "warning:".
func Lines(links []*tag.Link) []string {
	var out []string
	for _, l := range links {
		b := estimate(l)
		if b == nil || b.Asked == 0 {
			continue
		}
		line := fmt.Sprintf("link %s: %s", l.Name, b)
		if b.Use > 1 {
			line = fmt.Sprintf("warning: link %s cannot keep up: %s (read less often, fewer tags, or at a higher baud rate)", l.Name, b)
		}
		out = append(out, line)
	}
	return out
}

// estimate is the bus time of a link, or nil where its driver cannot say.
func estimate(l *tag.Link) *drivers.BusTime {
	d, ok := drivers.Lookup(l.Driver)
	e, can := d.(drivers.Estimator)
	if !ok || !can {
		return nil
	}
	b := e.Estimate(l)
	return &b
}

// every is how often the bus time of a running link is worked out anew.
const every = 10 * time.Second

// Run calls weigh now and then until ctx ends: often, so that a link that has
// just been started waits no longer.
func Run(ctx context.Context, weigh func(now time.Time)) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		weigh(time.Now())
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// Meter is the bus time of one running link. The zero Meter is ready.
type Meter struct {
	at    time.Time     // of the last Weigh, which alone uses it
	busy  time.Duration // by then
	asked atomic.Pointer[drivers.BusTime]
	share atomic.Pointer[float64]
}

// Weigh works out the bus time of a link that has been in use for so long in
// all, if that was not done just now. It is called by one goroutine.
func (m *Meter) Weigh(l *tag.Link, busy time.Duration, now time.Time) {
	if now.Sub(m.at) < every {
		return
	}
	m.asked.Store(estimate(l))
	if !m.at.IsZero() {
		share := float64(busy-m.busy) / float64(now.Sub(m.at))
		m.share.Store(&share)
	}
	m.at, m.busy = now, busy
}

// Fill puts what is known into the status of the link. It does not block.
func (m *Meter) Fill(out *plant.Link) {
	if b := m.asked.Load(); b != nil && b.Asked > 0 {
		out.Achievable, out.Planned, out.Budget = b.Achievable, b.Use, b.String()
	}
	if share := m.share.Load(); share != nil {
		out.Used = *share
	}
}

// Observe puts what its driver has seen on a running link into its status. It
// does not block.
func Observe(l *tag.Link, out *plant.Link) {
	d, _ := drivers.Lookup(l.Driver)
	if o, ok := d.(drivers.Observer); ok {
		out.Counts, out.Notes = o.Observe(l)
	}
}

// Facts lists what was learnt about the devices of some links.
func Facts(links []*tag.Link) []learnt.Fact {
	var out []learnt.Fact
	for _, l := range links {
		d, _ := drivers.Lookup(l.Driver)
		learner, ok := d.(drivers.Learner)
		if !ok {
			continue
		}
		for _, f := range learner.Facts(l) {
			out = append(out, learnt.Fact{Link: l.Name, ID: f.ID, Device: f.Device, Text: f.Text, Why: f.Why, Learned: f.Learned, Retry: f.Retry})
		}
	}
	return out
}

// Forget drops a fact by its id, or all facts of a device. The error wraps
// plant.ErrUnknown when nothing is known by that name.
func Forget(links []*tag.Link, id string) (int, error) {
	for _, l := range links {
		d, _ := drivers.Lookup(l.Driver)
		learner, ok := d.(drivers.Learner)
		if !ok {
			continue
		}
		if n, err := learner.Forget(l, id); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, fmt.Errorf("%w: nothing is known by %q", plant.ErrUnknown, id)
}
