// Package drivertest is the conformance suite of the driver contract: every
// driver passes it, over a real peer where there is one. A driver's own test
// describes its peer in a Harness and calls Run.
//
// The suite asserts behaviour, not speed: its limits of time are only there
// to end a test that would hang.
package drivertest

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"fieldferry/drivers"
	"fieldferry/tag"
)

// patience ends a call that hangs; no correct driver comes near it.
const patience = 20 * time.Second

// Harness describes a driver and its peer.
type Harness struct {
	Driver drivers.Driver
	// Link returns a link whose every tag reads good, with Options and
	// Index set as the loader would. Two devices where the protocol has
	// several on one link.
	Link func(t *testing.T) *tag.Link
	// Faulty returns a link with at least one fault that Check must find;
	// nil skips nothing: a driver without any fault to find is none.
	Faulty func(t *testing.T) *tag.Link
	// Silence makes the first device of the link stop answering while the
	// others go on; nil where the peer cannot.
	Silence func(t *testing.T)
	// Cut ends the connection from the peer's side; nil where there is none.
	Cut func(t *testing.T)
	// Write names a tag of the link and a value in the device's unit that
	// may be written to it; nil where the driver writes nothing.
	Write func(l *tag.Link) (*tag.Tag, tag.Value)
}

// Run holds a driver to the contract.
func Run(t *testing.T, h Harness) {
	t.Run("options are fresh", h.optionsAreFresh)
	t.Run("check accepts a good link", h.checkAccepts)
	t.Run("check finds a fault", h.checkFinds)
	t.Run("one good sample per tag", h.oneSamplePerTag)
	t.Run("appends to what is there", h.appends)
	t.Run("a cancelled context returns", h.cancelledReturns)
	t.Run("close is final and may be repeated", h.closeIsFinal)
	if h.Write != nil {
		t.Run("write reads back", h.writeReadsBack)
	}
	if h.Silence != nil {
		t.Run("a silent device leaves its neighbours alone", h.silentDevice)
	}
	if h.Cut != nil {
		t.Run("a cut connection is told", h.cutIsTold)
	}
}

func (h Harness) optionsAreFresh(t *testing.T) {
	a, b := h.Driver.Options(), h.Driver.Options()
	for _, pair := range [][2]any{{a.Link, b.Link}, {a.Device, b.Device}, {a.Tag, b.Tag}} {
		if pair[0] != nil && pair[0] == pair[1] {
			t.Errorf("Options returned the same %T twice: two links would share it", pair[0])
		}
	}
}

func (h Harness) checkAccepts(t *testing.T) {
	for _, f := range h.Driver.Check(h.Link(t)) {
		t.Errorf("fault: %v", f)
	}
}

func (h Harness) checkFinds(t *testing.T) {
	if h.Faulty == nil {
		t.Fatal("the harness has no faulty link")
	}
	faults := h.Driver.Check(h.Faulty(t))
	if len(faults) == 0 {
		t.Fatal("Check found nothing wrong with a faulty link")
	}
	for _, f := range faults {
		if f.Text == "" {
			t.Errorf("a fault without a text: %+v", f)
		}
	}
}

// opened is an open link with a group per device.
type opened struct {
	conn   drivers.Conn
	link   *tag.Link
	groups []drivers.Group
	ctx    context.Context
}

