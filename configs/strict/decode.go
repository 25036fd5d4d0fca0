package strict

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"fieldferry/configs/regular"
	"fieldferry/configs/tree"
)

// Decoder fills structs from nodes.
type Decoder struct {
	Report *tree.Report
	// File makes the text of a `path` setting an absolute file name. nil
	// leaves it as it is written.
	File func(text string) string
	// Synonyms maps keys that people know from elsewhere to ours, for hints.
	Synonyms map[string]string

	shapes map[reflect.Type]*shape
}

// Decode fills the struct that dst points to from layers, of which the later
// wins; keys that the struct does not have are passed over (see Known), but
// not in the structs inside of it. What no layer names keeps its value. Nil
// layers and such that are no mapping are passed over.
func (d *Decoder) Decode(dst any, layers ...*tree.Node) {
	if v := reflect.ValueOf(dst); dst != nil && !v.IsNil() {
		d.fields(v.Elem(), mappings(layers))
	}
}

// Struct decodes one node that belongs to dst alone: keys which dst does not
// have are faults, and so is a node that is no mapping. Null sets nothing.
func (d *Decoder) Struct(dst any, n *tree.Node) {
	if n == nil || !d.isMapping(n) {
		return
	}
	d.Known(n, nil, dst)
	d.Decode(dst, n)
}

// Known reports the keys of a mapping that none of the structs has.
// elsewhere may know a better hint for a key than the nearest known one.
func (d *Decoder) Known(n *tree.Node, elsewhere func(key string) string, shapes ...any) {
	if n == nil || n.Kind != tree.Mapping {
		return
	}
	keys := d.Keys(shapes...)
	for _, p := range n.Pairs {
		if slices.Contains(keys, p.Key.Text) {
			continue
		}
		var hint string
		if n.Flow && p.Value.Kind == tree.Null && wholeNumber.MatchString(p.Key.Text) {
			hint = "write a decimal point, not a comma"
		} else {
			hint = d.hint(p.Key.Text, keys, elsewhere, shapes)
		}
		d.Report.Add(p.Key, fmt.Sprintf("unknown key %q", clip(p.Key.Text)), hint)
	}
}

func (d *Decoder) hint(key string, keys []string, elsewhere func(string) string, shapes []any) string {
	if elsewhere == nil {
		elsewhere = func(string) string { return "" }
	}
	if h := elsewhere(key); h != "" {
		return h
	}
	if outer := d.inside(key, shapes); outer != "" {
		return fmt.Sprintf("write it as %s: {%s: ...}", outer, key)
	}
	if s := d.Synonyms[key]; s != "" {
		if slices.Contains(keys, s) {
			return fmt.Sprintf("did you mean `%s`?", s)
		}
		if h := elsewhere(s); h != "" {
			return fmt.Sprintf("did you mean `%s`? %s", s, h)
		}
	}
	return DidYouMean(key, keys)
}

// inside finds the struct below shapes that a key belongs into.
func (d *Decoder) inside(key string, shapes []any) string {
	for _, v := range shapes {
		t := structOf(v)
		if t == nil {
			continue
		}
		for _, f := range d.shapeOf(t).fields {
			in := f.typ
			for in.Kind() == reflect.Pointer {
				in = in.Elem()
			}
			if in.Kind() != reflect.Struct || in == nodeType.Elem() || readsText(in) {
				continue
			}
			if _, ok := d.shapeOf(in).byKey[key]; ok {
				return f.key
			}
		}
	}
	return ""
}

var nodeType = reflect.TypeFor[*tree.Node]()

func mappings(layers []*tree.Node) []*tree.Node {
	out := make([]*tree.Node, 0, len(layers))
	for _, l := range layers {
		if l != nil && l.Kind == tree.Mapping {
			out = append(out, l)
		}
	}
	return out
}

func (d *Decoder) isMapping(n *tree.Node) bool {
	if n.Kind == tree.Mapping || n.Kind == tree.Null || n.Kind == tree.Broken {
		return true
	}
	d.Report.Add(n, n.What()+" stands where a group of settings is wanted", "write key: value below it")
	return false
}

func (d *Decoder) fields(v reflect.Value, layers []*tree.Node) {
	s := d.shapeOf(v.Type())
	var found []*tree.Node
	for _, f := range s.fields {
		found = found[:0]
		for _, l := range layers {
			if n := l.Get(f.key); n != nil {
				found = append(found, n)
			}
		}
		if len(found) > 0 {
			d.value(v.FieldByIndex(f.index), found, f.path)
		} else if f.required && len(layers) > 0 {
			d.Report.AddBelow(layers[len(layers)-1], f.key, "is missing", "write "+f.key+": ...")
		}
	}
}

