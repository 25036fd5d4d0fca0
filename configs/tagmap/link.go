package tagmap

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"fieldferry/configs/strict"
	"fieldferry/configs/tree"
	"fieldferry/drivers"
	"fieldferry/mapping"
	"fieldferry/tag"
)

// linkScope is a link of the map while its devices are built.
type linkScope struct {
	node     *tree.Node
	keys     linkKeys
	driver   drivers.Driver // nil if unknown
	options  drivers.Options
	layers   []layer // the map's defaults, the link
	defaults layer
	enabled  bool
	shared   *tag.Link // holds the devices without an endpoint of their own
}

func (b *builder) link(n *tree.Node) {
	s := &linkScope{node: n, keys: linkKeys{Enabled: true}}
	b.d.Decode(&s.keys, n)
	if drv, ok := b.in.Drivers(s.keys.Driver); ok {
		s.driver, s.options = drv, drv.Options()
	} else if at := n.Get("driver"); at != nil && at.Kind == tree.Scalar {
		b.d.Report.Add(at, fmt.Sprintf("unknown driver %q", s.keys.Driver), b.driverHint(s.keys.Driver))
	}
	b.name(n, s.keys.Name, "link", b.names)
	s.layers = []layer{b.defaults, {n, "link " + s.keys.Name}}
	s.defaults = layer{s.keys.Defaults, "defaults of link " + s.keys.Name}
	s.enabled = s.keys.Enabled
	if !s.enabled {
		b.m.Disabled = append(b.m.Disabled, s.keys.Name)
	}
	b.linkChecks(s)
	s.shared = b.newLink(s, s.keys.Name, s.keys.Endpoint, n, s.layers)
	own := []*tag.Link{}
	for _, dn := range b.items(s.keys.Devices, "devices") {
		b.each(dn, func(c *tree.Node) {
			if l := b.device(s, c); l != nil {
				own = append(own, l)
			}
		})
	}
	if s.enabled && len(s.shared.Devices) > 0 {
		b.m.Links = append(b.m.Links, s.shared)
	}
	if s.enabled && len(s.shared.Devices)+len(own) == 0 {
		b.in.Warnings.Add(n, "the link has no device: nothing is read from it", "")
	}
	b.m.Links = append(b.m.Links, own...)
}

func (b *builder) driverHint(name string) string {
	if h := strict.DidYouMean(name, b.in.Names); h != "" {
		return h
	}
	return "there are " + strings.Join(b.in.Names, ", ")
}

// linkChecks reports keys that the link and its defaults cannot have, and
// wrong values that no device may ever inherit.
func (b *builder) linkChecks(s *linkScope) {
	if s.driver != nil {
		o := s.options
		below := append(tagShapes(o), deviceShared{}, o.Device)
		b.d.Known(s.node, b.elsewhere(
			belongs{"write it below `defaults` of the link, or at a device", below},
			belongs{"write it at a device or a tag", []any{deviceKeys{}, tagKeys{}}}), linkKeys{}, linkShared{}, o.Link)
		b.d.Known(s.keys.Defaults, b.elsewhere(
			belongs{"it belongs to the link itself", []any{o.Link, linkShared{}}},
			belongs{notInherited, []any{linkKeys{}, deviceKeys{}, tagKeys{}}}), append(below, rateKeys{})...)
		fresh := s.driver.Options()
		b.decodeAlone(s.keys.Defaults, fresh.Device, fresh.Tag)
	}
	b.group(s.keys.Defaults)
	b.rates(s.node)
	b.rates(s.keys.Defaults)
	b.decodeAlone(s.node, &labelKeys{})
	b.decodeAlone(s.keys.Defaults, &deviceShared{}, &tagShared{}, &labelKeys{}, &mapping.Config{})
}

// belongs is a hint for the keys of some structs.
type belongs struct {
	hint   string
	shapes []any
}

const notInherited = "it does not inherit: write it where it belongs"

// elsewhere returns the hints for keys that belong to another place.
func (b *builder) elsewhere(places ...belongs) func(string) string {
	return func(key string) string {
		for _, p := range places {
			if slices.Contains(b.d.Keys(p.shapes...), key) {
				return p.hint
			}
		}
		return ""
	}
}

func (b *builder) newLink(s *linkScope, name, endpoint string, at *tree.Node, layers []layer) *tag.Link {
	shared := linkShared{Retry: defaultRetry}
	b.d.Decode(&shared, nodesOf(layers)...)
	if shared.Retry < 100*time.Millisecond {
		b.m.fault(origin{at: at, layers: layers}, tag.Fault{Path: "retry", Text: fmt.Sprintf("%s is too short a pause between attempts to connect", shared.Retry), Hint: "write 100ms or more"})
	}
	l := &tag.Link{Name: name, Driver: s.keys.Driver, Endpoint: endpoint, Retry: shared.Retry}
	if s.driver != nil {
		l.Options = s.driver.Options().Link
		b.d.Decode(l.Options, nodesOf(layers)...)
	}
	b.m.links[l] = origin{at: at, layers: layers, driver: s.driver}
	return l
}

// name checks the name of a link, a device or a tag, and that it is the only
// one in its scope. It reports at the place of the name.
func (b *builder) name(n *tree.Node, name, what string, taken map[string]*tree.Node) bool {
	at := n.Get("name")
	if at == nil || at.Kind != tree.Scalar {
		return false
	}
	if text, hint := BadName(name); text != "" {
		b.d.Report.Add(at, fmt.Sprintf("the name %q %s", name, text), hint)
		return false
	}
	if first, ok := taken[name]; ok {
		scope := map[string]string{"link": "the gateway", "device": "the gateway", "tag": "the device"}[what]
		b.d.Report.Add(at, fmt.Sprintf("the %s name %q is taken: names are unique in %s", what, name, scope),
			fmt.Sprintf("first in %s, line %d", first.File.Name, first.Line))
		return false
	}
	taken[name] = at
	return true
}

const maxName = 200 // bytes: names become topic levels

// BadName says what keeps a text from being a name. Names become levels of
// topics and parts of paths.
func BadName(name string) (text, hint string) {
	if i := strings.IndexAny(name, "/+#\x00"); i >= 0 {
		return fmt.Sprintf("contains %q", name[i]), "use letters, digits, - and _"
	}
	switch {
	case name == "":
		return "is empty", "write a name"
	case name[0] == '$' || name[0] == '_':
		return fmt.Sprintf("begins with %q, which is for the gateway's own topics", name[0]), "begin with a letter or a digit"
	case len(name) > maxName:
		return fmt.Sprintf("has %d bytes", len(name)), fmt.Sprintf("at most %d", maxName)
	case strings.TrimSpace(name) != name:
		return "begins or ends with a blank", ""
	case strings.ContainsFunc(name, unicode.IsControl):
		return "contains a control character", "use letters, digits, - and _"
	case strings.ContainsAny(name, "{}"):
		return "contains a placeholder that nothing fills", "`{n}` needs `each: 1..20` at the device"
	}
	return "", ""
}

// merged overlays maps; it returns base itself when there is nothing on top.
func merged(base, over map[string]string) map[string]string {
	if len(over) == 0 {
		return base
	}
	out := maps.Clone(base)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, over)
	return out
}
