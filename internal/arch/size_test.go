package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
)

// limits are the size budgets of the house style, in lines as "wc -l" counts.
type limits struct {
	function, functionP95   int // of source, comments inside included
	sourceFile, testFile    int
	packageLines            int // of source
	exported, exportedInTag int // top-level names of a package
	methods                 int // of an interface
}

var budget = limits{
	function: 80, functionP95: 45,
	sourceFile: 500, testFile: 800,
	packageLines: 1500,
	exported:     20, exportedInTag: 30,
	methods: 4,
}

// wide lists the interfaces that may have more methods than the budget.
var wide = map[string]string{}

// checkSizes holds the budgets of files, packages, functions and interfaces.
func checkSizes(t *tree, l limits) (faults []string) {
	over := func(what, unit string, got, limit int) {
		if got > limit {
			faults = append(faults, fmt.Sprintf("%s: %d %s, limit %d", what, got, unit, limit))
		}
	}
	var spans []int
	for _, p := range t.pkgs {
		total := 0
		for _, f := range p.files {
			if f.test && !f.generated {
				over(f.path, "lines", f.lines, l.testFile)
			}
		}
		for f := range p.source {
			total += f.lines
			over(f.path, "lines", f.lines, l.sourceFile)
			for _, d := range f.ast.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok {
					n := t.span(fn)
					spans = append(spans, n)
					over(t.at(fn)+": "+fn.Name.Name, "lines", n, l.function)
				}
			}
		}
		over(p.dir, "lines of source", total, l.packageLines)
		names, limit := exported(p), l.exported
		if p.dir == "tag" {
			limit = l.exportedInTag
		}
		over(fmt.Sprintf("%s exports %v", p.dir, names), "names", len(names), limit)
		faults = append(faults, checkInterfaces(t, p, l.methods)...)
	}
	slices.Sort(spans)
	if len(spans) > 0 {
		over("the whole module: 95 of 100 functions have at most", "lines", spans[(len(spans)-1)*95/100], l.functionP95)
	}
	return faults
}

// checkInterfaces holds the number of methods of exported interfaces.
func checkInterfaces(t *tree, p *pkg, limit int) (faults []string) {
	for f := range p.source {
		for _, d := range f.ast.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, s := range g.Specs {
				ts := s.(*ast.TypeSpec)
				it, ok := ts.Type.(*ast.InterfaceType)
				if !ok || !ts.Name.IsExported() || it.Methods.NumFields() <= limit || wide[p.name+"."+ts.Name.Name] != "" {
					continue
				}
				faults = append(faults, fmt.Sprintf("%s: interface %s has %d methods, limit %d (an exception needs a row in wide)", t.at(ts), ts.Name.Name, it.Methods.NumFields(), limit))
			}
		}
	}
	return faults
}

// exported lists the exported top-level names of a package, in order. Methods
// do not count, the constants of a type count with the type, and a group of
// constants with a common first word counts as that word.
func exported(p *pkg) []string {
	names := map[string]bool{}
	types := map[string]bool{}
	for f := range p.source {
		for _, d := range f.ast.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
				for _, s := range g.Specs {
					types[s.(*ast.TypeSpec).Name.Name] = true
				}
			}
		}
	}
	for f := range p.source {
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					names[d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, n := range declared(d, types) {
					names[n] = true
				}
			}
		}
	}
	var out []string
	for n := range names {
		if ast.IsExported(n) && p.name != "main" {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// declared lists the names of a declaration, without constants that belong to
// one of types.
func declared(d *ast.GenDecl, types map[string]bool) (names []string) {
	typed := false // in a group of constants, what has no value repeats the type above
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			names = append(names, s.Name.Name)
		case *ast.ValueSpec:
			if s.Type != nil || len(s.Values) > 0 {
				id, ok := s.Type.(*ast.Ident)
				typed = d.Tok == token.CONST && ok && types[id.Name]
			}
			if !typed {
				for _, n := range s.Names {
					names = append(names, n.Name)
				}
			}
		}
	}
	if word := commonWord(names); d.Tok == token.CONST && len(names) > 1 && word != "" {
		return []string{word}
	}
	return names
}

var firstWord = regexp.MustCompile(`^[A-Z][a-z0-9]+`)

// commonWord is the first word of all names, Reason of ReasonStale, or "".
func commonWord(names []string) string {
	word := ""
	for _, n := range names {
		w := firstWord.FindString(n)
		if w == "" || w == n || word != "" && w != word {
			return ""
		}
		word = w
	}
	return word
}
