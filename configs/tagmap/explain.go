package tagmap

import (
	"slices"
	"time"

	"fieldferry/configs/strict"
	"fieldferry/configs/tree"
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
// comes from.
func (m *Map) Explain(t *tag.Tag) []Setting {
	d := &strict.Decoder{Report: &tree.Report{}, File: m.decoder.File}
	l := t.Device.Link
	var out []Setting
	lo, do, to := m.links[l], m.devices[t.Device], m.tags[t]
	out = append(out, explain(d, "link", lo, &linkHead{Driver: l.Driver, Endpoint: l.Endpoint}, &linkShared{Retry: l.Retry}, l.Options)...)
	out = append(out, explain(d, "device", do, &deviceHead{Profile: t.Device.Profile, DeadAfter: t.Device.DeadAfter, Maintenance: t.Device.Maintenance}, t.Device.Options)...)
	config := m.mappings[t]
	out = append(out, explain(d, "tag", to,
		&tagName{Name: t.Name, Address: t.Address, Description: t.Description, Access: t.Access})...)
	out = append(out, explainInterval(d, to, t)...)
	out = append(out, explain(d, "tag", to,
		&tagHead{Type: t.Type, Unit: t.Unit, Class: t.Class, Retain: t.Retain}, &config, t.Options)...)
	return append(out, m.explainLabels(t)...)
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
	d := &strict.Decoder{Report: &tree.Report{}}
	for _, s := range d.Explain(&labelKeys{Labels: t.Labels}, nodesOf(o.layers)...) {
		x := o.setting("tag", s)
		if x.From == "default" {
			x.From = "gateway"
		}
		out = append(out, x)
	}
	return out
}
