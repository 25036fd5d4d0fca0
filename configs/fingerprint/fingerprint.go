// Package fingerprint tells whether a link has changed: it hashes everything
// that can be reached from it, its devices and tags and the options of its
// driver, and the contents of small files that options name. Comments, order
// of keys and other spellings of the same value do not count.
//
// It reads those files and blocks for as long as the disk does; one that
// cannot be read counts as empty.
package fingerprint

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"fieldferry/configs/regular"
	"fieldferry/configs/strict"
	"fieldferry/tag"
)

// Of is a hash over a link and further values: 32 hexadecimal digits.
func Of(l *tag.Link, further ...any) string {
	h := sha256.New()
	canonical(h, reflect.ValueOf(l).Elem())
	for _, v := range further {
		canonical(h, reflect.ValueOf(v))
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
	const most = 1 << 20
	if b, err := regular.Read(name, most+1); err == nil && len(b) <= most {
		fmt.Fprintf(w, "%x;", sha256.Sum256(b))
	}
}
