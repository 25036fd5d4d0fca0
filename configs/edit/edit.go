package edit

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"fieldferry/configs/tree"
)

// ErrNotFound is wrapped by errors about a device or tag that the file does
// not have.
var ErrNotFound = errors.New("not in the tag map")

// Kind is how the value of a key is written.
type Kind uint8

// The kinds. Guess goes by the looks of the value.
const (
	Guess Kind = iota
	Text       // in quotes where that is needed
	Bare       // a number, true or false, a time: never in quotes
	Group      // {...} or [...]
)

// Kinds tells the kind of a tag's key on a link of a driver.
type Kinds func(driver, key string) Kind

// Set changes settings of a tag: each key gets the value that is given as
// text, and is removed where that is empty, so that what is inherited holds
// again. A tag that comes from a profile gets an override at its device.
func Set(file []byte, device, tag string, set map[string]string, kinds Kinds) ([]byte, error) {
	p, err := find(file, device)
	if err != nil {
		return nil, err
	}
	at := p.tag(tag)
	if at == nil {
		if !p.profile {
			return nil, fmt.Errorf("tag %q of device %q: %w", tag, device, ErrNotFound)
		}
		return p.override(tag, set, kinds)
	}
	if v, ok := set["name"]; ok && v == "" {
		return nil, fmt.Errorf("tag %q of device %q: its name cannot be removed", tag, device)
	}
	out, err := p.change(at, set, kinds)
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if set[key] == "" && at.Get(key) != nil {
			if out, err = removeKey(out, at.Path(), key); err != nil {
				return nil, err
			}
		}
	}
	return out, verify(p.root, out, at.Path(), set)
}

// Add appends a new tag to a device.
func Add(file []byte, device, tag string, set map[string]string, kinds Kinds) ([]byte, error) {
	p, err := find(file, device)
	if err != nil {
		return nil, err
	}
	if p.tag(tag) != nil {
		return nil, fmt.Errorf("device %q has a tag %q already", device, tag)
	}
	return p.append(tag, set, kinds)
}

// Remove takes a tag out of a device's own list. Where the profile has it
// too, it loses its override.
func Remove(file []byte, device, tag string) ([]byte, error) {
	p, err := find(file, device)
	if err != nil {
		return nil, err
	}
	at := p.tag(tag)
	if at == nil {
		return nil, fmt.Errorf("tag %q of device %q: %w", tag, device, ErrNotFound)
	}
	out, err := removeItem(file, p.device.Get("tags"), at)
	if err != nil {
		return nil, err
	}
	return out, verifyRemoved(p.root, out, p.device.Get("tags").Path(), at)
}

// place is a device in a parsed file.
type place struct {
	file    []byte
	root    *tree.Node
	device  *tree.Node
	driver  string
	profile bool // its tags may come from a profile
}

func parse(file []byte) (*tree.Node, error) {
	r := &tree.Report{}
	root := tree.Parse("tagmap.yaml", file, r).Root
	if f := r.Faults(); f != nil {
		return nil, fmt.Errorf("the tag map cannot be edited before it is repaired: %w", f)
	}
	return root, nil
}

var number = regexp.MustCompile(`\\\{n(?::0[1-9])?\\\}`)

func find(file []byte, device string) (*place, error) {
	root, err := parse(file)
	if err != nil {
		return nil, err
	}
	for _, link := range items(root.Get("links")) {
		for _, d := range items(link.Get("devices")) {
			name := text(d.Get("name"))
			if d.Get("each") != nil {
				pattern := "^" + number.ReplaceAllString(regexp.QuoteMeta(name), "[0-9]+") + "$"
				if ok, _ := regexp.MatchString(pattern, device); ok {
					return nil, fmt.Errorf("device %q is one of those that `each` makes on line %d: change that entry for all of them, or write this device out", device, d.Line)
				}
				continue
			}
			if name != device {
				continue
			}
			p := &place{file: file, root: root, device: d, driver: text(link.Get("driver"))}
			for _, n := range []*tree.Node{root.Get("defaults"), link.Get("defaults"), d} {
				p.profile = p.profile || n.Get("profile") != nil
			}
			return p, nil
		}
	}
	return nil, fmt.Errorf("device %q: %w", device, ErrNotFound)
}

