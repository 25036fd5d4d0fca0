package strict

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"time"

	"fieldferry/configs/tree"
)

// Setting is one effective setting. Node is where it comes from, nil for a
// default.
type Setting struct {
	Key   string // path below the struct, such as serial.baud
	Value string // as it could be written
	Node  *tree.Node
}

// Explain lists the settings of a struct that Decode has filled from the same
// layers, in the order of its fields. Settings that are neither written nor
// have a default are left out.
func (d *Decoder) Explain(src any, layers ...*tree.Node) []Setting {
	if v := reflect.ValueOf(src); src != nil && !v.IsNil() {
		return d.explain(nil, "", v.Elem(), mappings(layers))
	}
	return nil
}

func (d *Decoder) explain(out []Setting, prefix string, v reflect.Value, layers []*tree.Node) []Setting {
	for _, f := range d.shapeOf(v.Type()).fields {
		var found []*tree.Node
		for _, l := range layers {
			if n := l.Get(f.key); n != nil {
				found = append(found, n)
			}
		}
		out = d.explainValue(out, joinPath(prefix, f.key), v.FieldByIndex(f.index), found)
	}
	return out
}

func (d *Decoder) explainValue(out []Setting, key string, v reflect.Value, found []*tree.Node) []Setting {
	if v.Type() == nodeType {
		return out
	}
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Struct && !readsText(v.Type()):
		return d.explain(out, key, v, mappings(found))
	case v.Kind() == reflect.Map:
		return explainMap(out, key, v, mappings(found))
	case len(found) > 0:
		n := found[len(found)-1]
		return append(out, Setting{key, n.String(), n})
	}
	if !v.IsValid() || v.IsZero() {
		return out
	}
	return append(out, Setting{key, textOf(v), nil})
}

func explainMap(out []Setting, key string, v reflect.Value, layers []*tree.Node) []Setting {
	from := map[string]*tree.Node{}
	var order []string
	for _, n := range layers {
		for _, p := range n.Pairs {
			if from[p.Key.Text] == nil {
				order = append(order, p.Key.Text)
			}
			from[p.Key.Text] = p.Value
		}
	}
	first := len(out)
	for it := v.MapRange(); it.Next(); {
		if k := fmt.Sprint(it.Key().Interface()); from[k] == nil {
			out = append(out, Setting{joinPath(key, k), textOf(it.Value()), nil})
		}
	}
	slices.SortFunc(out[first:], func(a, b Setting) int { return cmp.Compare(a.Key, b.Key) })
	for _, k := range order {
		out = append(out, Setting{joinPath(key, k), from[k].String(), from[k]})
	}
	return out
}

// textOf is a Go value as it could be written.
func textOf(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return durationText(x)
	case encoding.TextMarshaler:
		if b, err := x.MarshalText(); err == nil {
			return string(b)
		}
	case string:
		return fmt.Sprintf("%q", x)
	}
	return fmt.Sprint(v.Interface())
}

// durationText is the shortest way to write a duration.
func durationText(d time.Duration) string {
	for _, u := range []string{"w", "d", "h", "m", "s", "ms", "us"} {
		if d != 0 && d%units[u] == 0 {
			return fmt.Sprintf("%d%s", d/units[u], u)
		}
	}
	return d.String()
}

func joinPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
