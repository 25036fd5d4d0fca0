package strict

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// shape is what the keys of a struct mean.
type shape struct {
	fields []field
	byKey  map[string]int
}

type field struct {
	key      string
	index    []int
	typ      reflect.Type
	path     bool
	required bool
}

var textType = reflect.TypeFor[encoding.TextUnmarshaler]()

// readsText says that values of t read themselves from text.
func readsText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textType) }

// shapeOf compiles the yaml tags of a struct once.
func (d *Decoder) shapeOf(t reflect.Type) *shape {
	if s := d.shapes[t]; s != nil {
		return s
	}
	s := &shape{byKey: map[string]int{}}
	s.collect(t, nil)
	for i, f := range s.fields {
		if _, twice := s.byKey[f.key]; twice {
			panic(fmt.Sprintf("strict: %s has the key %q twice", t, f.key))
		}
		s.byKey[f.key] = i
	}
	if d.shapes == nil {
		d.shapes = map[reflect.Type]*shape{}
	}
	d.shapes[t] = s
	return s
}

func (s *shape) collect(t reflect.Type, at []int) {
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, ok := sf.Tag.Lookup("yaml")
		if !ok || tag == "-" || !sf.IsExported() {
			continue
		}
		index := append(append([]int{}, at...), i)
		key, options, _ := strings.Cut(tag, ",")
		f := field{key: key, index: index, typ: sf.Type, path: IsPath(tag)}
		inline := false
		for o := range strings.SplitSeq(options, ",") {
			switch o {
			case "inline":
				inline = true
			case "required":
				f.required = true
			}
		}
		if inline {
			s.collect(sf.Type, index)
			continue
		}
		s.fields = append(s.fields, f)
	}
}

// IsPath says that a field with this yaml tag holds file names: it has the
// option `path`, or its key ends in _file or _dir.
func IsPath(tag string) bool {
	key, options, _ := strings.Cut(tag, ",")
	return strings.HasSuffix(key, "_file") || strings.HasSuffix(key, "_dir") || slices.Contains(strings.Split(options, ","), "path")
}

// structOf returns the struct type behind v, which is a struct or a pointer
// to one; nil for nil.
func structOf(v any) reflect.Type {
	t := reflect.TypeOf(v)
	if t == nil {
		return nil
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// Keys lists the keys of structs, given as values or pointers; nil ones are
// passed over.
func (d *Decoder) Keys(shapes ...any) []string {
	var keys []string
	for _, v := range shapes {
		t := structOf(v)
		if t == nil {
			continue
		}
		for _, f := range d.shapeOf(t).fields {
			keys = append(keys, f.key)
		}
	}
	return keys
}

// TypeOf is the type of a key in the first of the structs that has it, behind
// pointers; nil if none has.
func (d *Decoder) TypeOf(key string, shapes ...any) reflect.Type {
	for _, v := range shapes {
		t := structOf(v)
		if t == nil {
			continue
		}
		s := d.shapeOf(t)
		if i, ok := s.byKey[key]; ok {
			t = s.fields[i].typ
			for t.Kind() == reflect.Pointer {
				t = t.Elem()
			}
			return t
		}
	}
	return nil
}

// IsText says that a setting of type t is written as text, in quotes where it
// must be.
func IsText(t reflect.Type) bool { return t.Kind() == reflect.String || readsText(t) }
