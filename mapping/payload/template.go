package payload

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"fieldferry/tag"
)

// Limits of a topic: MQTT's own, and the depth that common brokers accept.
const (
	maxTopicBytes  = 65535
	maxTopicLevels = 200
)

// ownLevel is the first level below the root of the gateway's own topics.
const ownLevel = "_"

// part is a piece of a template: text, or the name of a placeholder.
type part struct {
	text string
	key  string // empty: text
}

// gatewayKeys are known of a whole uplink; tagKeys differ from tag to tag.
// Any other name is a label.
var (
	gatewayKeys = []string{"gateway", "uplink"}
	tagKeys     = []string{"link", "device", "tag", "unit", "class"}
)

// parseTemplate cuts s into parts. path names the key of the configuration.
func parseTemplate(path, s string) ([]part, tag.Faults) {
	var parts []part
	rest := s
	for rest != "" {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			parts = append(parts, part{text: rest})
			break
		}
		if i > 0 {
			parts = append(parts, part{text: rest[:i]})
		}
		end := strings.IndexAny(rest[i+1:], "{}")
		if rest[i] == '}' || end < 0 || rest[i+1+end] == '{' {
			return nil, tag.Faults{{Path: path, Text: fmt.Sprintf("a brace of %q has no partner", s), Hint: "write placeholders as {device}"}}
		}
		key := rest[i+1 : i+1+end]
		if key == "" || strings.TrimSpace(key) != key {
			return nil, tag.Faults{{Path: path, Text: fmt.Sprintf("%q has a placeholder without a name, or with spaces around it", s), Hint: "write placeholders as {device}"}}
		}
		parts = append(parts, part{key: key})
		rest = rest[i+2+end:]
	}
	return parts, templateFaults(path, s, parts)
}

// templateFaults finds what no placeholder's text could put right.
func templateFaults(path, s string, parts []part) tag.Faults {
	var sample strings.Builder
	for _, p := range parts {
		sample.WriteString(p.text)
		if p.key != "" {
			sample.WriteByte('x')
		}
	}
	if err := checkTopic(sample.String()); err != nil {
		return tag.Faults{{Path: path, Text: fmt.Sprintf("%q cannot be a topic: %v", s, err), Hint: "write it as a/{device}/{tag}"}}
	}
	return nil
}

// rootFaults refuses placeholders that differ from tag to tag.
func rootFaults(parts []part) tag.Faults {
	var fs tag.Faults
	for _, p := range parts {
		if slices.Contains(tagKeys, p.key) {
			fs = append(fs, tag.Fault{Path: "root", Text: fmt.Sprintf("{%s} differs from tag to tag, but the root is one for the whole uplink", p.key),
				Hint: "move it to topic"})
		}
	}
	return fs
}

// resolveRoot fills in the root, which knows the gateway and its labels alone.
func resolveRoot(template string, v Vars) (string, tag.Faults) {
	parts, fs := parseTemplate("root", template)
	if fs = append(fs, rootFaults(parts)...); len(fs) > 0 {
		return "", fs
	}
	var b strings.Builder
	for _, p := range parts {
		text, err := p.resolve(nil, v)
		if err != nil {
			known := append(slices.Sorted(maps.Keys(v.Labels)), gatewayKeys...)
			fs = append(fs, tag.Fault{Path: "root", Text: err.Error(), Hint: suggest(p.key, known)})
			continue
		}
		b.WriteString(text)
	}
	if len(fs) > 0 {
		return "", fs
	}
	root := b.String()
	if err := checkTopic(root); err != nil {
		return "", tag.Faults{{Path: "root", Text: fmt.Sprintf("%q becomes %q, which cannot be a topic: %v", template, root, err),
			Hint: "correct the names and labels that it is made of"}}
	}
	return root, nil
}

// suggest makes the hint for an unknown placeholder.
func suggest(key string, known []string) string {
	braced := make([]string, len(known))
	for i, k := range known {
		braced[i] = "{" + k + "}"
	}
	if near := tag.Nearest(key, known); near != "" {
		return fmt.Sprintf("did you mean {%s}? known here are %s", near, list(braced))
	}
	return "known here are " + list(braced)
}

// unknownError says that a placeholder is no label of the tag or gateway.
type unknownError struct{ key string }

func (e *unknownError) Error() string {
	return fmt.Sprintf("unknown placeholder {%s}: there is no label of this name", e.key)
}

// resolve returns the text of one part; t is nil for the root.
func (p part) resolve(t *tag.Tag, v Vars) (string, error) {
	switch {
	case p.key == "":
		return p.text, nil
	case p.key == "gateway":
		return filled(p.key, v.Gateway)
	case p.key == "uplink":
		return filled(p.key, v.Uplink)
	case t != nil && slices.Contains(tagKeys, p.key):
		return p.ofTag(t)
	}
	text, known := label(p.key, t, v)
	if !known {
		return "", &unknownError{p.key}
	}
	return filled(p.key, text)
}

func (p part) ofTag(t *tag.Tag) (string, error) {
	text := ""
	switch {
	case p.key == "tag":
		text = t.Name
	case p.key == "class":
		text = t.Class.String()
	case p.key == "unit":
		text = t.Unit
		if strings.Contains(text, "/") {
			return "", fmt.Errorf("the unit %q has a slash, which would begin a new level", text)
		}
	case p.key == "device" && t.Device != nil:
		text = t.Device.Name
	case p.key == "link" && t.Device != nil && t.Device.Link != nil:
		text = t.Device.Link.Name
	}
	return filled(p.key, text)
}

// label looks a label up where it is nearest: at the tag, its device, the gateway.
func label(key string, t *tag.Tag, v Vars) (string, bool) {
	if t != nil {
		if text, known := t.Labels[key]; known {
			return text, true
		}
		if t.Device != nil {
			if text, known := t.Device.Labels[key]; known {
				return text, true
			}
		}
	}
	text, known := v.Labels[key]
	return text, known
}

func filled(key, text string) (string, error) {
	if text == "" {
		return "", fmt.Errorf("{%s} is empty", key)
	}
	return text, nil
}

// checkTopic says why s cannot be published to (MQTT 5, sections 1.5.4 and 4.7).
func checkTopic(s string) error {
	switch {
	case s == "":
		return errors.New("it is empty")
	case len(s) > maxTopicBytes:
		return fmt.Errorf("it has %d bytes, and %d are allowed", len(s), maxTopicBytes)
	case strings.Count(s, "/") >= maxTopicLevels:
		return fmt.Errorf("it has %d levels, and %d are allowed", strings.Count(s, "/")+1, maxTopicLevels)
	case s[0] == '$':
		return errors.New("it begins with $, which is the broker's own")
	case s[0] == '/' || s[len(s)-1] == '/' || strings.Contains(s, "//"):
		return errors.New("it has an empty level")
	case !utf8.ValidString(s):
		return errors.New("it is not valid UTF-8")
	}
	for _, r := range s {
		switch {
		case r == '+' || r == '#':
			return fmt.Errorf("it holds %q, which is a wildcard", r)
		case unicode.IsControl(r) || r&0xFFFE == 0xFFFE || r >= 0xFDD0 && r <= 0xFDEF:
			return fmt.Errorf("it holds the character %U, which brokers refuse", r)
		}
	}
	return nil
}
