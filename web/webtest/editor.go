package webtest

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"fieldferry/tag"
	"fieldferry/web/plant"
)

// Revision implements plant.Editor.
func (p *Plant) Revision() plant.Revision {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.revisions[0]
}

// History implements plant.Editor.
func (p *Plant) History(_ context.Context, limit int) ([]plant.Revision, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.revisions[:min(limit, len(p.revisions))]), nil
}

// Check implements plant.Editor.
func (p *Plant) Check(_ context.Context, d plant.Draft) (plant.Report, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, r, err := p.tryLocked(d)
	return r, err
}

// Apply implements plant.Editor.
func (p *Plant) Apply(_ context.Context, d plant.Draft, author string) (plant.Report, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next, r, err := p.tryLocked(d)
	if err != nil || len(r.Faults) > 0 {
		return r, err
	}
	rev := plant.Revision{ID: fmt.Sprintf("r%04d", len(p.revisions)+1), At: p.clock(), Author: author, Comment: d.Comment}
	for _, e := range r.Effects {
		rev.Changes = append(rev.Changes, e.Text)
	}
	p.tags, p.settings = next.tags, next.settings
	p.generation++
	p.revisions = slices.Insert(p.revisions, 0, rev)
	r.Applied = &rev
	return r, nil
}

// ApplyAside applies a change as somebody else would do meanwhile.
func (p *Plant) ApplyAside(device, name, key, text string) error {
	d := plant.Draft{Base: p.Revision().ID, Changes: []plant.Change{{Device: device, Tag: name, Set: map[string]string{key: text}}}}
	r, err := p.Apply(context.Background(), d, "somebody else")
	if err == nil && len(r.Faults) > 0 {
		err = fmt.Errorf("apply aside: %v", r.Faults)
	}
	return err
}

// tried is what the tags are after a draft.
type tried struct {
	tags     []*tag.Tag
	settings map[*tag.Tag]map[string]plant.Setting
}

func (p *Plant) tryLocked(d plant.Draft) (tried, plant.Report, error) {
	r := plant.Report{}
	if d.Base != p.revisions[0].ID {
		return tried{}, r, plant.ErrStale
	}
	next := tried{slices.Clone(p.tags), maps.Clone(p.settings)}
	var restart []string
	for _, c := range d.Changes {
		i := slices.IndexFunc(next.tags, func(t *tag.Tag) bool { return t.Device.Name == c.Device && t.Name == c.Tag })
		if i < 0 {
			r.Faults = append(r.Faults, plant.Fault{Device: c.Device, Tag: c.Tag, Text: fmt.Sprintf("there is no tag %s/%s", c.Device, c.Tag), Hint: "it was removed meanwhile: discard the change"})
			continue
		}
		n := len(r.Effects)
		old := next.tags[i]
		t, s := change(old, next.settings[old], c, &r)
		delete(next.settings, old)
		next.tags[i], next.settings[t] = t, s
		if link := t.Device.Link.Name; len(r.Effects) > n && !slices.Contains(restart, link) {
			restart = append(restart, link)
		}
	}
	for _, link := range restart {
		r.Effects = append(r.Effects, plant.Effect{Link: link, Text: fmt.Sprintf("link %s restarts: its devices pause for about 1 s, the other links run on", link)})
	}
	return next, r, nil
}

// change returns the tag with new settings, and adds to the report.
func change(old *tag.Tag, had map[string]plant.Setting, c plant.Change, r *plant.Report) (*tag.Tag, map[string]plant.Setting) {
	s := maps.Clone(had)
	for _, k := range slices.Sorted(maps.Keys(c.Set)) {
		text := strings.TrimSpace(c.Set[k])
		before, known := s[k]
		fault := plant.Fault{Device: c.Device, Tag: c.Tag, Key: k, File: "tagmap.yaml", Line: 41, Column: 25, Path: "links[1].devices[0].tags[0]." + k}
		switch hint := faultOf(k, text); {
		case !known:
			fault.Text, fault.Hint = fmt.Sprintf("unknown key %q", k), "known keys: "+strings.Join(keys, ", ")
			r.Faults = append(r.Faults, fault)
		case hint != "":
			fault.Text, fault.Hint = fmt.Sprintf("%s %q is not valid", strings.ReplaceAll(k, "_", " "), text), hint
			r.Faults = append(r.Faults, fault)
		case text != before.Text:
			r.Effects = append(r.Effects, plant.Effect{Device: c.Device, Tag: c.Tag, Text: fmt.Sprintf("%s of %s/%s: %s → %s", strings.ReplaceAll(k, "_", " "), c.Device, c.Tag, orNothing(before.Text), orNothing(text))})
			s[k] = plant.Setting{Text: text, From: "tag"}
		}
	}
	t := *old
	use(&t, s)
	return &t, s
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

var addressForm = regexp.MustCompile(`^((coil|di|ir|hr):\d+(\.(\d+|hi|lo))?|s7:.+|\d{5,6}(\.\d+)?)$`)

// faultOf returns what to do about a setting that is wrong, "" for a good one.
func faultOf(key, text string) string {
	switch key {
	case "address":
		if !addressForm.MatchString(text) {
			return "write hr:100, ir:0, coil:7, di:3, a bit as hr:10.3, or 40101"
		}
	case "type":
		types := []string{"bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "string"}
		if !slices.Contains(types, text) {
			return "use one of " + strings.Join(types, ", ")
		}
	case "scale", "offset", "deadband", "min", "max":
		if _, err := strconv.ParseFloat(text, 64); text != "" && err != nil {
			return "write a number such as 0.1, with a point"
		}
	case "interval":
		if d, err := time.ParseDuration(text); err != nil || d < 50*time.Millisecond {
			return "write a span of at least 50ms, such as 500ms, 10s, 1m"
		}
	case "class":
		if new(tag.Class).UnmarshalText([]byte(text)) != nil {
			return "use alarm, normal or bulk"
		}
	case "access":
		if new(tag.Access).UnmarshalText([]byte(text)) != nil {
			return "use read, read-write or write"
		}
	}
	return ""
}
