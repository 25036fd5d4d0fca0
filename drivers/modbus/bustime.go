package modbus

import (
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/plan"
	"fieldferry/drivers/modbus/poll"
	"fieldferry/drivers/modbus/sunspec"
	"fieldferry/tag"
)

var _ drivers.Estimator = (*driver)(nil)

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

// Estimate works out the bus time of a link by planning it as Open would.
// Tags that a device describes itself are not in it: where they lie is known
// only when the device is asked.
func (d *driver) Estimate(l *tag.Link) drivers.BusTime {
	out := drivers.BusTime{Measured: true}
	prior, facts := d.prior(l), d.seen(l)
	for _, dev := range l.Devices {
		o := deviceOptions(dev)
		known := facts.Device(dev.Name, o.UnitID)
		limits, _ := known.Limits(o.Limits(), time.Now())
		costs := poll.Expected(prior, known)
		costs.Request += known.Pause()
		blocks := plan.Blocks(itemsOf(dev), limits, costs.Costs)
		part := drivers.DeviceTime{Name: dev.Name, Share: plan.Load(blocks, costs.Costs), Requests: len(blocks), Measured: costs.Measured}
		for i := range blocks {
			part.Round += costs.Of(&blocks[i])
			if out.Asked == 0 || blocks[i].Every < out.Asked {
				out.Asked = blocks[i].Every
			}
		}
		out.Use += part.Share
		out.Requests += part.Requests
		out.Round += part.Round
		out.Measured = out.Measured && (part.Measured || len(blocks) == 0)
		out.Devices = append(out.Devices, part)
	}
	for i := range out.Devices {
		if out.Use > 0 {
			out.Devices[i].Share /= out.Use
		}
	}
	out.Achievable = max(out.Asked, time.Duration(float64(out.Asked)*out.Use))
	return out
}

// itemsOf lists what is read from a device.
func itemsOf(d *tag.Device) []plan.Item {
	g := &group{dev: d, tags: d.Tags, described: described{missing: map[int]string{}}}
	for i, t := range d.Tags {
		l, faults := layoutOf(t)
		if len(faults) > 0 || sunspec.Is(t.Address) || !t.Access.Readable() {
			g.described.missing[i] = reasonNoPoint
		}
		g.layouts = append(g.layouts, l)
	}
	var items []plan.Item
	for i, p := range g.places() {
		if len(p.Members) > 0 {
			items = append(items, plan.Item{Table: g.layouts[i].Table, Start: p.Start, Length: p.Length, Every: d.Tags[i].Interval, Tag: i})
		}
	}
	return items
}
