package tree

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing wrong with a configuration. Line and Column start at 1
// and count characters; they are 0 where a whole file is meant.
type Fault struct {
	File      string `json:"file"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	Path      string `json:"path"`                // such as links[0].devices[2].tags[5].address
	Text      string `json:"text"`                // what is wrong
	Offending string `json:"offending,omitempty"` // the text in the file that is wrong
	Hint      string `json:"hint,omitempty"`      // what to do
}

// Error is file:line:column: path: text (hint); what is unknown is left out.
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
	}
	if f.Path != "" {
		b.WriteString(": " + f.Path)
	}
	b.WriteString(": " + f.Text)
	if f.Hint != "" {
		b.WriteString(" (" + f.Hint + ")")
	}
	return b.String()
}

// Faults are all faults of a configuration, ordered by file, line and column.
type Faults []Fault

// Error joins the faults, one per line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = x.Error()
	}
	return strings.Join(lines, "\n")
}

// Report collects faults. The same fault at the same place counts once, and
// of a place that was copied by Node.Expand only the faults of the first
// faulty copy are kept. The zero Report is ready.
type Report struct {
	list   []Fault
	seen   map[Fault]bool
	runs   map[place]any
	broken map[place]bool // where Add has reported something
}

type place struct {
	file         string
	line, column int
}

// Add reports that what is written at a node is wrong.
func (r *Report) Add(n *Node, text, hint string) {
	r.add(n, Fault{Path: n.Path(), Text: text, Hint: hint, Offending: n.offending()})
	if r.broken == nil {
		r.broken = map[place]bool{}
	}
	r.broken[place{n.File.Name, n.Line, n.Column}] = true
}

// AddMeaning reports that what was read from a node makes no sense. Where Add
// has reported the node already nothing was read, and nothing is added.
func (r *Report) AddMeaning(n *Node, text, hint string) {
	if !r.broken[place{n.File.Name, n.Line, n.Column}] {
		r.add(n, Fault{Path: n.Path(), Text: text, Hint: hint, Offending: n.offending()})
	}
}

// AddBelow reports that something at path below a node is wrong which is not
// written there: a missing setting, or one that has its default.
func (r *Report) AddBelow(n *Node, path, text, hint string) {
	r.add(n, Fault{Path: join(n.Path(), path), Text: text, Hint: hint})
}

// AddFile reports that a whole file is wrong.
func (r *Report) AddFile(name, text, hint string) {
	r.put(Fault{File: name, Text: text, Hint: hint})
}

func (r *Report) add(n *Node, f Fault) {
	f.File, f.Line, f.Column = n.File.Name, n.Line, n.Column
	if n.run != nil {
		at := place{f.File, f.Line, f.Column}
		if first, ok := r.runs[at]; ok && first != n.run {
			return
		}
		if r.runs == nil {
			r.runs = map[place]any{}
		}
		r.runs[at] = n.run
	}
	r.put(f)
}

func (r *Report) put(f Fault) {
	if r.seen[f] {
		return
	}
	if r.seen == nil {
		r.seen = map[Fault]bool{}
	}
	r.seen[f] = true
	r.list = append(r.list, f)
}

// Len is the number of faults so far.
func (r *Report) Len() int { return len(r.list) }

// Faults returns a sorted copy of what was reported; nil when all is well.
func (r *Report) Faults() Faults {
	if len(r.list) == 0 {
		return nil
	}
	out := slices.Clone(r.list)
	slices.SortStableFunc(out, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return out
}
