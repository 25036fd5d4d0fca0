package edit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"fieldferry/configs/tree"
)

// cut is one change of the text: the bytes from start to end become new.
type cut struct {
	start, end int
	new        string
}

// splice applies cuts that do not overlap.
func splice(file []byte, cuts []cut) []byte {
	slices.SortFunc(cuts, func(a, b cut) int { return a.start - b.start })
	var out []byte
	at := 0
	for _, c := range cuts {
		out = append(out, file[at:c.start]...)
		out = append(out, c.new...)
		at = c.end
	}
	return append(out, file[at:]...)
}

func byHand(n *tree.Node) error {
	return fmt.Errorf("line %d: %s is written in a way that is not edited here: edit the file by hand", n.Line, n.Path())
}

// lineEnd is where the line of a byte ends, without its break.
func lineEnd(file []byte, at int) int {
	if i := bytes.IndexAny(file[at:], "\r\n"); i >= 0 {
		return at + i
	}
	return len(file)
}

func lineStart(file []byte, at int) int { return bytes.LastIndexByte(file[:at], '\n') + 1 }

// eol is the line break of the file.
func eol(file []byte) string {
	if i := bytes.IndexByte(file, '\n'); i > 0 && file[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

func indent(column int) string { return strings.Repeat(" ", column-1) }

// insertKeys adds keys behind the last one of a mapping.
func insertKeys(file []byte, m *tree.Node, added map[string]string) (cut, error) {
	var parts []string
	for _, key := range ordered(added) {
		parts = append(parts, key+": "+added[key])
	}
	if m.Shared || m.Kind != tree.Mapping {
		return cut{}, byHand(m)
	}
	if len(m.Pairs) == 0 { // {}
		start, _, err := m.Span()
		return cut{start + 1, start + 1, strings.Join(parts, ", ")}, err
	}
	last := m.Pairs[len(m.Pairs)-1]
	_, end, err := last.Value.Span()
	if err != nil {
		return cut{}, err
	}
	if m.Flow {
		return cut{end, end, ", " + strings.Join(parts, ", ")}, nil
	}
	at := lineEnd(file, end)
	sep := eol(file) + indent(m.Pairs[0].Key.Column)
	return cut{at, at, sep + strings.Join(parts, sep)}, nil
}

// insertItem adds an entry behind the last one of a sequence.
func insertItem(file []byte, s *tree.Node, entry string) (cut, error) {
	if s.Shared || s.Kind != tree.Sequence {
		return cut{}, byHand(s)
	}
	if len(s.Items) == 0 { // []
		start, _, err := s.Span()
		return cut{start + 1, start + 1, entry}, err
	}
	_, end, err := s.Items[len(s.Items)-1].Span()
	if err != nil {
		return cut{}, err
	}
	if s.Flow {
		return cut{end, end, ", " + entry}, nil
	}
	at := lineEnd(file, end)
	return cut{at, at, eol(file) + indent(s.Column) + "- " + entry}, nil
}

// removeKey takes a key out of the mapping at a path.
func removeKey(file []byte, path, key string) ([]byte, error) {
	root, err := parse(file)
	if err != nil {
		return nil, err
	}
	m, _ := root.Locate(path)
	i := slices.IndexFunc(m.Pairs, func(p tree.Pair) bool { return p.Key.Text == key })
	if i < 0 || m.Shared {
		return nil, byHand(m)
	}
	p := m.Pairs[i]
	keyStart, _, err := p.Key.Span()
	if err != nil {
		keyStart = root.File.Offset(p.Key.Line, p.Key.Column) // a quoted key
	}
	_, end, err := p.Value.Span()
	if err != nil {
		return nil, err
	}
	if m.Flow {
		before := -1
		if i > 0 {
			if _, before, err = m.Pairs[i-1].Value.Span(); err != nil {
				return nil, err
			}
		}
		return removeFlow(file, p.Key, keyStart, end, before)
	}
	if i+1 < len(m.Pairs) && len(bytes.TrimSpace(file[lineStart(file, keyStart):keyStart])) > 0 {
		next := root.File.Offset(m.Pairs[i+1].Key.Line, m.Pairs[i+1].Key.Column)
		if bytes.IndexByte(file[end:next], '#') >= 0 {
			return nil, byHand(p.Key) // a comment would be lost
		}
		return splice(file, []cut{{keyStart, next, ""}}), nil
	}
	return removeLines(file, p.Key, keyStart, end)
}

// removeFlow takes an element out of a flow collection together with one
// comma. before is the end of the element before it, -1 for the first.
func removeFlow(file []byte, n *tree.Node, start, end, before int) ([]byte, error) {
	rest := file[end:]
	skipped := len(rest) - len(bytes.TrimLeft(rest, " \t"))
	if skipped < len(rest) && rest[skipped] == ',' {
		end += skipped + 1
		rest = file[end:]
		end += len(rest) - len(bytes.TrimLeft(rest, " \t"))
		return splice(file, []cut{{start, end, ""}}), nil
	}
	if before < 0 {
		return splice(file, []cut{{start, end, ""}}), nil
	}
	if bytes.ContainsAny(file[before:start], "#\n") {
		return nil, byHand(n)
	}
	return splice(file, []cut{{before, end, ""}}), nil
}

// removeLines takes out the lines from start to end, which belong to one
// element alone.
func removeLines(file []byte, n *tree.Node, start, end int) ([]byte, error) {
	from, to := lineStart(file, start), lineEnd(file, end)
	if len(bytes.Trim(file[from:start], " -")) > 0 {
		return nil, byHand(n)
	}
	if tail := bytes.TrimSpace(file[end:to]); len(tail) > 0 && tail[0] != '#' {
		return nil, byHand(n)
	}
	switch {
	case bytes.HasPrefix(file[to:], []byte("\r\n")):
		to += 2
	case to < len(file):
		to++
	case from > 0: // the last line has no break: the one before ends as it did
		from--
		if from > 0 && file[from-1] == '\r' {
			from--
		}
	}
	return splice(file, []cut{{from, to, ""}}), nil
}

// removeItem takes an item out of a sequence; the last one leaves [].
func removeItem(file []byte, s, item *tree.Node) ([]byte, error) {
	i := slices.Index(s.Items, item)
	start, end, err := item.Span()
	if err != nil {
		return nil, err
	}
	if s.Shared {
		return nil, byHand(s)
	}
	if s.Flow {
		before := -1
		if i > 0 {
			if _, before, err = s.Items[i-1].Span(); err != nil {
				return nil, err
			}
		}
		return removeFlow(file, item, start, end, before)
	}
	if len(s.Items) == 1 {
		from := s.File.Offset(s.Line, s.Column)
		if bytes.IndexByte(file[from:end], '#') >= 0 {
			return nil, byHand(item) // a comment would be lost
		}
		return splice(file, []cut{{from, end, "[]"}}), nil
	}
	return removeLines(file, item, start, end)
}
