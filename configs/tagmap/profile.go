package tagmap

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"fieldferry/configs/strict"
	"fieldferry/configs/tree"
	"fieldferry/drivers"
	"fieldferry/mapping"
)

// profile is a decoded profile. Its methods take nil: a device without one.
type profile struct {
	name string
	root *tree.Node
	keys profileKeys
	list []*tree.Node
}

func (p *profile) layer() layer {
	if p == nil {
		return layer{}
	}
	return layer{p.keys.Defaults, "defaults of profile " + p.name}
}

func (p *profile) node() *tree.Node {
	if p == nil {
		return nil
	}
	return p.root
}

func (p *profile) tags() []*tree.Node {
	if p == nil {
		return nil
	}
	return p.list
}

// params overlays the profile's fallbacks with the device's parameters.
func (p *profile) params(of map[string]string) map[string]string {
	if p == nil {
		return of
	}
	return merged(p.keys.Params, of)
}

// profile finds the profile of a device and checks it for the link's driver.
func (b *builder) profile(ds *deviceScope) *profile {
	name := ds.shared.Profile
	if name == "" {
		return nil
	}
	b.used[name] = true
	root, ok := b.in.Profiles[name]
	if !ok {
		b.unknownProfile(ds, name)
		return nil
	}
	if root == nil {
		return nil // its syntax is broken, and reported
	}
	p := b.openProfile(name, root)
	if drv := ds.link.driver; drv != nil {
		key := checkedProfile{name, ds.link.keys.Driver}
		if !b.checked[key] {
			b.checked[key] = true
			b.checkProfile(p, []drivers.Options{drv.Options()})
		}
		if len(p.keys.Drivers) > 0 && !slices.Contains(p.keys.Drivers, ds.link.keys.Driver) {
			o := origin{at: ds.node, layers: []layer{b.defaults, ds.link.defaults, {ds.node, ""}}}
			b.m.faultAt(o, "profile", fmt.Sprintf("the profile %q is not for the driver %q", name, ds.link.keys.Driver),
				"it is for "+strings.Join(p.keys.Drivers, ", "))
		}
	}
	return p
}

func (b *builder) unknownProfile(ds *deviceScope, name string) {
	known := slices.Sorted(maps.Keys(b.in.Profiles))
	hint := strict.DidYouMean(name, known)
	if hint == "" {
		hint = fmt.Sprintf("put it into profiles/%s.yaml; there are %s", name, strings.Join(known, ", "))
	}
	o := origin{at: ds.node, layers: []layer{b.defaults, ds.link.defaults, {ds.node, ""}}}
	b.m.faultAt(o, "profile", fmt.Sprintf("unknown profile %q", name), hint)
}

// openProfile decodes what does not depend on a driver.
func (b *builder) openProfile(name string, root *tree.Node) *profile {
	if p := b.profiles[name]; p != nil {
		return p
	}
	p := &profile{name: name, root: root}
	b.profiles[name] = p
	b.group(root)
	b.d.Decode(&p.keys, root)
	b.group(p.keys.Defaults)
	b.rates(root)
	for _, n := range p.keys.Drivers {
		if !isBundled(root) && !slices.Contains(b.in.Names, n) {
			b.d.Report.Add(root.Get("drivers"), fmt.Sprintf("unknown driver %q", n), b.driverHint(n))
		}
	}
	b.decodeAlone(p.keys.Defaults, &tagShared{}, &labelKeys{}, &mapping.Config{})
	taken := map[string]*tree.Node{}
	for _, n := range b.items(p.keys.Tags, "tags") {
		var keys tagKeys
		b.d.Decode(&keys, n)
		if b.name(n, keys.Name, "tag", taken) {
			p.list = append(p.list, n)
		}
	}
	return p
}

// checkProfile reports keys of a profile that none of the drivers knows.
func (b *builder) checkProfile(p *profile, options []drivers.Options) {
	shared := []any{tagShared{}, labelKeys{}, mapping.Config{}}
	devices := []any{deviceKeys{}, deviceShared{}, rateKeys{}}
	top := slices.Clone(shared)
	atDefaults, atTag := slices.Clone(shared), append(slices.Clone(shared), tagKeys{})
	for _, o := range options {
		atDefaults = append(atDefaults, o.Device, o.Tag)
		top = append(top, o.Device, o.Tag)
		atTag = append(atTag, o.Tag)
		devices = append(devices, o.Device)
		b.decodeAlone(p.keys.Defaults, o.Device, o.Tag)
	}
	b.d.Known(p.root, b.elsewhere(belongs{"write it below `defaults`", top}), profileKeys{})
	b.d.Known(p.keys.Defaults, b.elsewhere(belongs{notInherited, append(devices, tagKeys{})}), atDefaults...)
	for _, n := range p.list {
		b.d.Known(n, b.elsewhere(belongs{"it belongs to the device", devices}), atTag...)
	}
}

// Bundled begins the names of files that are part of the program. Tests check
// them, so that a program without some driver does not complain.
const Bundled = "bundled:"

func isBundled(n *tree.Node) bool { return strings.HasPrefix(n.File.Name, Bundled) }

// unusedProfiles checks those that no device names against all drivers that
// they may be for, so that a fault shows before the profile is used.
func (b *builder) unusedProfiles() {
	for _, name := range slices.Sorted(maps.Keys(b.in.Profiles)) {
		root := b.in.Profiles[name]
		if b.used[name] || root == nil || isBundled(root) {
			continue
		}
		p := b.openProfile(name, root)
		names := p.keys.Drivers
		if len(names) == 0 {
			names = b.in.Names
		}
		var options []drivers.Options
		for _, n := range names {
			if drv, ok := b.in.Drivers(n); ok {
				options = append(options, drv.Options())
			}
		}
		if len(options) > 0 {
			b.checkProfile(p, options)
		}
	}
}
