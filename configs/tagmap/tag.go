package tagmap

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fieldferry/configs/strict"
	"fieldferry/configs/tree"
	"fieldferry/mapping"
	"fieldferry/tag"
)

// tag builds one tag of a device: from a profile (pn, may be nil) and from
// the device's own list (n, may be nil), not both nil.
func (b *builder) tag(ds *deviceScope, pn, n *tree.Node, name string) {
	keys := tagKeys{Enabled: true}
	b.d.Decode(&keys, pn, n)
	layers := tagLayers(ds, pn, n)
	nodes := nodesOf(layers)
	var shared tagShared
	b.d.Decode(&shared, nodes...)
	t := &tag.Tag{
		Name: name, Device: ds.device, Address: keys.Address, Description: keys.Description, Access: keys.Access,
		Type: shared.Type, Unit: shared.Unit, Class: shared.Class, Retain: shared.Retain,
		Labels: b.tagLabels(ds, pn, n),
	}
	at := n
	if at == nil {
		at = pn
	}
	o := origin{at: at, layers: layers, driver: ds.link.driver}
	b.m.tags[t] = o
	t.Interval = b.interval(ds, o, shared)
	if ds.link.driver != nil {
		t.Options = ds.link.driver.Options().Tag
		b.d.Decode(t.Options, nodes...)
	}
	var config mapping.Config
	b.d.Decode(&config, nodes...)
	b.m.mappings[t] = config
	switch {
	case keys.Enabled:
		ds.device.Tags = append(ds.device.Tags, t)
	case ds.enabled:
		b.m.Disabled = append(b.m.Disabled, t.Path())
	}
}

// Where the settings of a tag stand that nothing else may have.
const (
	fromProfile = "profile " // and its name
	fromTag     = "tag"
)

// tagLayers are the places of a tag's settings, the most general first.
func tagLayers(ds *deviceScope, pn, n *tree.Node) []layer {
	layers := make([]layer, 0, 6)
	layers = append(layers, ds.base[:3]...)
	if pn != nil {
		layers = append(layers, layer{pn, fromProfile + ds.shared.Profile})
	}
	layers = append(layers, ds.base[3])
	if n != nil {
		layers = append(layers, layer{n, fromTag})
	}
	return layers
}

// tagLabels shares the device's labels where the tag adds none.
func (b *builder) tagLabels(ds *deviceScope, pn, n *tree.Node) map[string]string {
	if pn.Get("labels") == nil && n.Get("labels") == nil {
		return ds.device.Labels
	}
	var own labelKeys
	b.d.Decode(&own, pn, ds.node, n)
	return merged(ds.device.Labels, own.Labels)
}

// interval is the sampling interval: of the most particular place that says
// either `interval` or `rate`.
func (b *builder) interval(ds *deviceScope, o origin, shared tagShared) time.Duration {
	for _, l := range slices.Backward(o.layers) {
		interval, rate := l.node.Get("interval"), l.node.Get("rate")
		switch {
		case interval != nil && rate != nil:
			b.d.Report.Add(rate, "`rate` and `interval` say the same thing twice", "leave one of them out")
			return defaultInterval
		case interval != nil:
			return b.positive(interval, shared.Interval)
		case rate != nil:
			return b.rate(ds, rate)
		}
	}
	return defaultInterval
}

func (b *builder) positive(at *tree.Node, d time.Duration) time.Duration {
	if d >= minInterval {
		return d
	}
	if at.Kind == tree.Scalar {
		b.d.Report.AddMeaning(at, fmt.Sprintf("%q is too short for a sampling interval", at.Text), "write 1ms or more")
	}
	return defaultInterval
}

func (b *builder) rate(ds *deviceScope, at *tree.Node) time.Duration {
	d, ok := ds.rates[at.Text]
	switch {
	case at.Kind != tree.Scalar:
		return defaultInterval
	case !ok && len(ds.rates) == 0:
		b.d.Report.Add(at, fmt.Sprintf("unknown rate %q: none are named", at.Text), fmt.Sprintf("add rates: {%s: 10s} to the link", at.Text))
	case !ok:
		names := slices.Sorted(maps.Keys(ds.rates))
		hint := strict.DidYouMean(at.Text, names)
		if hint == "" {
			hint = "there are " + strings.Join(names, ", ")
		}
		b.d.Report.Add(at, fmt.Sprintf("unknown rate %q", at.Text), hint)
	case d < minInterval:
		return defaultInterval // reported at the rate itself
	default:
		return d
	}
	return defaultInterval
}
