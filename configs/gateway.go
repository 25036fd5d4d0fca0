package configs

import (
	"fieldferry/buffer"
	"fieldferry/configs/tagmap"
	"fieldferry/configs/tree"
	"fieldferry/mapping"
	"fieldferry/mqtt"
	"fieldferry/tag"
	"fieldferry/web"
)

// Fault is one thing wrong with the configuration, with its place. Its Error
// is file:line:column: path: text (hint).
type Fault = tree.Fault

// Faults are all faults of a configuration, ordered by place. Load's error is
// of this type.
type Faults = tree.Faults

// Setting is one effective setting of a tag, its device or its link, and
// where it comes from.
type Setting = tagmap.Setting

// Gateway is a configuration without faults.
type Gateway struct {
	Name     string            // {gateway} in topics, the Sparkplug edge node id
	Labels   map[string]string // of the gateway
	Buffer   buffer.Config
	Uplinks  []mqtt.Config // the enabled ones, in the order of the file
	Web      web.Config
	Links    []*tag.Link // the enabled ones, in the order of the tag map
	Disabled []string    // uplinks, links, devices and tags that are not enabled
	Admin    Admin
	Files    []File  // what was read, in the order of their names
	Version  string  // hash over all files: changes when any of them does
	Warnings []Fault // what is allowed but may not be meant

	tags *tagmap.Map
}

// File is one file that was read.
type File struct {
	Name    string `json:"name"`    // as faults name it
	Version string `json:"version"` // hash of its bytes, as revision.Version tells it
}

// Admin is what only the administrator decides, from fieldferry.yaml.
type Admin struct {
	File   string   // its name; empty when there is none
	Writes bool     // whether devices may be written to at all; default false
	Locked []string // paths of settings that it takes from gateway.yaml, such as web.listen
}

// Mapping is how a tag of Links is processed.
func (g *Gateway) Mapping(t *tag.Tag) mapping.Config { return g.tags.Mapping(t) }

// Fingerprint is a hash over everything that concerns a link of Links,
// including small files that it names. A link whose fingerprint is the same
// after a reload goes on undisturbed.
func (g *Gateway) Fingerprint(l *tag.Link) string { return g.tags.Fingerprint(l) }

// Find returns a tag of Links by the names of its device and its own, nil if
// there is none.
func (g *Gateway) Find(device, name string) *tag.Tag { return g.tags.Find(device, name) }

// Explain lists the settings that take part in reading a tag of Links, and
// the file and line that each comes from.
func (g *Gateway) Explain(t *tag.Tag) []Setting { return g.tags.Explain(t) }

// ExplainTag lists the settings of a tag of Links alone, with those that it
// inherits; nil for a tag of another configuration.
func (g *Gateway) ExplainTag(t *tag.Tag) []Setting { return g.tags.ExplainTag(t) }

// Tags lists the tags of all links, in the order of the tag map.
func (g *Gateway) Tags() []*tag.Tag {
	var out []*tag.Tag
	for _, l := range g.Links {
		for _, d := range l.Devices {
			out = append(out, d.Tags...)
		}
	}
	return out
}
