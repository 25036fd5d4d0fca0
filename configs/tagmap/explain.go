package tagmap

import (
	"slices"
	"strings"
	"time"

	"fieldferry/configs/strict"
	"fieldferry/tag"
)

// Setting is one effective setting of a tag, its device or its link.
type Setting struct {
	Of    string `json:"of"` // "link", "device" or "tag"
	Key   string `json:"key"`
	Value string `json:"value"`
	From  string `json:"from"` // "device pump", "profile x", ..., "default"
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
}

// Explain lists every setting that takes part in reading a tag and where it
// comes from: of its link, of its device, and those of ExplainTag.
func (m *Map) Explain(t *tag.Tag) []Setting {
	m.explaining.Lock()
	l, d := t.Device.Link, m.explainer
	var out []Setting
	lo, do := m.links[l], m.devices[t.Device]
	out = append(out, explain(d, "link", lo, &linkHead{Driver: l.Driver, Endpoint: l.Endpoint}, &linkShared{Retry: l.Retry}, l.Options)...)
	out = append(out, explain(d, "device", do, &deviceHead{Profile: t.Device.Profile, DeadAfter: t.Device.DeadAfter, Maintenance: t.Device.Maintenance}, t.Device.Options)...)
	m.explaining.Unlock()
	return append(out, m.ExplainTag(t)...)
}

// ExplainTag lists the settings of a tag alone, with those that it inherits;
// nil when the map does not have it.
func (m *Map) ExplainTag(t *tag.Tag) []Setting {
	o, ok := m.tags[t]
	if !ok {
		return nil
	}
	m.explaining.Lock()
	defer m.explaining.Unlock()
	d, config := m.explainer, m.mappings[t]
	out := make([]Setting, 0, 32)
	out = append(out, explain(d, "tag", o.own(), &tagName{Name: t.Name, Address: t.Address, Description: t.Description, Access: t.Access})...)
	out = append(out, explainInterval(d, o, t)...)
	out = append(out, explain(d, "tag", o,
		&tagHead{Type: t.Type, Unit: t.Unit, Class: t.Class, Retain: t.Retain}, &config, t.Options)...)
	return append(out, m.explainLabels(t)...)
}

// own is the part of a tag's origin where the keys that are not inherited
// stand: its profile and itself. A device's description is not its tags'.
func (o origin) own() origin {
	var own []layer
	for _, l := range o.layers {
		if l.from == fromTag || strings.HasPrefix(l.from, fromProfile) {
			own = append(own, l)
		}
	}
	o.layers = own
	return o
}

// linkHead, deviceHead, tagName and tagHead are the parts of the keys that Explain
// shows as settings.
type linkHead struct {
	Driver   string `yaml:"driver"`
	Endpoint string `yaml:"endpoint"`
}

type deviceHead struct {
	Profile     string `yaml:"profile"`
	DeadAfter   int    `yaml:"dead_after"`
	Maintenance bool   `yaml:"maintenance"`
}

type tagName struct {
	Name        string     `yaml:"name"`
	Address     string     `yaml:"address"`
	Description string     `yaml:"description"`
	Access      tag.Access `yaml:"access"`
}

type tagHead struct {
	Type   string    `yaml:"type"`
	Unit   string    `yaml:"unit"`
	Class  tag.Class `yaml:"class"`
	Retain *bool     `yaml:"retain"`
}

func explain(d *strict.Decoder, of string, o origin, parts ...any) []Setting {
	var out []Setting
	for _, p := range parts {
		if p == nil {
			continue
		}
		for _, s := range d.Explain(p, nodesOf(o.layers)...) {
			out = append(out, o.setting(of, s))
		}
	}
	return out
}

func (o origin) setting(of string, s strict.Setting) Setting {
	out := Setting{Of: of, Key: s.Key, Value: s.Value, From: "default"}
	if s.Node == nil {
		return out
	}
	out.File, out.Line, out.From = s.Node.File.Name, s.Node.Line, s.Node.File.Name
	for _, l := range o.layers {
		if l.node == nil {
			continue
		}
		if n, rest := l.node.Locate(s.Key); rest == "" && n == s.Node {
			out.From = l.from
		}
	}
	return out
}

// intervalHead is the sampling interval, and the rate that it may come from.
type intervalHead struct {
	Rate     string        `yaml:"rate"`
	Interval time.Duration `yaml:"interval"`
}

// explainInterval shows the sampling interval, at the place of the rate that
// names it where one does.
func explainInterval(d *strict.Decoder, o origin, t *tag.Tag) []Setting {
	value := explain(d, "tag", origin{}, &intervalHead{Interval: t.Interval})[0]
	for _, l := range slices.Backward(o.layers) {
		rate, interval := l.node.Get("rate"), l.node.Get("interval")
		switch {
		case rate != nil:
			named := Setting{Of: "tag", Key: "rate", Value: rate.String(), From: l.from, File: rate.File.Name, Line: rate.Line}
			value.From, value.File, value.Line = "rate "+rate.Text, "", 0
			return []Setting{named, value}
		case interval != nil:
			value.From, value.File, value.Line = l.from, interval.File.Name, interval.Line
			return []Setting{value}
		}
	}
	return []Setting{value}
}

// explainLabels shows each label with the most particular place that has it.
func (m *Map) explainLabels(t *tag.Tag) []Setting {
	var out []Setting
	lo, to := m.links[t.Device.Link], m.tags[t]
	o := origin{layers: append(append([]layer{}, lo.layers...), to.layers...)}
	for _, s := range m.explainer.Explain(&labelKeys{Labels: t.Labels}, nodesOf(o.layers)...) {
		x := o.setting("tag", s)
		if x.From == "default" {
			x.From = "gateway"
		}
		out = append(out, x)
	}
	return out
}
