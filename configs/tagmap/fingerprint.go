package tagmap

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"fieldferry/configs/strict"
	"fieldferry/tag"
)

// Fingerprint is a hash over everything that concerns a link once all is
// inherited: its options, devices and tags, how they are processed, and the
// contents of the files it names. Equal fingerprints mean that a reload need
// not touch the link.
func (m *Map) Fingerprint(l *tag.Link) string {
	h := sha256.New()
	canonical(h, reflect.ValueOf(l).Elem())
	for _, d := range l.Devices {
		for _, t := range d.Tags {
			canonical(h, reflect.ValueOf(m.mappings[t]))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

var (
	linkPointer   = reflect.TypeFor[*tag.Link]()
	devicePointer = reflect.TypeFor[*tag.Device]()
)

// canonical writes a value so that equal ones, and no others, read the same.
func canonical(w io.Writer, v reflect.Value) {
	if !v.IsValid() {
		fmt.Fprint(w, "nothing;")
		return
	}
	if v.CanInterface() && v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface {
		if x, ok := v.Interface().(encoding.TextMarshaler); ok {
			if b, err := x.MarshalText(); err == nil {
				fmt.Fprintf(w, "%q;", b)
				return
			}
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			fmt.Fprint(w, "nil;")
			return
		}
		canonical(w, v.Elem())
	case reflect.Struct:
		canonicalStruct(w, v)
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		fmt.Fprintf(w, "map %d;", len(keys))
		for _, k := range keys {
			canonical(w, k)
			canonical(w, v.MapIndex(k))
		}
	case reflect.Slice, reflect.Array:
		fmt.Fprintf(w, "list %d;", v.Len())
		for i := range v.Len() {
			canonical(w, v.Index(i))
		}
	case reflect.String:
		fmt.Fprintf(w, "%q;", v.String())
	default:
		fmt.Fprintf(w, "%v;", v)
	}
}

func canonicalStruct(w io.Writer, v reflect.Value) {
	t := v.Type()
	fmt.Fprintf(w, "%s{", t.Name())
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type == linkPointer || f.Type == devicePointer || t == reflect.TypeFor[tag.Tag]() && f.Name == "Index" {
			continue // the way back up, and what follows from the order
		}
		fmt.Fprintf(w, "%s:", f.Name)
		canonical(w, v.Field(i))
		if v.Field(i).Kind() == reflect.String && strict.IsPath(f.Tag.Get("yaml")) {
			contents(w, v.Field(i).String())
		}
	}
	fmt.Fprint(w, "}")
}

// contents hashes a small file, so that a renewed certificate or a changed
// password counts as a change. What cannot be read counts as empty.
func contents(w io.Writer, name string) {
	if name == "" {
		return
	}
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
		return
	}
	if b, err := os.ReadFile(name); err == nil {
		fmt.Fprintf(w, "%x;", sha256.Sum256(b))
	}
}
