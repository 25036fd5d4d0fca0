package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// MaxSize is the most bytes of one file. A tag map of 10,000 tags has about
// a million.
const MaxSize = 8 << 20

// Other limits of one file.
const (
	maxDepth   = 40
	maxAliased = 20_000 // nodes that exist only because aliases repeat them
)

// File is a parsed file.
type File struct {
	Name string // as faults name it
	Data []byte // its bytes; not changed
	Root *Node  // Null for an empty file

	lines []int // byte offsets where lines begin
}

// Parse reads a file of one YAML document. Faults go to r; Root holds what
// could be read, nil where the syntax is broken.
func Parse(name string, data []byte, r *Report) *File {
	f := &File{Name: name, Data: data, lines: lineStarts(data)}
	if !f.readable(r) {
		return f
	}
	doc, more, err := document(data)
	if err != nil {
		r.put(f.syntaxFault(err))
		return f
	}
	if more != nil {
		f.at(r, more.Line, "a second document begins here", "one file holds one document: join them, without ---")
	}
	if doc == nil || len(doc.Content) == 0 {
		f.Root = &Node{Kind: Null, Plain: true, Line: 1, Column: 1, File: f}
		return f
	}
	c := converter{file: f, report: r, left: maxAliased}
	f.Root = c.node(doc.Content[0], nil, "", 0, false)
	return f
}

func (f *File) at(r *Report, line int, text, hint string) {
	r.put(Fault{File: f.Name, Line: line, Column: 1, Text: text, Hint: hint})
}

// readable refuses what the YAML library should not see at all.
func (f *File) readable(r *Report) bool {
	if len(f.Data) > MaxSize {
		r.AddFile(f.Name, fmt.Sprintf("the file has %d bytes", len(f.Data)),
			fmt.Sprintf("at most %d MiB are read", MaxSize>>20))
		return false
	}
	if utf8.Valid(f.Data) {
		return true
	}
	line := 1
	for rest := f.Data; len(rest) > 0; {
		c, n := utf8.DecodeRune(rest)
		if c == utf8.RuneError && n == 1 {
			col := utf8.RuneCount(f.Data[bytes.LastIndexByte(f.Data[:len(f.Data)-len(rest)], '\n')+1:len(f.Data)-len(rest)]) + 1
			r.put(Fault{File: f.Name, Line: line, Column: col,
				Text: fmt.Sprintf("byte 0x%02X is not UTF-8", rest[0]), Hint: "save the file as UTF-8"})
			return false
		}
		if c == '\n' {
			line++
		}
		rest = rest[n:]
	}
	return true
}

// document reads the first document and, if there is one, where a second
// begins. The library's panics, should there be any, become errors.
func document(data []byte) (doc, more *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: this cannot be read as YAML: %v", p)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	doc = &yaml.Node{}
	if err := dec.Decode(doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil, nil
		}
		return nil, nil, err
	}
	more = &yaml.Node{}
	if err := dec.Decode(more); err != nil {
		if errors.Is(err, io.EOF) {
			return doc, nil, nil
		}
		return nil, nil, err
	}
	return doc, more, nil
}

// converter turns the library's nodes into ours: aliases resolved within
// limits, duplicate keys and unusual YAML refused.
type converter struct {
	file   *File
	report *Report
	left   int // nodes that aliases may still repeat
	full   bool
	open   []*yaml.Node // anchored nodes that are being converted: an alias to one is a loop
}

func (c *converter) node(y *yaml.Node, parent *Node, key string, depth int, aliased bool) *Node {
	n := &Node{Line: y.Line, Column: y.Column, File: c.file, parent: parent, key: key, Plain: true}
	n.Shared = aliased || y.Anchor != "" || y.Style&yaml.TaggedStyle != 0
	if !c.allowed(y, n, depth, aliased) {
		n.Kind = Broken
		return n
	}
	switch y.Kind {
	case yaml.ScalarNode:
		c.scalar(y, n)
	case yaml.MappingNode:
		n.Kind, n.Flow = Mapping, y.Style&yaml.FlowStyle != 0
		c.open = append(c.open, y)
		c.pairs(y, n, depth, aliased)
		c.open = c.open[:len(c.open)-1]
	case yaml.SequenceNode:
		n.Kind, n.Flow = Sequence, y.Style&yaml.FlowStyle != 0
		c.open = append(c.open, y)
		for i, it := range y.Content {
			n.Items = append(n.Items, c.node(it, n, "["+strconv.Itoa(i)+"]", depth+1, aliased))
		}
		c.open = c.open[:len(c.open)-1]
	case yaml.AliasNode:
		return c.alias(y, n, depth)
	}
	return n
}

