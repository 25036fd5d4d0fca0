package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rule looks at one package and tells what is wrong with it.
type rule func(t *tree, p *pkg) []string

var rules = map[string]rule{
	"package comment":     packageComment,
	"package name":        packageName,
	"init only registers": initOnlyRegisters,
	"package variables":   packageVariables,
	"time.Sleep":          noSleep,
	"no skipped test":     noSkip,
	"nothing put off":     nothingPutOff,
	"goto, naked returns": plainReturns,
	"boolean parameters":  noBooleanParameters,
	"leak check":          leakCheck,
	"texts of errors":     errorTexts,
}

// packageComment wants exactly one, which begins as godoc expects.
func packageComment(_ *tree, p *pkg) (faults []string) {
	var with []string
	source := 0
	for f := range p.source {
		source++
		if f.ast.Doc == nil {
			continue
		}
		with = append(with, f.path)
		text := f.ast.Doc.Text()
		if p.name != "main" && !strings.HasPrefix(text, "Package "+p.name+" ") {
			faults = append(faults, fmt.Sprintf("%s: the package comment does not begin with \"Package %s \"", f.path, p.name))
		}
	}
	if source == 0 {
		return append(faults, fmt.Sprintf("%s: only tests: add a doc.go with a package comment", p.dir))
	}
	if len(with) != 1 {
		faults = append(faults, fmt.Sprintf("%s: %d package comments %v, want 1", p.dir, len(with), with))
	}
	return faults
}

// packageName refuses names that say nothing about what is provided.
func packageName(_ *tree, p *pkg) []string {
	if slices.Contains([]string{"util", "utils", "common", "misc", "types", "base", "helper", "helpers", "internal"}, p.name) {
		return []string{fmt.Sprintf("%s: package %s is not named for what it provides", p.dir, p.name)}
	}
	return nil
}

// effects lists packages whose init does something else, each with its reason.
var effects = map[string]string{
	"web/api": "huma takes the shape of errors from a variable of its own, and from nowhere else",
}

// initOnlyRegisters: an import must have no other effect.
func initOnlyRegisters(t *tree, p *pkg) (faults []string) {
	if effects[p.dir] != "" {
		return nil
	}
	for _, f := range p.files {
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || fn.Name.Name != "init" {
				continue
			}
			for _, s := range fn.Body.List {
				e, ok := s.(*ast.ExprStmt)
				call, _ := exprOf(e, ok).(*ast.CallExpr)
				if call == nil || !f.calls(call.Fun, t.module+"/drivers", "Register") {
					faults = append(faults, t.at(s)+": init may call drivers.Register and nothing else")
				}
			}
		}
	}
	return faults
}

func exprOf(s *ast.ExprStmt, ok bool) ast.Expr {
	if !ok {
		return nil
	}
	return s.X
}

// changing lists package variables that change, each with its reason.
var changing = map[string]string{
	"drivers.registry": "written by init functions alone, behind its lock",
}

// stateful are types of package variables that exist to change.
var stateful = regexp.MustCompile(`^(sync\.(Mutex|RWMutex|Map|WaitGroup|Cond)|atomic\..*|chan .*)$`)

// packageVariables: none changes after init. Exported ones, which anybody
// could change, are sentinel errors.
func packageVariables(t *tree, p *pkg) (faults []string) {
	vars := map[string]bool{}
	for f := range p.source {
		for _, d := range f.ast.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				for _, n := range v.Names {
					if n.Name == "_" {
						continue
					}
					vars[n.Name] = true
					switch {
					case changing[p.name+"."+n.Name] != "":
					case n.IsExported() && !strings.HasPrefix(n.Name, "Err"):
						faults = append(faults, fmt.Sprintf("%s: exported variable %s can be changed by anybody: make it a function", t.at(n), n.Name))
					case v.Type != nil && stateful.MatchString(typeText(v.Type)):
						faults = append(faults, fmt.Sprintf("%s: package variable %s is a %s, which exists to change", t.at(n), n.Name, typeText(v.Type)))
					}
				}
			}
		}
	}
	for f := range p.source {
		for node, name := range assigned(f, vars) {
			if changing[p.name+"."+name] == "" {
				faults = append(faults, fmt.Sprintf("%s: package variable %s is changed", t.at(node), name))
			}
		}
	}
	return faults
}

func typeText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return typeText(e.X) + "." + e.Sel.Name
	case *ast.IndexExpr:
		return typeText(e.X)
	case *ast.ChanType:
		return "chan " + typeText(e.Value)
	}
	return ""
}

// assigned yields each place of a file that writes to one of the package's
// variables, or to a field or an element of one.
func assigned(f *file, vars map[string]bool) func(yield func(ast.Node, string) bool) {
	return func(yield func(ast.Node, string) bool) {
		target := func(e ast.Expr) {
			id := root(e)
			if id == nil || !vars[id.Name] {
				return
			}
			// The parser resolves what is declared in this file: a local
			// variable of the same name hides the package's.
			if id.Obj != nil && id.Obj != f.ast.Scope.Lookup(id.Name) {
				return
			}
			yield(e, id.Name)
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, l := range n.Lhs {
						target(l)
					}
				}
			case *ast.IncDecStmt:
				target(n.X)
			}
			return true
		})
	}
}

