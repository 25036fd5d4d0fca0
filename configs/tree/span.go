package tree

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Offset is the byte at which a position of the file stands, len(Data) when
// it lies beyond the end. Lines end as YAML says: at \n, \r, \r\n and the
// Unicode separators.
func (f *File) Offset(line, column int) int {
	lines := f.lines
	if line < 1 || line > len(lines) {
		return len(f.Data)
	}
	at := lines[line-1]
	if line == 1 && bytes.HasPrefix(f.Data, bom) {
		at += len(bom)
	}
	for ; column > 1 && at < len(f.Data); column-- {
		_, n := utf8.DecodeRune(f.Data[at:])
		at += n
	}
	return at
}

var bom = []byte("\uFEFF")

func lineStarts(b []byte) []int {
	lines := []int{0}
	for i := 0; i < len(b); {
		if n := lineBreak(b[i:]); n > 0 {
			i += n
			lines = append(lines, i)
			continue
		}
		i++
	}
	return lines
}

// lineBreak is the length of the line break that b begins with, 0 for none.
func lineBreak(b []byte) int {
	switch {
	case b[0] == '\n':
		return 1
	case b[0] == '\r':
		if len(b) > 1 && b[1] == '\n' {
			return 2
		}
		return 1
	case bytes.HasPrefix(b, []byte("\u0085")):
		return 2
	case bytes.HasPrefix(b, []byte("\u2028")), bytes.HasPrefix(b, []byte("\u2029")):
		return 3
	}
	return 0
}

// Span is where a node stands in the bytes of its file: from the first to
// behind its last. It fails where that cannot be told from the text alone:
// for anchors, aliases, tags and texts of several lines without quotes.
func (n *Node) Span() (start, end int, err error) {
	start = n.File.Offset(n.Line, n.Column)
	rest := n.File.Data[start:]
	unclear := fmt.Errorf("line %d: %s is written in a way that is not edited here: edit the file by hand", n.Line, n.Path())
	if n.Shared || n.Filled {
		return start, start, unclear
	}
	length := -1
	switch {
	case n.Kind == Null:
		length = 0
		if bytes.HasPrefix(rest, []byte(n.Text)) {
			length = len(n.Text)
		}
	case n.Kind == Scalar && n.Plain:
		if bytes.HasPrefix(rest, []byte(n.Text)) {
			length = len(n.Text)
		}
	case n.Kind == Scalar:
		if length = quotedLength(rest); length < 0 && len(rest) > 0 && (rest[0] == '|' || rest[0] == '>') {
			length = n.blockTextLength(rest)
		}
	case n.Flow:
		length = flowLength(rest)
	default:
		end, err := n.blockEnd(start)
		return start, end, err
	}
	if length < 0 {
		return start, start, unclear
	}
	return start, start + length, nil
}

// blockEnd is the end of the last thing in a block mapping or sequence.
func (n *Node) blockEnd(start int) (int, error) {
	var last *Node
	if n.Kind == Mapping && len(n.Pairs) > 0 {
		last = n.Pairs[len(n.Pairs)-1].Value
	} else if len(n.Items) > 0 {
		last = n.Items[len(n.Items)-1]
	}
	if last == nil {
		return start, nil
	}
	_, end, err := last.Span()
	return end, err
}

// blockTextLength is the length of the text behind | or >: all lines that are
// indented deeper than the key or list that it belongs to.
func (n *Node) blockTextLength(b []byte) int {
	indent := 0
	switch {
	case n.parent == nil:
	case n.parent.Kind == Mapping:
		indent = n.KeyNode().Column
	default:
		indent = n.parent.Column
	}
	head, _, _ := bytes.Cut(b, []byte("\n"))
	end := len(bytes.TrimRight(head, "\r"))
	for at := len(head) + 1; at < len(b); {
		line, _, _ := bytes.Cut(b[at:], []byte("\n"))
		text := bytes.TrimLeft(line, " ")
		switch {
		case len(bytes.TrimSpace(text)) == 0:
		case len(line)-len(text) < indent:
			return end
		default:
			end = at + len(bytes.TrimRight(line, "\r"))
		}
		at += len(line) + 1
	}
	return end
}

// quotedLength is the length of the quoted text that b begins with, -1 when
// it does not begin with one (a block of text, for instance).
func quotedLength(b []byte) int {
	if len(b) == 0 || b[0] != '"' && b[0] != '\'' {
		return -1
	}
	for i := 1; i < len(b); i++ {
		switch {
		case b[0] == '"' && b[i] == '\\':
			i++
		case b[i] == b[0] && b[0] == '\'' && i+1 < len(b) && b[i+1] == '\'':
			i++
		case b[i] == b[0]:
			return i + 1
		}
	}
	return -1
}

// flowLength is the length of the {...} or [...] that b begins with, -1 when
// it is not closed. Quotes count where a value may begin, # behind a blank.
func flowLength(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case (c == '"' || c == '\'') && valueBegins(b[:i]):
			n := quotedLength(b[i:])
			if n < 0 {
				return -1
			}
			i += n - 1
		case c == '#' && i > 0 && strings.IndexByte(" \t\n\r", b[i-1]) >= 0:
			n := bytes.IndexByte(b[i:], '\n')
			if n < 0 {
				return -1
			}
			i += n
		}
	}
	return -1
}

// valueBegins says that behind b, in a flow collection, a value may begin.
func valueBegins(b []byte) bool {
	t := bytes.TrimRight(b, " \t\r\n")
	return len(t) > 0 && strings.IndexByte("{[,:", t[len(t)-1]) >= 0
}
