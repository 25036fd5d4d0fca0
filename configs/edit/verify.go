package edit

import (
	"fmt"
	"strings"

	"fieldferry/configs/strict"
)

// flat lists the leaves and containers of a tree by path.
func flat(n *strict.Node, out map[string]string) map[string]string {
	switch n.Kind {
	case strict.Mapping:
		out[n.Path()] = "mapping"
		for _, p := range n.Pairs {
			flat(p.Value, out)
		}
	case strict.Sequence:
		out[n.Path()] = "sequence"
		for _, it := range n.Items {
			flat(it, out)
		}
	default:
		out[n.Path()] = fmt.Sprintf("%d %t %q", n.Kind, n.Plain, n.Text)
	}
	return out
}

// verify parses an edited text again and refuses it if anything changed
// beside the keys of the mapping at path, or if they are not as asked.
func verify(old *strict.Node, file []byte, path string, set map[string]string) error {
	root, err := parse(file)
	if err != nil {
		return fmt.Errorf("this edit would break the file: edit it by hand: %w", err)
	}
	at, rest := root.Locate(path)
	if rest != "" {
		return notSafe(path)
	}
	for key, value := range set {
		n := at.Get(key)
		switch {
		case value == "" && n != nil, value != "" && n == nil:
			return notSafe(path + "." + key)
		case n != nil && n.Kind == strict.Scalar && n.Text != value:
			return notSafe(path + "." + key)
		}
	}
	concerned := func(p string) bool {
		if p == path {
			return true
		}
		below, ok := strings.CutPrefix(p, path+".")
		if !ok {
			return strings.HasPrefix(path, p+"[") || strings.HasPrefix(path, p+".")
		}
		key, _, _ := strings.Cut(strings.SplitN(below, "[", 2)[0], ".")
		_, asked := set[key]
		return asked
	}
	return same(flat(old, map[string]string{}), flat(root, map[string]string{}), concerned)
}

// verifyRemoved checks that exactly one item of a list is gone.
func verifyRemoved(old *strict.Node, file []byte, list string, gone *strict.Node) error {
	root, err := parse(file)
	if err != nil {
		return fmt.Errorf("this edit would break the file: edit it by hand: %w", err)
	}
	before, _ := old.Locate(list)
	after, rest := root.Locate(list)
	if rest != "" || len(after.Items) != len(before.Items)-1 {
		return notSafe(list)
	}
	j := 0
	for _, it := range before.Items {
		if it == gone {
			continue
		}
		if it.String() != after.Items[j].String() {
			return notSafe(it.Path())
		}
		j++
	}
	return same(flat(old, map[string]string{}), flat(root, map[string]string{}), func(p string) bool {
		return p == list || strings.HasPrefix(p, list+"[")
	})
}

func same(a, b map[string]string, concerned func(string) bool) error {
	for p, v := range a {
		if b[p] != v && !concerned(p) {
			return notSafe(p)
		}
	}
	for p := range b {
		if _, ok := a[p]; !ok && !concerned(p) {
			return notSafe(p)
		}
	}
	return nil
}

func notSafe(path string) error {
	return fmt.Errorf("this edit would not change %s as it should: edit the file by hand", path)
}
