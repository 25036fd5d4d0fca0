package tree

import (
	"slices"
	"strconv"
	"strings"
)

// Kind is what a Node is.
type Kind uint8

// The kinds of nodes. Null is a scalar that says nothing: empty, ~ or null.
// Broken is what Parse could not read and has reported.
const (
	Null Kind = iota
	Scalar
	Mapping
	Sequence
	Broken
)

// Node is a value in a file, with its position. It is not changed after
// Parse.
type Node struct {
	Kind   Kind
	Text   string  // of a scalar, as written; quotes and escapes resolved
	Plain  bool    // a scalar without quotes
	Flow   bool    // a mapping in braces, a sequence in brackets
	Filled bool    // Expand put the text together: it counts as text or number, as is needed
	Shared bool    // it has an anchor, an alias or a tag: its text is not simply at its position
	Line   int     // of its first character, from 1
	Column int     // of its first character, from 1, in characters
	Pairs  []Pair  // of a mapping, in the order of the file, without duplicates
	Items  []*Node // of a sequence
	File   *File

	parent *Node
	key    string // what leads from parent to here: a key, or [3]
	run    any    // which run of Expand made it; nil when it stands in the file
}

// Pair is one entry of a mapping.
type Pair struct{ Key, Value *Node }

// Get returns the value of a key, nil when n has none or is no mapping. n may
// be nil.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, p := range n.Pairs {
		if p.Key.Text == key {
			return p.Value
		}
	}
	return nil
}

// KeyNode is the key that stands before a value of a mapping; n itself where
// there is none.
func (n *Node) KeyNode() *Node {
	if n.parent != nil {
		for _, p := range n.parent.Pairs {
			if p.Key.Text == n.key {
				return p.Key
			}
		}
	}
	return n
}

// Path is the way from the root of the file to n, such as links[0].devices[2].
func (n *Node) Path() string {
	var keys []string
	for ; n != nil && n.parent != nil; n = n.parent {
		keys = append(keys, n.key)
	}
	slices.Reverse(keys)
	path := ""
	for _, k := range keys {
		path = join(path, k)
	}
	return path
}

func join(path, key string) string {
	if path == "" || key == "" || key[0] == '[' {
		return path + key
	}
	return path + "." + key
}

// Locate follows a path such as tls.ca_file or brokers[1] below n as far as
// it is written, and returns what it found there with the rest of the path.
func (n *Node) Locate(path string) (found *Node, rest string) {
	for path != "" {
		key, next := cutPath(path)
		var below *Node
		if i, ok := indexOf(key); !ok {
			below = n.Get(key)
		} else if i >= 0 && i < len(n.Items) {
			below = n.Items[i]
		}
		if below == nil {
			return n, path
		}
		n, path = below, next
	}
	return n, ""
}

// indexOf reads [7].
func indexOf(key string) (int, bool) {
	if key[0] != '[' {
		return 0, false
	}
	i, err := strconv.Atoi(strings.Trim(key, "[]"))
	return i, err == nil
}

// cutPath takes the first key or [index] off a path.
func cutPath(path string) (key, rest string) {
	if path[0] == '[' {
		if i := strings.IndexByte(path, ']'); i >= 0 {
			return path[:i+1], strings.TrimPrefix(path[i+1:], ".")
		}
		return path, ""
	}
	i := strings.IndexAny(path, ".[")
	if i < 0 {
		return path, ""
	}
	return path[:i], strings.TrimPrefix(path[i:], ".")
}

// Expand returns a copy of n in which fill has put together the texts anew;
// it says whether it changed one. Nodes without changes are shared with n,
// and n itself is returned when there is none. run tells several copies
// apart.
func (n *Node) Expand(run any, fill func(string) (string, bool)) *Node {
	c := *n
	changed := false
	if n.Kind == Scalar {
		if c.Text, changed = fill(n.Text); changed {
			c.Filled = true
		}
	}
	for i, p := range n.Pairs {
		if v := p.Value.Expand(run, fill); v != p.Value {
			if !changed {
				c.Pairs, changed = slices.Clone(n.Pairs), true
			}
			c.Pairs[i].Value = v
		}
	}
	for i, it := range n.Items {
		if v := it.Expand(run, fill); v != it {
			if !changed {
				c.Items, changed = slices.Clone(n.Items), true
			}
			c.Items[i] = v
		}
	}
	if !changed {
		return n
	}
	c.run = run
	return &c
}

// offending is the text of a scalar for Fault.Offending.
func (n *Node) offending() string {
	if n.Kind == Scalar {
		return n.Text
	}
	return ""
}

// String is the value on one line, as it could stand in a file.
func (n *Node) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n *Node) write(b *strings.Builder) {
	switch n.Kind {
	case Null, Broken:
		b.WriteString("null")
	case Scalar:
		if n.Plain && !n.Filled {
			b.WriteString(n.Text)
		} else {
			b.WriteString(strconv.Quote(n.Text))
		}
	case Mapping:
		b.WriteByte('{')
		for i, p := range n.Pairs {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(p.Key.Text + ": ")
			p.Value.write(b)
		}
		b.WriteByte('}')
	case Sequence:
		b.WriteByte('[')
		for i, it := range n.Items {
			if i > 0 {
				b.WriteString(", ")
			}
			it.write(b)
		}
		b.WriteByte(']')
	}
}

// What names the kind of a node in a message.
func (n *Node) What() string {
	switch n.Kind {
	case Mapping:
		return "a group of settings"
	case Sequence:
		return "a list"
	case Null:
		return "nothing"
	}
	return strconv.Quote(n.Text)
}
