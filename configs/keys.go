package configs

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"fieldferry/buffer"
	"fieldferry/configs/edit"
	"fieldferry/configs/tagmap"
	"fieldferry/configs/tree"
	"fieldferry/drivers"
	"fieldferry/tag"
	"fieldferry/web"
)

// gatewayKeys are the keys of gateway.yaml.
type gatewayKeys struct {
	Gateway headKeys      `yaml:"gateway,required"`
	Buffer  buffer.Config `yaml:"buffer"`
	Uplinks *tree.Node    `yaml:"uplinks"`
	Web     web.Config    `yaml:"web"`
}

// headKeys say who the gateway is.
type headKeys struct {
	Name   string            `yaml:"name,required"`
	Labels map[string]string `yaml:"labels"`
}

// adminKeys are the keys of the administrator's file: some of gateway.yaml's,
// which win, and its own.
type adminKeys struct {
	Buffer buffer.Config `yaml:"buffer"`
	Web    web.Config    `yaml:"web"`
	Writes bool          `yaml:"writes"` // may devices be written to at all; default false
}

// admin parses the administrator's file; nil when there is none.
func (l *loader) admin() *tree.Node {
	if l.o.Admin == "" {
		return nil
	}
	data, err := readLimited(l.o.Admin)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	l.g.Admin.File = l.o.Admin
	if err != nil {
		l.unreadable(l.o.Admin, err)
		return nil
	}
	return l.parseData(l.o.Admin, data)
}

// gateway decodes gateway.yaml with the administrator's file on top.
func (l *loader) gateway(root, admin *tree.Node) {
	if admin != nil {
		l.adminFile(root, admin)
	}
	if root == nil {
		return
	}
	keys := gatewayKeys{Buffer: buffer.Default(), Web: web.Default()}
	switch root.Kind {
	case tree.Mapping:
		l.dec.Known(root, l.misplaced, keys)
	case tree.Null:
		l.report.AddBelow(root, "gateway", "is missing", "write gateway: {name: ...}")
		return
	default:
		l.dec.Struct(&struct{}{}, root)
		return
	}
	l.dec.Decode(&keys, root, admin)
	l.g.Name, l.g.Labels, l.g.Web = keys.Gateway.Name, keys.Gateway.Labels, keys.Web
	l.checkName(root.Get("gateway").Get("name"))
	l.g.Buffer = keys.Buffer.Filled()
	l.g.Buffer.Dir = l.absolute(keys.Buffer.Dir)
	l.validate("buffer", keys.Buffer, root, admin)
	l.validate("web", keys.Web, root, admin)
	l.decodeUplinks(keys.Uplinks)
}

func (l *loader) misplaced(key string) string {
	switch {
	case key == "writes":
		return "only the administrator's file says whether devices may be written to"
	case slices.Contains([]string{"links", "defaults", "rates"}, key):
		return "it belongs into " + TagMapFile
	}
	return ""
}

// adminFile notes what the administrator decides.
func (l *loader) adminFile(root, admin *tree.Node) {
	var keys adminKeys
	l.dec.Struct(&keys, admin)
	l.g.Admin.Writes = keys.Writes
	l.lock(root, admin, "")
}

// lock lists the settings that the administrator takes, and warns where
// gateway.yaml says something that no longer counts.
func (l *loader) lock(root, admin *tree.Node, prefix string) {
	for _, p := range admin.Pairs {
		path := strings.TrimPrefix(prefix+"."+p.Key.Text, ".")
		if path == "writes" {
			continue
		}
		below := root.Get(p.Key.Text)
		if p.Value.Kind == tree.Mapping {
			l.lock(below, p.Value, path)
			continue
		}
		l.g.Admin.Locked = append(l.g.Admin.Locked, path)
		if below != nil {
			l.warn.Add(below, "does not count: the administrator decides it", fmt.Sprintf("%s, line %d", p.Value.File.Name, p.Value.Line))
		}
	}
}

// checkName refuses a gateway name that cannot be a topic level.
func (l *loader) checkName(at *tree.Node) {
	if at == nil || at.Kind != tree.Scalar {
		return
	}
	if text, hint := tagmap.BadName(at.Text); text != "" {
		l.report.Add(at, fmt.Sprintf("the name %q %s", at.Text, text), hint)
	}
}

// validate asks a Config for its faults and tells each at its place: in the
// last layer that has the setting. path leads from the layers to the Config.
func (l *loader) validate(path string, c interface{ Validate() error }, layers ...*tree.Node) {
	err := c.Validate()
	if err == nil {
		return
	}
	var faults tag.Faults
	if !errors.As(err, &faults) {
		faults = tag.Faults{{Text: err.Error()}}
	}
	for _, f := range faults {
		l.place(path, f, layers...)
	}
}

func (l *loader) place(path string, f tag.Fault, layers ...*tree.Node) {
	full := strings.Trim(path+"."+f.Path, ".")
	var best *tree.Node
	rest := full
	for _, n := range slices.Backward(layers) {
		if n == nil {
			continue
		}
		at, missing := n.Locate(full)
		if missing == "" {
			l.report.AddMeaning(at, f.Text, f.Hint)
			return
		}
		if best == nil || len(missing) < len(rest) {
			best, rest = at, missing
		}
	}
	l.report.AddBelow(best, rest, f.Text, f.Hint)
}

// TagKeys lists the keys that may be written at a tag on a link of a driver
// and hold one text each: not its name, and no groups such as labels.
func TagKeys(d drivers.Driver) []string {
	return slices.DeleteFunc(tagmap.TagKeys(d), func(key string) bool { return kindOf(d, key) == edit.Group })
}
