package webtest

import (
	"fmt"
	"time"

	"fieldferry/tag"
	"fieldferry/web/plant"
)

// Many is a plant of any number of tags, for what the page costs. It is good
// all over, and its values move when Step is called. Only one goroutine may
// use it at a time.
type Many struct {
	tags   []*tag.Tag
	values []plant.Value // by Index
}

// NewMany returns a plant of some devices with as many tags each.
func NewMany(devices, tags int) *Many {
	m := &Many{}
	link := &tag.Link{Name: "line", Driver: "modbus-tcp", Endpoint: "tcp://10.0.0.1:502"}
	for d := range devices {
		dev := &tag.Device{Name: fmt.Sprintf("device%03d", d), Link: link, Labels: map[string]string{"site": "hamburg", "area": "bottling"}}
		for i := range tags {
			dev.Tags = append(dev.Tags, &tag.Tag{
				Name: fmt.Sprintf("tag%04d", i), Device: dev, Index: len(m.tags) + i, Address: fmt.Sprintf("hr:%d", 2*i),
				Type: "float32", Unit: "°C", Interval: time.Second, Labels: dev.Labels,
			})
		}
		link.Devices = append(link.Devices, dev)
		m.tags = append(m.tags, dev.Tags...)
	}
	m.values = make([]plant.Value, len(m.tags))
	m.Step()
	return m
}

// Step moves every value.
func (m *Many) Step() {
	now := time.Now()
	for i := range m.values {
		v := m.values[i].Version + 1
		m.values[i] = plant.Value{Value: tag.Float32(float32(i) + float32(v)), Time: now, Fresh: now, Version: v}
	}
}

// Tags implements plant.Plant.
func (m *Many) Tags() ([]*tag.Tag, uint64) { return m.tags, 1 }

// Value implements plant.Plant.
func (m *Many) Value(t *tag.Tag) plant.Value { return m.values[t.Index] }

// Settings implements plant.Plant: 13 keys that are not set and 6 that are.
func (m *Many) Settings(t *tag.Tag) map[string]plant.Setting {
	out := make(map[string]plant.Setting, len(unset)+6)
	for _, k := range unset {
		out[k] = plant.Setting{From: "default"}
	}
	for k, v := range map[string]string{"address": t.Address, "type": t.Type, "unit": t.Unit, "deadband": "0.5", "byte_order": "ABCD", "interval": "1s"} {
		out[k] = plant.Setting{Text: v, From: "profile meter"}
	}
	return out
}

var unset = [...]string{"access", "class", "description", "length", "max", "max_interval", "min", "min_interval", "offset", "rate", "retain", "scale", "stale_after"}

// Status implements plant.Plant.
func (m *Many) Status() plant.Status {
	now := time.Now()
	s := plant.Status{Gateway: "many", Started: now, Now: now, Revision: "r1", Links: []plant.Link{{Name: "line", State: plant.Up}}}
	for _, d := range m.tags[0].Device.Link.Devices {
		s.Devices = append(s.Devices, plant.Device{Name: d.Name, Link: "line", State: plant.Up, LastAnswer: now})
	}
	return s
}
