package edit

import (
	"fmt"
	"strings"

	"fieldferry/configs/tree"
)

// verify parses an edited text again and refuses it if anything changed
// beside the keys of the mapping at path, or if they are not as asked.
func verify(old *tree.Node, file []byte, path string, set map[string]string) error {
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
		case n != nil && n.Kind == tree.Scalar && n.Text != value:
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
	return same(old, root, concerned)
}

// verifyRemoved checks that exactly one item of a list is gone.
func verifyRemoved(old *tree.Node, file []byte, list string, gone *tree.Node) error {
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
	return same(old, root, func(p string) bool {
		return p == list || strings.HasPrefix(p, list+"[")
	})
}

// same says that two trees differ at most at the paths that are concerned.
func same(a, b *tree.Node, concerned func(string) bool) error {
	if a.Kind != b.Kind || a.Plain != b.Plain || a.Text != b.Text {
		if !concerned(a.Path()) {
			return notSafe(a.Path())
		}
		return nil
	}
	for i := range max(len(a.Items), len(b.Items)) {
		if i >= len(a.Items) || i >= len(b.Items) {
			if p := fmt.Sprintf("%s[%d]", a.Path(), i); !concerned(p) {
				return notSafe(p)
			}
		} else if err := same(a.Items[i], b.Items[i], concerned); err != nil {
			return err
		}
	}
	for _, p := range a.Pairs {
		if bv := b.Get(p.Key.Text); bv != nil {
			if err := same(p.Value, bv, concerned); err != nil {
				return err
			}
		} else if !concerned(p.Value.Path()) {
			return notSafe(p.Value.Path())
		}
	}
	for _, p := range b.Pairs {
		if a.Get(p.Key.Text) == nil && !concerned(p.Value.Path()) {
			return notSafe(p.Value.Path())
		}
	}
	return nil
}

func notSafe(path string) error {
	return fmt.Errorf("this edit would not change %s as it should: edit the file by hand", path)
}
