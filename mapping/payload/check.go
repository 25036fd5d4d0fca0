package payload

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"fieldferry/tag"
)

// TagFault is a fault of one tag's topic, or of the template itself, where
// Tag is nil.
type TagFault struct {
	Tag *tag.Tag
	tag.Fault
}

// CheckTopics returns what is wrong with the topics of all the tags of an
// uplink: placeholders that no tag knows, labels that are missing or empty,
// names that cannot be in a topic, and two tags with one topic. Tags that are
// never read have no topic and are passed over.
func (e *Encoder) CheckTopics(tags []*tag.Tag) []TagFault {
	var faults []TagFault
	misspelt := e.misspelt(tags)
	for _, key := range misspelt {
		faults = append(faults, TagFault{Fault: tag.Fault{
			Path: "topic",
			Text: fmt.Sprintf("unknown placeholder {%s}: no tag has a label of this name", key),
			Hint: suggest(key, e.known(tags)),
		}})
	}
	owner := map[string]*tag.Tag{}
	for _, t := range tags {
		if !t.Access.Readable() {
			continue
		}
		topic, err := e.Topic(t)
		if err == nil {
			first, taken := owner[topic]
			if !taken {
				owner[topic] = t
				continue
			}
			faults = append(faults, TagFault{Tag: t, Fault: tag.Fault{
				Path: "topic",
				Text: fmt.Sprintf("the topic %q is that of tag %s already", topic, first.Path()),
				Hint: "let the template tell them apart, as {device}/{tag} does",
			}})
			continue
		}
		var unknown *unknownError
		if errors.As(err, &unknown) && slices.Contains(misspelt, unknown.key) {
			continue // told once for all
		}
		faults = append(faults, TagFault{Tag: t, Fault: tag.Fault{
			Path: "topic", Text: err.Error(), Hint: fmt.Sprintf("correct it, or the template %q", e.cfg.Topic),
		}})
	}
	return faults
}

// misspelt returns the placeholders that are labels of no tag at all.
func (e *Encoder) misspelt(tags []*tag.Tag) []string {
	var keys []string
	for _, p := range e.topic {
		if p.key == "" || slices.Contains(gatewayKeys, p.key) || slices.Contains(tagKeys, p.key) || slices.Contains(keys, p.key) {
			continue
		}
		has := func(t *tag.Tag) bool { _, known := label(p.key, t, e.vars); return known }
		if len(tags) > 0 && !slices.ContainsFunc(tags, has) {
			keys = append(keys, p.key)
		}
	}
	return keys
}

// known returns every placeholder that some tag could fill.
func (e *Encoder) known(tags []*tag.Tag) []string {
	labels := map[string]bool{}
	note := func(m map[string]string) {
		for k := range m {
			labels[k] = true
		}
	}
	note(e.vars.Labels)
	for _, t := range tags {
		note(t.Labels)
		if t.Device != nil {
			note(t.Device.Labels)
		}
	}
	return append(slices.Concat(gatewayKeys, tagKeys), slices.Sorted(maps.Keys(labels))...)
}
