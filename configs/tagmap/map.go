package tagmap

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"fieldferry/configs/fingerprint"
	"fieldferry/configs/strict"
	"fieldferry/configs/tree"
	"fieldferry/drivers"
	"fieldferry/mapping"
	"fieldferry/tag"
)

// Input is what a Map is built from.
type Input struct {
	Decoder  *strict.Decoder
	Map      *tree.Node            // root of the tag map
	Profiles map[string]*tree.Node // roots of the profiles, by name
	Labels   map[string]string     // of the gateway
	Drivers  func(name string) (drivers.Driver, bool)
	Names    []string     // of the drivers
	Warnings *tree.Report // takes what is allowed but may not be meant
}

// Map is a tag map with everything inherited and expanded.
type Map struct {
	Links    []*tag.Link // the enabled ones that have a device, in the order of the map
	Disabled []string    // names of links, and paths of devices and tags, that are not enabled

	strays   []*tag.Device // enabled ones without a name of their own: checked, never run
	report   *tree.Report
	decoder  *strict.Decoder
	mappings map[*tag.Tag]mapping.Config
	links    map[*tag.Link]origin
	devices  map[*tag.Device]origin
	tags     map[*tag.Tag]origin

	explaining sync.Mutex      // guards explainer
	explainer  *strict.Decoder // kept because it learns the shapes of structs once
}

// layer is one place that settings come from.
type layer struct {
	node *tree.Node
	from string // as Explain says it: "device pump"
}

// origin is where a link, a device or a tag comes from, for faults and
// explanations. The last layer is the most particular.
type origin struct {
	at     *tree.Node // where it is named: a fault without a better place is told here
	layers []layer
	driver drivers.Driver // nil if unknown
}

func nodesOf(layers []layer) []*tree.Node {
	out := make([]*tree.Node, len(layers))
	for i, l := range layers {
		out[i] = l.node
	}
	return out
}

// builder holds what is needed while a Map is built.
type builder struct {
	in       Input
	d        *strict.Decoder
	m        *Map
	labels   map[string]string
	root     layer // tagmap.yaml, for rates
	defaults layer
	names    map[string]*tree.Node // link names
	devices  map[string]*tree.Node // device names, unique in the gateway
	used     map[string]bool       // profiles that a device names
	checked  map[checkedProfile]bool
	profiles map[string]*profile
}

type checkedProfile struct{ profile, driver string }

// maxDevices is the most devices of one gateway: `each: 1..1000000` is a
// slip, not a plant.
const maxDevices = 10_000

// Build makes a Map. Faults go to the Decoder's report; what has faults may
// be missing from the Map, and a Map with faults must not be run.
func Build(in Input) *Map {
	m := &Map{
		explainer: &strict.Decoder{Report: &tree.Report{}, File: in.Decoder.File},
		report:    in.Decoder.Report, decoder: in.Decoder, mappings: map[*tag.Tag]mapping.Config{},
		links: map[*tag.Link]origin{}, devices: map[*tag.Device]origin{}, tags: map[*tag.Tag]origin{},
	}
	b := &builder{
		in: in, d: in.Decoder, m: m, labels: in.Labels, used: map[string]bool{}, checked: map[checkedProfile]bool{}, profiles: map[string]*profile{},
		names: map[string]*tree.Node{}, devices: map[string]*tree.Node{},
	}
	b.build()
	b.unusedProfiles()
	m.check()
	return m
}

func (b *builder) build() {
	var keys mapKeys
	b.d.Struct(&keys, b.in.Map)
	b.root = layer{b.in.Map, "tag map"}
	b.defaults = layer{keys.Defaults, "defaults"}
	b.checkDefaults(keys)
	for _, n := range b.items(keys.Links, "links") {
		b.link(n)
	}
}

