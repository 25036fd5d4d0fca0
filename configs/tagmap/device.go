package tagmap

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fieldferry/configs/strict"
	"fieldferry/configs/tree"
	"fieldferry/mapping"
	"fieldferry/tag"
)

// deviceScope is a device while its tags are built.
type deviceScope struct {
	link    *linkScope
	node    *tree.Node
	keys    deviceKeys
	shared  deviceShared
	device  *tag.Device
	profile *profile // nil if it has none
	rates   map[string]time.Duration
	base    []layer // of a tag of its own: all but the tag itself
	enabled bool
}

// device builds a device on its link. It returns a link of its own where the
// device has its own endpoint, nil otherwise.
func (b *builder) device(s *linkScope, n *tree.Node) *tag.Link {
	ds := &deviceScope{link: s, node: n, keys: deviceKeys{Enabled: true}, shared: deviceShared{DeadAfter: defaultDeadAfter}}
	b.d.Decode(&ds.keys, n)
	from := layer{n, "device " + ds.keys.Name}
	above := []layer{b.defaults, s.defaults, from}
	b.d.Decode(&ds.shared, nodesOf(above)...)
	named := b.name(n, ds.keys.Name, "device", b.devices)
	b.deviceKnown(ds)
	ds.profile = b.profile(ds)
	ds.enabled = s.enabled && ds.keys.Enabled
	if s.enabled && !ds.keys.Enabled {
		b.m.Disabled = append(b.m.Disabled, ds.keys.Name)
	}
	ds.base = []layer{b.defaults, s.defaults, ds.profile.layer(), from}
	b.newDevice(ds)
	b.deviceRates(ds)
	l, own := s.shared, ds.keys.Endpoint != ""
	if own {
		l = b.newLink(s, s.keys.Name+"/"+ds.keys.Name, ds.keys.Endpoint, n, append(slices.Clone(s.layers), from))
	}
	ds.device.Link = l
	b.deviceTags(ds)
	if !ds.enabled {
		return nil
	}
	if !named {
		b.m.strays = append(b.m.strays, ds.device)
		return nil
	}
	if len(ds.device.Tags) == 0 {
		b.in.Warnings.Add(n, "the device has no tags: nothing is read from it", "")
	}
	l.Devices = append(l.Devices, ds.device)
	index(l)
	if own {
		return l
	}
	return nil
}

// index numbers the tags of the device added last.
func index(l *tag.Link) {
	next := 0
	if len(l.Devices) > 1 {
		for _, d := range slices.Backward(l.Devices[:len(l.Devices)-1]) {
			if len(d.Tags) > 0 {
				next = d.Tags[len(d.Tags)-1].Index + 1
				break
			}
		}
	}
	for i, t := range l.Devices[len(l.Devices)-1].Tags {
		t.Index = next + i
	}
}

func (b *builder) deviceKnown(ds *deviceScope) {
	if ds.link.driver == nil {
		return
	}
	o := ds.link.options
	shapes := append(tagShapes(o), deviceKeys{}, deviceShared{}, rateKeys{}, o.Device)
	if ds.keys.Endpoint != "" {
		shapes = append(shapes, o.Link, linkShared{})
	}
	b.d.Known(ds.node, b.elsewhere(
		belongs{"it belongs to the link, or to a device with its own endpoint", []any{o.Link, linkShared{}}},
		belongs{"it belongs to a tag", []any{tagKeys{}}}), shapes...)
}

func (b *builder) newDevice(ds *deviceScope) {
	s := ds.link
	d := &tag.Device{
		Name: ds.keys.Name, Description: ds.keys.Description, Profile: ds.shared.Profile,
		DeadAfter: ds.shared.DeadAfter, Maintenance: ds.shared.Maintenance,
	}
	labels := labelKeys{Labels: b.labels}
	b.d.Decode(&labels, b.defaults.node, s.node, s.defaults.node, ds.profile.layer().node, ds.node)
	d.Labels = labels.Labels
	layers := []layer{b.defaults, s.defaults, ds.profile.layer(), {ds.node, "device " + d.Name}}
	if s.driver != nil {
		d.Options = s.driver.Options().Device
		b.d.Decode(d.Options, nodesOf(layers)...)
	}
	ds.device = d
	b.m.devices[d] = origin{at: ds.node, layers: layers, driver: s.driver}
	if d.DeadAfter < 1 {
		b.m.fault(b.m.devices[d], tag.Fault{Path: "dead_after", Text: fmt.Sprintf("%d is below 1", d.DeadAfter), Hint: "write how many answers in a row may be missed"})
	}
}

