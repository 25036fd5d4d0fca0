package modbus

import (
	"time"

	"fieldferry/drivers/modbus/plan"
	"fieldferry/tag"
)

// What is assumed of a device that was not measured yet: how long it takes to
// begin an answer on a line, and a round trip on a network.
const (
	assumedTurnaround = 20 * time.Millisecond
	assumedRoundTrip  = 5 * time.Millisecond
)

// prior is what reads on a link cost, from its settings, and whether the cost
// of a register is that of a serial line that is ours, and so known.
func (d *driver) prior(l *tag.Link) (costs plan.Costs, line bool) {
	if !d.rtu {
		o := of(l.Options, defaultTCP)
		return plan.Network(assumedRoundTrip + o.PauseBetweenRequests), false
	}
	o := of(l.Options, defaultRTU)
	char, gap := o.Serial.Timing()
	e, _ := d.endpoint(l.Endpoint)
	return plan.Serial(char, max(gap, o.PauseBetweenRequests), assumedTurnaround, 1), e.port != ""
}