// items returns the elements of a list of mappings, and reports what is none.
func (b *builder) items(list *tree.Node, what string) []*tree.Node {
	if list == nil {
		return nil
	}
	switch list.Kind {
	case tree.Null, tree.Broken:
		return nil
	case tree.Scalar, tree.Mapping:
		b.d.Report.Add(list, fmt.Sprintf("%s are a list", what), "begin each item with \"- \"")
		return nil
	}
	out := make([]*tree.Node, 0, len(list.Items))
	for _, n := range list.Items {
		switch n.Kind {
		case tree.Mapping:
			out = append(out, n)
		case tree.Broken:
		default:
			b.d.Report.Add(n, fmt.Sprintf("an item of %s is a group of settings", what), "write {name: ...}")
		}
	}
	return out
}

// checkDefaults reports keys that no driver of the map knows, and decodes
// them once, so that wrong values are told even where nothing inherits them.
func (b *builder) checkDefaults(keys mapKeys) {
	b.group(keys.Defaults)
	b.rates(b.in.Map)
	b.rates(keys.Defaults)
	shapes := []any{linkShared{}, deviceShared{}, rateKeys{}, tagShared{}, labelKeys{}, mapping.Config{}}
	var options []drivers.Options
	for _, name := range b.driversUsed(keys.Links) {
		if drv, ok := b.in.Drivers(name); ok {
			o := drv.Options()
			options = append(options, o)
			shapes = append(shapes, o.Link, o.Device, o.Tag)
		}
	}
	b.d.Known(keys.Defaults, b.elsewhere(belongs{notInherited, []any{linkKeys{}, deviceKeys{}, tagKeys{}}}), shapes...)
	for _, o := range options {
		b.decodeAlone(keys.Defaults, o.Link, o.Device, o.Tag)
	}
	b.decodeAlone(keys.Defaults, &linkShared{}, &deviceShared{}, &tagShared{}, &labelKeys{}, &mapping.Config{})
}

func (b *builder) decodeAlone(n *tree.Node, dst ...any) {
	for _, v := range dst {
		if v != nil {
			b.d.Decode(v, n)
		}
	}
}

// group reports what stands where a group of settings is wanted.
func (b *builder) group(n *tree.Node) {
	if n != nil && n.Kind != tree.Mapping {
		b.d.Struct(&struct{}{}, n)
	}
}

// rates refuses the rates of a group of settings that are no intervals.
func (b *builder) rates(parent *tree.Node) {
	var keys rateKeys
	b.decodeAlone(parent, &keys)
	for name, d := range keys.Rates {
		if at := parent.Get("rates").Get(name); at != nil && d < minInterval {
			b.d.Report.AddMeaning(at, fmt.Sprintf("%q is too short for a sampling interval", at.Text), "write 1ms or more")
		}
	}
}

// driversUsed are the drivers that links of the map name; all there are when
// none does.
func (b *builder) driversUsed(links *tree.Node) []string {
	used := map[string]bool{}
	if links != nil {
		for _, n := range links.Items {
			if d := n.Get("driver"); d != nil && d.Kind == tree.Scalar {
				used[d.Text] = true
			}
		}
	}
	if len(used) == 0 {
		return b.in.Names
	}
	return slices.Sorted(maps.Keys(used))
}

// Mapping is how a tag is processed.
func (m *Map) Mapping(t *tag.Tag) mapping.Config { return m.mappings[t] }

// Fingerprint is a hash over everything that concerns a link once all is
// inherited: its options, devices and tags, how they are processed, and the
// contents of the files it names. Equal fingerprints mean that a reload need
// not touch the link.
func (m *Map) Fingerprint(l *tag.Link) string {
	var further []any
	for _, d := range l.Devices {
		for _, t := range d.Tags {
			further = append(further, m.mappings[t])
		}
	}
	return fingerprint.Of(l, further...)
}

// Find returns the tag of a device by name, nil if there is none.
func (m *Map) Find(device, name string) *tag.Tag {
	for _, l := range m.Links {
		for _, d := range l.Devices {
			if d.Name != device {
				continue
			}
			for _, t := range d.Tags {
				if t.Name == name {
					return t
				}
			}
		}
	}
	return nil
}