func (h Harness) open(t *testing.T) *opened {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	o := &opened{link: h.Link(t), ctx: ctx}
	conn, err := h.Driver.Open(ctx, o.link, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	o.conn = conn
	t.Cleanup(func() { conn.Close() })
	for _, d := range o.link.Devices {
		g, err := conn.Prepare(ctx, d, d.Tags)
		if err != nil {
			t.Fatalf("prepare %s: %v", d.Name, err)
		}
		o.groups = append(o.groups, g)
	}
	return o
}

func (h Harness) oneSamplePerTag(t *testing.T) {
	o := h.open(t)
	for round := range 3 {
		for i, d := range o.link.Devices {
			before := time.Now().Add(-time.Hour)
			got, err := o.groups[i].Read(o.ctx, nil)
			if err != nil {
				t.Fatalf("round %d: read %s: %v", round, d.Name, err)
			}
			checkSamples(t, d.Tags, got, before)
		}
	}
}

// checkSamples wants exactly one good sample of every tag.
func checkSamples(t *testing.T, tags []*tag.Tag, got []tag.Sample, after time.Time) {
	t.Helper()
	seen := map[*tag.Tag]int{}
	for _, s := range got {
		seen[s.Tag]++
		if s.Quality.Level != tag.Good || s.Value.IsNull() {
			t.Errorf("tag %s: got %v, %v, want a good value", s.Tag.Path(), s.Value, s.Quality)
		}
		if s.Time.Before(after) || s.Time.Location() != time.UTC {
			t.Errorf("tag %s: time %v is not a recent time in UTC", s.Tag.Path(), s.Time)
		}
	}
	for _, tg := range tags {
		if seen[tg] != 1 {
			t.Errorf("tag %s: got %d samples, want 1", tg.Path(), seen[tg])
		}
	}
	if len(got) != len(tags) {
		t.Errorf("got %d samples for %d tags", len(got), len(tags))
	}
}

func (h Harness) appends(t *testing.T) {
	o := h.open(t)
	first := tag.Sample{Value: tag.String("first")}
	got, err := o.groups[0].Read(o.ctx, []tag.Sample{first})
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	if len(got) != 1+len(o.link.Devices[0].Tags) || got[0] != first {
		t.Errorf("Read did not append: got %d samples, the first %v", len(got), got[0])
	}
}

func (h Harness) cancelledReturns(t *testing.T) {
	o := h.open(t)
	ctx, cancel := context.WithCancel(o.ctx)
	cancel()
	if _, err := o.groups[0].Read(ctx, nil); err == nil {
		t.Error("Read with a cancelled context succeeded")
	}
	// The connection must still be good for a neighbour, or say that it is
	// down; a wrong value is what must not come of it.
	for i := range o.groups {
		got, err := o.groups[i].Read(o.ctx, nil)
		if err == nil {
			checkSamples(t, o.link.Devices[i].Tags, got, time.Now().Add(-time.Hour))
		}
	}
}

func (h Harness) closeIsFinal(t *testing.T) {
	o := h.open(t)
	if err := o.conn.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := o.conn.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
	_, err := o.groups[0].Read(o.ctx, nil)
	if !errors.Is(err, drivers.ErrLinkDown) {
		t.Errorf("read after close: got %v, want an error that wraps ErrLinkDown", err)
	}
}

func (h Harness) writeReadsBack(t *testing.T) {
	o := h.open(t)
	tg, v := h.Write(o.link)
	for i, d := range o.link.Devices {
		if d != tg.Device {
			continue
		}
		w, ok := o.groups[i].(drivers.Writer)
		if !ok {
			t.Fatalf("the group of %s is no Writer", d.Name)
		}
		got, err := w.Write(o.ctx, tg, v)
		if err != nil {
			t.Fatalf("write %v to %s: %v", v, tg.Path(), err)
		}
		if got.Tag != tg || got.Value != v {
			t.Errorf("read back: got %v of %v, want %v of %s", got.Value, got.Tag, v, tg.Path())
		}
	}
}

func (h Harness) silentDevice(t *testing.T) {
	o := h.open(t)
	h.Silence(t)
	var de *drivers.DeviceError
	if _, err := o.groups[0].Read(o.ctx, nil); !errors.As(err, &de) {
		t.Fatalf("read of a silent device: got %v, want a *DeviceError", err)
	}
	if de.Device != o.link.Devices[0].Name {
		t.Errorf("the error names device %q, want %q", de.Device, o.link.Devices[0].Name)
	}
	for i := 1; i < len(o.groups); i++ {
		got, err := o.groups[i].Read(o.ctx, nil)
		if err != nil {
			t.Fatalf("read of the neighbour %s: %v", o.link.Devices[i].Name, err)
		}
		checkSamples(t, o.link.Devices[i].Tags, got, time.Now().Add(-time.Hour))
	}
}

func (h Harness) cutIsTold(t *testing.T) {
	o := h.open(t)
	h.Cut(t)
	for range 100 {
		if _, err := o.groups[0].Read(o.ctx, nil); errors.Is(err, drivers.ErrLinkDown) {
			return
		}
		if o.ctx.Err() != nil {
			break
		}
	}
	t.Error("the connection was cut, and no Read returned ErrLinkDown")
}