// deviceRates gathers the named intervals; those of a profile are fallbacks.
func (b *builder) deviceRates(ds *deviceScope) {
	var rates rateKeys
	s := ds.link
	b.d.Decode(&rates, ds.profile.node(), b.root.node, b.defaults.node, s.node, s.defaults.node, ds.node)
	b.rates(ds.node)
	ds.rates = rates.Rates
}

// deviceTags builds the tags of the profile, with what the device overrides,
// and then the device's own.
func (b *builder) deviceTags(ds *deviceScope) {
	b.decodeAlone(ds.node, &tagShared{}, &mapping.Config{})
	own := b.items(ds.keys.Tags, "tags")
	params := ds.profile.params(ds.shared.Params)
	if len(params) > 0 {
		for i, n := range own {
			own[i] = n.Expand(run{ds.node, 0}, func(s string) (string, bool) { return fillParams(s, params) })
		}
	}
	byName := map[string]*tree.Node{}
	for _, n := range own {
		if at := n.Get("name"); at != nil && at.Kind == tree.Scalar {
			if _, twice := byName[at.Text]; !twice {
				byName[at.Text] = n
			}
		}
	}
	taken := map[string]*tree.Node{}
	fromProfile := map[*tree.Node]bool{}
	for _, pn := range ds.profile.tags() {
		name := pn.Get("name")
		if name == nil || name.Kind != tree.Scalar {
			continue // reported when the profile was checked
		}
		c := b.fillTag(ds, pn, params)
		over := byName[name.Text]
		fromProfile[over] = true
		if c != nil {
			b.tag(ds, c, over, name.Text)
		}
		taken[name.Text] = name
	}
	for _, n := range own {
		if fromProfile[n] {
			b.tagKnown(ds, n)
			continue
		}
		var keys tagKeys
		b.d.Decode(&keys, n)
		b.tagKnown(ds, n)
		if b.name(n, keys.Name, "tag", taken) {
			b.tag(ds, nil, n, keys.Name)
		}
	}
}

// fillTag puts the parameters into a tag of a profile; nil, with a fault, when
// its address wants one that nobody gives.
func (b *builder) fillTag(ds *deviceScope, pn *tree.Node, params map[string]string) *tree.Node {
	complete := true
	if at := pn.Get("address"); at != nil {
		for _, m := range parameter.FindAllStringSubmatch(at.Text, -1) {
			if _, ok := params[m[1]]; !ok {
				complete = false
				b.d.Report.AddBelow(ds.node, "params."+m[1], fmt.Sprintf("is missing: the profile %q wants it", ds.shared.Profile),
					fmt.Sprintf("add params: {%s: ...}%s", m[1], didYouMean(m[1], params)))
			}
		}
	}
	if !complete {
		return nil
	}
	return pn.Expand(run{ds.node, 0}, func(s string) (string, bool) { return fillParams(s, params) })
}

func didYouMean(name string, params map[string]string) string {
	var keys []string
	for k := range params {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	if near := strict.Suggest(name, keys); near != "" {
		return fmt.Sprintf(", or is `%s` meant?", near)
	}
	if len(keys) > 0 {
		return " beside " + strings.Join(keys, ", ")
	}
	return ""
}

func (b *builder) tagKnown(ds *deviceScope, n *tree.Node) {
	if ds.link.driver == nil {
		return
	}
	o := ds.link.options
	b.d.Known(n, b.elsewhere(belongs{"it belongs to the device", []any{o.Device, deviceKeys{}, deviceShared{}, rateKeys{}}}), append(tagShapes(o), tagKeys{})...)
}