// allowed keeps the limits and refuses tags such as !!set or !mine.
func (c *converter) allowed(y *yaml.Node, n *Node, depth int, aliased bool) bool {
	if depth > maxDepth {
		c.report.Add(n, fmt.Sprintf("this is nested more than %d levels deep", maxDepth), "")
		return false
	}
	if aliased {
		if c.left--; c.left < 0 {
			if !c.full {
				c.report.Add(n, fmt.Sprintf("aliases repeat more than %d values", maxAliased), "write `defaults` or a profile instead of aliases")
			}
			c.full = true
			return false
		}
	}
	if y.Style&yaml.TaggedStyle != 0 && y.ShortTag() != "!!str" {
		c.report.Add(n, fmt.Sprintf("the YAML tag %q is not used here", y.Tag), "leave it out")
		return false
	}
	return true
}

func (c *converter) alias(y *yaml.Node, n *Node, depth int) *Node {
	for _, o := range c.open {
		if o == y.Alias {
			c.report.Add(n, fmt.Sprintf("the alias %q stands inside of what it names", "*"+y.Value), "write the value out")
			n.Kind = Broken
			return n
		}
	}
	return c.node(y.Alias, n.parent, n.key, depth, true)
}

func (c *converter) scalar(y *yaml.Node, n *Node) {
	n.Text = y.Value
	n.Plain = y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0
	n.Kind = Scalar
	if n.Plain {
		switch n.Text {
		case "", "~", "null", "Null", "NULL":
			n.Kind = Null
		}
	}
}

func (c *converter) pairs(y *yaml.Node, n *Node, depth int, aliased bool) {
	n.Pairs = make([]Pair, 0, len(y.Content)/2)
	var index map[string]int // lines of keys, made for many
	if len(y.Content) > 32 {
		index = make(map[string]int, len(y.Content)/2)
	}
	for i := 0; i+1 < len(y.Content); i += 2 {
		ky, vy := y.Content[i], y.Content[i+1]
		key := &Node{Kind: Scalar, Text: ky.Value, Plain: true, Line: ky.Line, Column: ky.Column, File: c.file, parent: n, key: ky.Value}
		switch {
		case ky.Kind != yaml.ScalarNode:
			c.notAKey(ky, vy, n)
			n.Kind = Broken
			continue
		case ky.Tag == "!!merge":
			c.report.Add(key, "`<<` is not used here", "settings inherit: write `defaults` or a profile")
			continue
		case ky.Anchor != "" || ky.Style&yaml.TaggedStyle != 0:
			c.report.Add(key, "a key has no anchor and no tag", "")
			continue
		}
		if line := n.firstLine(key.Text, index); line > 0 {
			c.report.Add(key, fmt.Sprintf("%q is written twice", key.Text), fmt.Sprintf("first on line %d", line))
			continue
		}
		if index != nil {
			index[key.Text] = key.Line
		}
		n.Pairs = append(n.Pairs, Pair{key, c.node(vy, n, key.Text, depth+1, aliased)})
	}
}

// firstLine is the line on which a key stands already, 0 if it does not.
func (n *Node) firstLine(key string, index map[string]int) int {
	if index != nil {
		return index[key]
	}
	for _, p := range n.Pairs {
		if p.Key.Text == key {
			return p.Key.Line
		}
	}
	return 0
}

// notAKey explains a key that is no text; mostly it is a {placeholder} that
// lacks its quotes.
func (c *converter) notAKey(ky, vy *yaml.Node, n *Node) {
	at := &Node{Line: ky.Line, Column: ky.Column, File: c.file, parent: n.parent, key: n.key}
	text := "a key is a plain word"
	if ky.Kind == yaml.MappingNode && len(ky.Content) == 2 && vy.Value == "" {
		c.report.Add(at, text, fmt.Sprintf("quote a placeholder: \"{%s}\"", strings.TrimSpace(ky.Content[0].Value)))
		return
	}
	c.report.Add(at, text, "")
}
