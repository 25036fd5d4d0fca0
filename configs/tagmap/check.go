package tagmap

import (
	"fmt"
	"slices"

	"fieldferry/drivers"
	"fieldferry/mapping"
	"fieldferry/tag"
)

// check lets the drivers and the mapping look at what was built.
func (m *Map) check() {
	for _, l := range m.Links {
		m.checkLink(l, l)
	}
	m.checkStrays()
}

// checkLink checks a link as it is, or a copy of it with further devices.
func (m *Map) checkLink(l, whole *tag.Link) {
	if drv := m.links[l].driver; drv != nil {
		for _, f := range checkLink(drv, whole) {
			m.Fault(l, f.Device, f.Tag, f.Fault)
		}
	}
	for _, d := range whole.Devices {
		for _, t := range d.Tags {
			for _, f := range mapping.Check(t, m.mappings[t]) {
				m.fault(m.tags[t], f)
			}
		}
	}
}

// checkStrays looks at devices whose name is missing, wrong or taken together
// with the others of their link, so that their other faults are told in the
// same run. A fault that has been told already is told once.
func (m *Map) checkStrays() {
	byLink := map[*tag.Link][]*tag.Device{}
	var links []*tag.Link
	for _, d := range m.strays {
		if byLink[d.Link] == nil {
			links = append(links, d.Link)
		}
		byLink[d.Link] = append(byLink[d.Link], d)
	}
	for _, l := range links {
		whole := *l
		whole.Devices = slices.Concat(l.Devices, byLink[l])
		m.checkLink(l, &whole)
	}
}

// checkLink fences a driver: what a user wrote must not end a running
// gateway, even where a driver has a bug.
func checkLink(drv drivers.Driver, l *tag.Link) (faults []drivers.Fault) {
	defer func() {
		if p := recover(); p != nil {
			faults = []drivers.Fault{{Fault: tag.Fault{Text: fmt.Sprintf("the driver %q cannot check this link: %v", l.Driver, p), Hint: "this is a bug: report it with the tag map"}}}
		}
	}()
	return drv.Check(l)
}

// Fault reports what is wrong with a link, a device (nil: the link itself) or
// a tag (nil: the device) at the place that says it.
func (m *Map) Fault(l *tag.Link, d *tag.Device, t *tag.Tag, f tag.Fault) {
	switch {
	case t != nil:
		m.fault(m.tags[t], f)
	case d != nil:
		m.fault(m.devices[d], f)
	default:
		m.fault(m.links[l], f)
	}
}

func (m *Map) faultAt(o origin, path, text, hint string) {
	m.fault(o, tag.Fault{Path: path, Text: text, Hint: hint})
}

// fault reports at the most particular layer that has the path, else at the
// one that has most of it, else where the thing is named.
func (m *Map) fault(o origin, f tag.Fault) {
	if o.at == nil {
		return
	}
	bestRest, best := f.Path, o.at
	for _, l := range slices.Backward(o.layers) {
		if l.node == nil || f.Path == "" {
			continue
		}
		n, rest := l.node.Locate(f.Path)
		if rest == "" {
			m.report.AddMeaning(n, f.Text, f.Hint)
			return
		}
		if len(rest) < len(bestRest) {
			best, bestRest = n, rest
		}
	}
	m.report.AddBelow(best, bestRest, f.Text, f.Hint)
}
