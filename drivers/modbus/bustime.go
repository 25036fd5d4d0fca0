package modbus

import (
	"time"

	"fieldferry/drivers/modbus/plan"
	"fieldferry/drivers/modbus/poll"
	"fieldferry/tag"
)

// What is assumed of a device that was not measured yet: how long it takes to
// begin an answer on a line, and a round trip on a network.
const (
	assumedTurnaround = 20 * time.Millisecond
	assumedRoundTrip  = 5 * time.Millisecond
)

// prior is what reads on a link cost, from its settings.
func (d *driver) prior(l *tag.Link) poll.Prior {
	if !d.serial() {
		o := of(l.Options, defaultTCP)
		return poll.Prior{Costs: plan.Network(assumedRoundTrip + o.PauseBetweenRequests)}
	}
	o := of(l.Options, d.lineDefaults)
	char, gap := o.Serial.Timing()
	e, _ := d.endpoint(l.Endpoint)
	if o.FrameGap > 0 {
		gap = o.FrameGap
	}
	scale := 1
	if d.framing == overASCII {
		scale = 2 // two characters for each byte
	}
	return poll.Prior{Costs: plan.Serial(char, max(gap, o.PauseBetweenRequests), assumedTurnaround, scale), Serial: e.port != ""}
}