// root is the variable that an expression such as a.b[c].d starts from.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// noSleep: one waits with a timer and a context; tests sleep only in the
// virtual time of testing/synctest.
func noSleep(t *tree, p *pkg) (faults []string) {
	for _, f := range p.files {
		if f.test && f.named("testing/synctest") != "" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok && f.calls(e, "time", "Sleep") {
				faults = append(faults, t.at(n)+": time.Sleep: wait with a timer and ctx.Done() in one select, in a test under testing/synctest or by polling with a deadline")
			}
			return true
		})
	}
	return faults
}

// noSkip: a test that needs something fails when it is missing.
func noSkip(t *tree, p *pkg) (faults []string) {
	for _, f := range p.files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				return true
			}
			if id, ok := sel.X.(*ast.Ident); ok && slices.Contains([]string{"t", "tb", "b", "f"}, id.Name) {
				faults = append(faults, t.at(n)+": a test is skipped: let it fail and say what is missing")
			}
			return true
		})
	}
	return faults
}

var putOff = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX|HA` + `CK)\b`)

// nothingPutOff: what is left to do stands in an issue, not in a comment.
func nothingPutOff(t *tree, p *pkg) (faults []string) {
	for _, f := range p.files {
		for _, g := range f.ast.Comments {
			for _, c := range g.List {
				if word := putOff.FindString(c.Text); word != "" {
					faults = append(faults, fmt.Sprintf("%s: comment with %s", t.at(c), word))
				}
			}
		}
	}
	return faults
}

// plainReturns: every return says what it returns, and nothing jumps.
func plainReturns(t *tree, p *pkg) (faults []string) {
	for f := range p.source {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BranchStmt:
				if n.Tok == token.GOTO {
					faults = append(faults, t.at(n)+": goto")
				}
			case *ast.FuncDecl:
				faults = append(faults, nakedReturns(t, n.Type, n.Body)...)
			case *ast.FuncLit:
				faults = append(faults, nakedReturns(t, n.Type, n.Body)...)
			}
			return true
		})
	}
	return faults
}

func nakedReturns(t *tree, ft *ast.FuncType, body *ast.BlockStmt) (faults []string) {
	if body == nil || ft.Results.NumFields() == 0 {
		return nil
	}
	ast.Inspect(body, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) == 0 {
			faults = append(faults, t.at(r)+": return without its values")
		}
		_, nested := n.(*ast.FuncLit)
		return !nested
	})
	return faults
}

// noBooleanParameters: f(x, true) cannot be read. A function of one boolean,
// such as a constructor, can; and so can a boolean that is the value itself,
// as a coil has one.
func noBooleanParameters(t *tree, p *pkg) (faults []string) {
	for f := range p.source {
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() || fn.Type.Params.NumFields() < 2 || p.name == "main" || isHelper(p.dir) {
				continue
			}
			for _, field := range fn.Type.Params.List {
				if id, ok := field.Type.(*ast.Ident); ok && id.Name == "bool" && !isValue(field) {
					faults = append(faults, fmt.Sprintf("%s: %s has a boolean parameter: make it a named type, an option, or two functions", t.at(field), fn.Name.Name))
				}
			}
		}
	}
	return faults
}

func isValue(f *ast.Field) bool {
	return len(f.Names) == 1 && slices.Contains([]string{"v", "value", "on"}, f.Names[0].Name)
}

// leakCheck: a package that starts goroutines looks for those left over.
func leakCheck(t *tree, p *pkg) []string {
	var starts ast.Node
	for f := range p.source {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok && starts == nil {
				starts = g
			}
			return starts == nil
		})
	}
	if starts == nil || p.name == "main" || isHelper(p.dir) {
		return nil
	}
	for _, f := range p.files {
		if f.test && f.named("go.uber.org/goleak") != "" {
			return nil
		}
	}
	return []string{t.at(starts) + ": a goroutine is started, and no test of " + p.dir + " uses go.uber.org/goleak"}
}

var (
	errorMakers = map[string]string{"New": "errors", "Errorf": "fmt"}
	badError    = regexp.MustCompile(`^([Ff]ailed to |[Uu]nable to |[Ee]rror while |[Cc]ould not )`)
)

// errorTexts: an error says what was tried; that it is one is known.
func errorTexts(t *tree, p *pkg) (faults []string) {
	for f := range p.source {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			for name, from := range errorMakers {
				lit, isText := call.Args[0].(*ast.BasicLit)
				if !isText || lit.Kind != token.STRING || !f.calls(call.Fun, from, name) {
					continue
				}
				if text, err := strconv.Unquote(lit.Value); err == nil && badError.MatchString(text) {
					faults = append(faults, fmt.Sprintf("%s: error %q: say what was tried and on what, nothing before it", t.at(lit), text))
				}
			}
			return true
		})
	}
	return faults
}
