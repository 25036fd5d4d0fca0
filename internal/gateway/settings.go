package gateway

import (
	"slices"
	"strconv"

	"fieldferry/configs"
	"fieldferry/drivers"
	"fieldferry/tag"
	"fieldferry/web/plant"
)

// notOffered are keys that the page does not edit, by driver; "" is any.
var notOffered = map[string][]string{
	// A tag that is not enabled is not in the page's list any more: there
	// would be no way back.
	"": {"enabled"},
	// A computed tag comes from no device, and nothing can be written to it.
	"calc": {"address", "access"},
}

// tagKeys are the keys of a tag that the page offers, by driver. calc is the
// driver of computed tags, which is not in the registry.
func tagKeys(calc drivers.Driver) map[string][]string {
	out := map[string][]string{}
	for _, name := range append(drivers.Names(), "calc") {
		d, ok := drivers.Lookup(name)
		if !ok {
			d = calc
		}
		out[name] = slices.DeleteFunc(configs.TagKeys(d), func(k string) bool {
			return slices.Contains(notOffered[""], k) || slices.Contains(notOffered[name], k)
		})
	}
	return out
}

// Settings returns the keys that may be written at a tag of the running
// configuration, with what they are set to and where.
func (g *Gateway) Settings(t *tag.Tag) map[string]plant.Setting {
	g.mu.Lock()
	cfg := g.config
	g.mu.Unlock()
	return g.settings(cfg, t)
}

// settings is Settings of any configuration; nil for a tag that it does not
// have.
func (g *Gateway) settings(cfg *configs.Gateway, t *tag.Tag) map[string]plant.Setting {
	explained := cfg.ExplainTag(t)
	if explained == nil {
		return nil
	}
	keys := g.keys[t.Device.Link.Driver]
	out := make(map[string]plant.Setting, len(keys))
	for _, k := range keys {
		out[k] = plant.Setting{Text: unwritten(k, t), From: "default"}
	}
	for _, s := range explained {
		if _, offered := out[s.Key]; offered {
			out[s.Key] = plant.Setting{Text: unquoted(s.Value), From: s.From}
		}
	}
	return out
}

// unwritten is what a key means where nobody has written it; empty where that
// cannot be said in its own words.
func unwritten(key string, t *tag.Tag) string {
	switch key {
	case "access":
		return t.Access.String()
	case "class":
		return t.Class.String()
	}
	return ""
}

// unquoted is a text of the tag map as a person types it into a field.
func unquoted(s string) string {
	if len(s) > 1 && s[0] == '"' {
		if t, err := strconv.Unquote(s); err == nil {
			return t
		}
	}
	return s
}
