package drivers

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"fieldferry/tag"
)

// Estimator is a Driver that can tell how much time of its link a schedule
// takes, before it runs.
type Estimator interface {
	// Estimate works out the bus time of a link that has passed Check, from
	// its speed, its frames and what was measured before. It talks to no
	// device, reads at most one small file, and may take some milliseconds.
	// Safe for concurrent use.
	Estimate(l *tag.Link) BusTime
}

// BusTime is what was asked of a link and what it can do.
type BusTime struct {
	Asked      time.Duration // the shortest interval asked for; zero: nothing is read
	Achievable time.Duration // the shortest interval that would be kept: Asked, or longer where the link is too slow
	Use        float64       // share of the link's time that all that was asked takes; above 1 it is too much
	Requests   int           // of one round of everything
	Round      time.Duration // that a round of everything takes
	Measured   bool          // every device's part rests on measured turnarounds, not on assumed ones
	Devices    []DeviceTime  // in the order of the link
}

// DeviceTime is a device's part of the bus time.
type DeviceTime struct {
	Name     string
	Share    float64       // of what the whole link is asked for, 0 to 1
	Requests int           // of one round
	Round    time.Duration // that a round takes
	Measured bool
}

// Learner is a Driver that learns what its devices can do and keeps that
// beyond a run. Safe for concurrent use.
type Learner interface {
	// Facts lists what is known about the devices of a link.
	Facts(l *tag.Link) []Fact
	// Forget drops the fact of an id, or all facts of the device of a name,
	// and says how many that were. A running link learns anew what still is
	// so. The error says that the file could not be written.
	Forget(l *tag.Link, id string) (int, error)
}

// Fact is something learnt about a device.
type Fact struct {
	ID      string // unique in its link, begins with the device's name
	Device  string
	Text    string    // "refuses holding registers 100-119"
	Why     string    // what it was learnt from
	Learned time.Time // UTC
	Retry   time.Time // when it is tried again; zero: never
}

// Observer is a Driver that counts what it sees on a link beyond reads that
// succeed or fail. Safe for concurrent use.
type Observer interface {
	// Observe tells what was seen on a link since the program began, over all
	// of its connections: counts that only grow, by what was counted, such as
	// late or noise_bytes, and in words what somebody should look at, none
	// where nothing was noticed lately. It reads memory only.
	Observe(l *tag.Link) (counts map[string]uint64, notes []string)
}

// String tells it to a person: "asked 1s, achievable 1.7s; meter07 costs 41 %".
func (b BusTime) String() string {
	if b.Asked == 0 {
		return "nothing is read"
	}
	s := fmt.Sprintf("asked %v, achievable %v", short(b.Asked), short(b.Achievable))
	if b.Achievable <= b.Asked {
		s = fmt.Sprintf("asked %v, which takes %s of its time", short(b.Asked), percent(b.Use))
	}
	most := slices.MaxFunc(b.Devices, func(x, y DeviceTime) int { return cmp.Compare(x.Share, y.Share) })
	if len(b.Devices) > 1 {
		s += fmt.Sprintf("; %s costs %s", most.Name, percent(most.Share))
	}
	if !b.Measured {
		s += " (turnarounds assumed)"
	}
	return s
}

// short leaves out the digits that nobody could hold a link to.
func short(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(100 * time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Microsecond)
}

func percent(x float64) string {
	if x > 0 && x < 0.01 {
		return "under 1 %"
	}
	return fmt.Sprintf("%.0f %%", 100*x)
}