// value fills v from what the layers say, the first first.
func (d *Decoder) value(v reflect.Value, layers []*tree.Node, path bool) {
	switch {
	case v.Type() == nodeType:
		v.Set(reflect.ValueOf(layers[len(layers)-1]))
	case v.Kind() == reflect.Pointer:
		if at := d.fresh(v.Type().Elem(), v); at.IsValid() {
			d.value(at.Elem(), layers, path)
			v.Set(at)
		}
	case readsText(v.Type()):
		d.each(layers, func(n *tree.Node) { d.text(v, n) })
	case v.Kind() == reflect.Struct:
		for _, n := range layers {
			if d.isMapping(n) {
				d.Known(n, nil, v.Interface())
			}
		}
		d.fields(v, mappings(layers))
	case v.Kind() == reflect.Map:
		d.mapping(v, layers, path)
	case v.Kind() == reflect.Slice:
		for _, n := range layers {
			d.list(v, n, path)
		}
	case v.Kind() == reflect.Interface:
		d.each(layers, func(n *tree.Node) { d.scalar(v, n, path) })
	default:
		d.each(layers, func(n *tree.Node) { d.scalar(v, n, path) })
	}
}

// fresh returns a pointer to a copy of what v points to, or to a zero value:
// what several structs share by default is not changed for all of them.
func (d *Decoder) fresh(t reflect.Type, v reflect.Value) reflect.Value {
	at := reflect.New(t)
	if !v.IsNil() {
		at.Elem().Set(v.Elem())
	}
	return at
}

// each calls f for the nodes that are scalars, and reports the others.
func (d *Decoder) each(layers []*tree.Node, f func(*tree.Node)) {
	for _, n := range layers {
		switch n.Kind {
		case tree.Scalar:
			f(n)
		case tree.Broken:
		case tree.Null:
			d.Report.Add(n, "has no value", "write one, or leave the key out")
		default:
			d.Report.Add(n, n.What()+" stands where one value is wanted", placeholder(n))
		}
	}
}

// placeholder is the hint for {n} without quotes, which YAML reads as a
// mapping.
func placeholder(n *tree.Node) string {
	if n.Kind == tree.Mapping && n.Flow && len(n.Pairs) == 1 && n.Pairs[0].Value.Kind == tree.Null {
		return fmt.Sprintf("quote a placeholder: \"{%s}\"", n.Pairs[0].Key.Text)
	}
	return ""
}

func (d *Decoder) text(v reflect.Value, n *tree.Node) {
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Text)); err != nil {
		d.Report.Add(n, err.Error(), "")
	}
}

func (d *Decoder) scalar(v reflect.Value, n *tree.Node, path bool) {
	if p := setScalar(v, n); p != nil {
		d.Report.Add(n, p.text, p.hint)
		return
	}
	if path && v.Kind() == reflect.String && d.File != nil && n.Text != "" {
		name := d.File(n.Text)
		if strings.HasSuffix(n.Path(), "_file") && regular.Check(name) != nil {
			d.Report.Add(n, fmt.Sprintf("%s %v", name, regular.ErrIrregular), "name a file")
		}
		v.SetString(name)
	}
}

// mapping merges by key. The map is made anew, never changed in place.
func (d *Decoder) mapping(v reflect.Value, layers []*tree.Node, path bool) {
	out := reflect.MakeMap(v.Type())
	for it := v.MapRange(); it.Next(); {
		out.SetMapIndex(it.Key(), it.Value())
	}
	found := map[string][]*tree.Node{}
	for _, n := range layers {
		if !d.isMapping(n) {
			continue
		}
		for _, p := range n.Pairs {
			found[p.Key.Text] = append(found[p.Key.Text], p.Value)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		k := reflect.New(v.Type().Key()).Elem()
		if p := setScalar(k, &tree.Node{Kind: tree.Scalar, Text: key, Plain: true, Filled: true}); p != nil && k.Kind() != reflect.String {
			d.Report.Add(found[key][0].KeyNode(), p.text, p.hint)
			continue
		}
		e := reflect.New(v.Type().Elem()).Elem()
		if old := out.MapIndex(k); old.IsValid() {
			e.Set(old)
		}
		d.value(e, found[key], path)
		out.SetMapIndex(k, e)
	}
	v.Set(out)
}

func (d *Decoder) list(v reflect.Value, n *tree.Node, path bool) {
	switch n.Kind {
	case tree.Broken:
		return
	case tree.Null:
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		return
	case tree.Scalar:
		d.Report.Add(n, n.What()+" stands where a list is wanted", "write ["+n.String()+"]")
		return
	case tree.Mapping:
		d.Report.Add(n, n.What()+" stands where a list is wanted", "begin each item with \"- \"")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items))
	for i, it := range n.Items {
		d.value(out.Index(i), []*tree.Node{it}, path)
	}
	v.Set(out)
}
