package configs

import (
	"errors"
	"fmt"

	"fieldferry/configs/tagmap"
	"fieldferry/configs/tree"
	"fieldferry/mapping/payload"
	"fieldferry/mqtt"
	"fieldferry/tag"
)

// uplinkKeys are the keys of an uplink.
type uplinkKeys struct {
	Enabled bool        `yaml:"enabled"` // default true
	Config  mqtt.Config `yaml:",inline"`
}

// uplink is an enabled uplink with the node it comes from.
type uplink struct {
	node   *tree.Node
	config mqtt.Config
}

// decodeUplinks decodes and checks the list of uplinks.
func (l *loader) decodeUplinks(list *tree.Node) {
	switch {
	case list == nil || list.Kind == tree.Null || list.Kind == tree.Broken:
		return
	case list.Kind != tree.Sequence:
		l.report.Add(list, "uplinks are a list", "begin each uplink with \"- \"")
		return
	}
	taken := map[string]*tree.Node{}
	for _, n := range list.Items {
		keys := uplinkKeys{Enabled: true, Config: mqtt.Default()}
		l.dec.Struct(&keys, n)
		if n.Kind != tree.Mapping {
			continue
		}
		l.validate("", keys.Config, n)
		l.uplinkName(n.Get("name"), taken)
		if !keys.Enabled {
			l.g.Disabled = append(l.g.Disabled, keys.Config.Name)
			continue
		}
		l.uplinks = append(l.uplinks, uplink{n, keys.Config})
		l.g.Uplinks = append(l.g.Uplinks, keys.Config)
	}
}

func (l *loader) uplinkName(at *tree.Node, taken map[string]*tree.Node) {
	if at == nil || at.Kind != tree.Scalar {
		return
	}
	if text, hint := tagmap.BadName(at.Text); text != "" {
		l.report.Add(at, fmt.Sprintf("the name %q %s", at.Text, text), hint)
	}
	if first := taken[at.Text]; first != nil {
		l.report.Add(at, fmt.Sprintf("the uplink name %q is taken", at.Text), fmt.Sprintf("first on line %d", first.Line))
		return
	}
	taken[at.Text] = at
}

// topics checks the topics of all tags for every uplink.
func (l *loader) topics() {
	tags := l.g.Tags()
	for _, u := range l.uplinks {
		if u.config.Payload.Validate() != nil {
			continue // reported already
		}
		e, err := payload.Compile(u.config.Payload, payload.Vars{Gateway: l.g.Name, Uplink: u.config.Name, Labels: l.g.Labels})
		if err != nil {
			var faults tag.Faults
			if !errors.As(err, &faults) {
				faults = tag.Faults{{Text: err.Error()}}
			}
			for _, f := range faults {
				l.place("", f, u.node)
			}
			continue
		}
		for _, f := range e.CheckTopics(tags) {
			if f.Tag == nil {
				l.place("", f.Fault, u.node)
				continue
			}
			f.Fault.Path = "name"
			f.Fault.Text += fmt.Sprintf(" (uplink %q)", u.config.Name)
			l.g.tags.Fault(f.Tag.Device.Link, f.Tag.Device, f.Tag, f.Fault)
		}
	}
}
