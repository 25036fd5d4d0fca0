package calc

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"fieldferry/drivers"
	"fieldferry/tag"
)

// maxValues limits the sources of one expression, those of every use counted.
const maxValues = 100_000

// Binding is what the names in an expression stand for, filled in by Bind. The
// zero Binding is that of a tag with a fault.
type Binding struct{ b *binding }

// MarshalText returns the names of the sources, one in a line. A hash over a
// link's settings that goes by it changes when a new device matches a
// pattern, as it must for the link to be restarted then.
func (b Binding) MarshalText() ([]byte, error) {
	var text []byte
	if b.b != nil {
		for _, t := range b.b.sources {
			text = append(append(text, t.Path()...), '\n')
		}
	}
	return text, nil
}

// binding is a formula with its sources. It is not changed once it is made.
type binding struct {
	formula *formula
	sources []*tag.Tag       // each once
	single  map[string]int   // tag("text") -> position in sources
	lists   map[string][]int // tags("text") -> positions
}

// Bind finds the sources of every computed tag among all the tags of the
// gateway and keeps them in the tag's options. It is called once for each tag
// map that was loaded, beside the drivers' own Check, before anything runs or
// compares settings; links are all of them, whatever their driver. It returns a fault for each
// source that does not exist, and for each tag that uses itself, directly or
// through others. Tags with a broken expression are passed over: Check tells.
func Bind(links []*tag.Link) []drivers.Fault {
	b := binder{byPath: map[string]*tag.Tag{}}
	var computed []*tag.Tag
	for _, l := range links {
		for _, d := range l.Devices {
			for _, t := range d.Tags {
				if t.Access.Readable() {
					b.byPath[t.Path()] = t
					b.tags = append(b.tags, t)
				}
				if _, ours := t.Options.(*TagOptions); ours {
					computed = append(computed, t)
				}
			}
		}
	}
	slices.SortFunc(b.tags, func(x, y *tag.Tag) int { return cmp.Compare(x.Path(), y.Path()) })
	for _, t := range computed {
		b.bind(t)
	}
	b.findLoops(computed)
	return b.faults
}

// sources returns the tags that a computed tag uses, in the order of their
// first use; nil for any other tag.
func sources(t *tag.Tag) []*tag.Tag {
	if o, ok := t.Options.(*TagOptions); ok && o.Bound.b != nil {
		return o.Bound.b.sources
	}
	return nil
}

type binder struct {
	tags   []*tag.Tag // readable, by path
	byPath map[string]*tag.Tag
	faults []drivers.Fault
}

func (b *binder) fault(t *tag.Tag, text, hint string) {
	b.faults = append(b.faults, drivers.Fault{Device: t.Device, Tag: t, Fault: tag.Fault{Path: "expr", Text: text, Hint: hint}})
}

func (b *binder) bind(t *tag.Tag) {
	o := t.Options.(*TagOptions)
	o.Bound = Binding{}
	f, faults := compile(o.Expr)
	if faults != nil {
		return
	}
	bound := &binding{formula: f, single: map[string]int{}, lists: map[string][]int{}}
	at := map[*tag.Tag]int{}
	values, whole := 0, true
	for _, r := range f.refs {
		if known := bound.lists[r.text]; r.list && known != nil {
			values += len(known) // used once more
			continue
		}
		found := b.find(t, r)
		whole = whole && found != nil
		values += len(found)
		for _, src := range found {
			i, known := at[src]
			if !known {
				i = len(bound.sources)
				at[src] = i
				bound.sources = append(bound.sources, src)
			}
			if r.list {
				bound.lists[r.text] = append(bound.lists[r.text], i)
			} else {
				bound.single[r.text] = i
			}
		}
	}
	if values > maxValues {
		b.fault(t, fmt.Sprintf("the expression uses %d values, and %d are allowed", values, maxValues), "compute sums of sums")
		return
	}
	if whole {
		o.Bound = Binding{bound}
	}
}

// find returns the tags that r means, or adds a fault.
func (b *binder) find(t *tag.Tag, r ref) []*tag.Tag {
	if !r.list {
		if src := b.byPath[r.text]; src != nil {
			return []*tag.Tag{src}
		}
		b.fault(t, fmt.Sprintf("%s: there is no such tag", r), b.suggest(r.text))
		return nil
	}
	var found []*tag.Tag
	for _, src := range b.tags {
		if matched, err := path.Match(r.text, src.Path()); err == nil && matched {
			found = append(found, src)
		}
	}
	if found == nil {
		b.fault(t, fmt.Sprintf("%s matches no tag", r), "patterns are for device/name, such as inv*/power; * does not stand for a slash")
	}
	return found
}

// suggest looks for the tag that was meant: misspelt, or without its device.
func (b *binder) suggest(text string) string {
	if !strings.Contains(text, "/") {
		for _, src := range b.tags {
			if src.Name == text {
				return fmt.Sprintf("did you mean %s? Tags are named with their device", src.Path())
			}
		}
	}
	paths := make([]string, len(b.tags))
	for i, src := range b.tags {
		paths[i] = src.Path()
	}
	if near := tag.Nearest(text, paths); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "tags are named device/name, as in the tag map"
}

// findLoops adds a fault for each ring of computed tags, once.
func (b *binder) findLoops(computed []*tag.Tag) {
	const (
		open = 1 + iota // on the way that is being walked
		done
	)
	state := map[*tag.Tag]int{}
	var way []*tag.Tag
	var walk func(t *tag.Tag)
	walk = func(t *tag.Tag) {
		state[t] = open
		way = append(way, t)
		for _, src := range sources(t) {
			switch state[src] {
			case open:
				b.loop(way[slices.Index(way, src):])
			case done:
			default:
				walk(src)
			}
		}
		way = way[:len(way)-1]
		state[t] = done
	}
	for _, t := range computed {
		if state[t] == 0 {
			walk(t)
		}
	}
}

func (b *binder) loop(ring []*tag.Tag) {
	if len(ring) == 1 {
		b.fault(ring[0], fmt.Sprintf("%s uses itself", ring[0].Path()), "a pattern must not match the tag it computes")
		return
	}
	names := make([]string, 0, len(ring)+1)
	for _, t := range ring {
		names = append(names, t.Path())
	}
	b.fault(ring[0], fmt.Sprintf("tags use each other in a ring: %s", strings.Join(append(names, names[0]), " -> ")), "one of them must go by other tags")
}
