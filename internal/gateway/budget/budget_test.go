package budget

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"fieldferry/drivers"
	_ "fieldferry/drivers/modbus" // a driver that can say
	"fieldferry/tag"
	"fieldferry/web/plant"
)

// slow is a line whose device is asked for n long reads a second.
func slow(t *testing.T, n int) []*tag.Link {
	d, ok := drivers.Lookup("modbus-rtu")
	if !ok {
		t.Fatal("no driver modbus-rtu")
	}
	l := &tag.Link{Name: "line1", Driver: "modbus-rtu", Endpoint: "/dev/ttyS0", Options: d.Options().Link, StateDir: t.TempDir()}
	dev := &tag.Device{Name: "meter07", Link: l, Options: d.Options().Device}
	for i := range n {
		dev.Tags = append(dev.Tags, &tag.Tag{Name: string(rune('a' + i)), Device: dev, Index: i, Address: "hr:" + []string{"0", "1000", "2000", "3000", "4000"}[i], Type: "uint16", Interval: time.Second / 25})
	}
	l.Devices = []*tag.Device{dev}
	return []*tag.Link{l, {Name: "other", Driver: "none"}}
}

func TestLines(t *testing.T) {
	for n, want := range map[int]string{
		0: "",
		3: "warning: link line1 cannot keep up: asked 40ms, achievable 129ms (turnarounds assumed) (read less often, fewer tags, or at a higher baud rate)",
	} {
		if got := strings.Join(Lines(slow(t, n)), "|"); got != want {
			t.Errorf("%d tags: %q, want %q", n, got, want)
		}
	}
}

func TestMeter(t *testing.T) {
	l := slow(t, 3)[0]
	var m Meter
	var out plant.Link
	m.Fill(&out)
	if !reflect.DeepEqual(out, plant.Link{}) {
		t.Errorf("before it was weighed: %+v", out)
	}
	now := time.Unix(1000, 0)
	m.Weigh(l, time.Second, now)
	m.Weigh(l, time.Hour, now.Add(time.Second)) // too soon
	m.Weigh(l, 6*time.Second, now.Add(10*time.Second))
	m.Fill(&out)
	if out.Used != 0.5 || out.Planned < 3 || out.Achievable < 3*time.Second/25 || !strings.HasPrefix(out.Budget, "asked 40ms") {
		t.Errorf("got %+v", out)
	}
}

func TestForgetUnknown(t *testing.T) {
	links := slow(t, 1)
	if n, err := Forget(links, "meter07"); n != 0 || !errors.Is(err, plant.ErrUnknown) {
		t.Errorf("forgot %d, %v", n, err)
	}
	if f := Facts(links); len(f) != 0 {
		t.Errorf("facts %v", f)
	}
}

// TestObserve: what a driver counts stands in the status of its link; one that
// counts nothing leaves it empty.
func TestObserve(t *testing.T) {
	links := slow(t, 1)
	var out, other plant.Link
	Observe(links[0], &out)
	Observe(links[1], &other)
	if n, ok := out.Counts["damaged"]; !ok || n != 0 || len(out.Notes) != 0 || other.Counts != nil {
		t.Errorf("got %v %q and %v", out.Counts, out.Notes, other.Counts)
	}
}