func items(n *tree.Node) []*tree.Node {
	if n == nil {
		return nil
	}
	return n.Items
}

func text(n *tree.Node) string {
	if n == nil {
		return ""
	}
	return n.Text
}

func (p *place) tag(name string) *tree.Node {
	for _, t := range items(p.device.Get("tags")) {
		if text(t.Get("name")) == name {
			return t
		}
	}
	return nil
}

// change replaces the values that are there and adds those that are not, all
// in one go.
func (p *place) change(at *tree.Node, set map[string]string, kinds Kinds) ([]byte, error) {
	var cuts []cut
	added := map[string]string{}
	for key, value := range set {
		if value == "" {
			continue
		}
		old := at.Get(key)
		kind := kinds(p.driver, key)
		if old == nil {
			written, err := write(value, kind)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			added[key] = written
			continue
		}
		if kind == Guess && old.Kind == tree.Scalar && !old.Plain {
			kind = Text
		}
		written, err := write(value, kind)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		start, end, err := old.Span()
		if err != nil {
			return nil, err
		}
		if start == end { // an empty value: nothing is between the colon and the end of the line
			written = " " + strings.TrimSpace(written)
		}
		cuts = append(cuts, cut{start, end, written})
	}
	if len(added) > 0 {
		c, err := insertKeys(p.file, at, added)
		if err != nil {
			return nil, err
		}
		cuts = append(cuts, c)
	}
	return splice(p.file, cuts), nil
}

// override adds an entry for a tag that the profile has.
func (p *place) override(tag string, set map[string]string, kinds Kinds) ([]byte, error) {
	kept := map[string]string{}
	for key, value := range set {
		if key == "name" && value != tag {
			return nil, fmt.Errorf("tag %q comes from a profile: its name is changed there", tag)
		}
		if value != "" && key != "name" {
			kept[key] = value
		}
	}
	if len(kept) == 0 {
		return p.file, nil
	}
	return p.append(tag, kept, kinds)
}

// append adds an entry {name: ..., ...} to the device's tags.
func (p *place) append(tag string, set map[string]string, kinds Kinds) ([]byte, error) {
	name, err := write(tag, Text)
	if err != nil {
		return nil, err
	}
	parts := []string{"name: " + name}
	for _, key := range ordered(set) {
		if key == "name" || set[key] == "" {
			continue
		}
		written, err := write(set[key], kinds(p.driver, key))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		parts = append(parts, key+": "+written)
	}
	entry := "{" + strings.Join(parts, ", ") + "}"
	tags := p.device.Get("tags")
	var c cut
	switch {
	case tags == nil:
		c, err = insertKeys(p.file, p.device, map[string]string{"tags": "[" + entry + "]"})
	case tags.Kind == tree.Null:
		var start, end int
		start, end, err = tags.Span()
		c = cut{start, end, " [" + entry + "]"}
	default:
		c, err = insertItem(p.file, tags, entry)
	}
	if err != nil {
		return nil, err
	}
	out := splice(p.file, []cut{c})
	path := fmt.Sprintf("%s.tags[%d]", p.device.Path(), len(items(tags)))
	want := maps.Clone(set)
	if want == nil {
		want = map[string]string{}
	}
	want["name"] = tag
	return out, verify(p.root, out, path, want)
}

// ordered puts the keys that people look for first.
func ordered(set map[string]string) []string {
	first := []string{"name", "address", "type", "unit", "scale", "offset"}
	keys := slices.Sorted(maps.Keys(set))
	slices.SortStableFunc(keys, func(a, b string) int {
		return rank(first, a) - rank(first, b)
	})
	return keys
}

func rank(first []string, key string) int {
	if i := slices.Index(first, key); i >= 0 {
		return i
	}
	return len(first)
}
