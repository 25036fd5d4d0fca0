// Package learnt is what drivers have learnt about devices, as the page sees
// it. It belongs to web/plant.
package learnt

import "time"

// Fact is something that a driver has learnt about a device, and goes round.
type Fact struct {
	Link    string
	ID      string // begins with the device's name
	Device  string
	Text    string // "refuses holding registers 100-119"
	Why     string // what it was learnt from
	Learned time.Time
	Retry   time.Time // when it is tried again; zero: never
}
