package arch

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tree is a parsed module.
type tree struct {
	root   string // directory of go.mod
	module string // its path
	fset   *token.FileSet
	pkgs   []*pkg // by directory
}

// pkg is one directory with Go files.
type pkg struct {
	dir   string // relative to the module, with slashes; "." is its root
	name  string
	files []*file
}

// file is one parsed Go file.
type file struct {
	path      string // relative to the module, with slashes
	ast       *ast.File
	lines     int
	test      bool
	generated bool
}

// source yields the files that are built into a program and written by people.
func (p *pkg) source(yield func(*file) bool) {
	for _, f := range p.files {
		if !f.test && !f.generated && !yield(f) {
			return
		}
	}
}

// in says whether the package is the folder dir or lies below it.
func (p *pkg) in(dir string) bool { return below(p.dir, dir) }

func below(dir, of string) bool { return dir == of || strings.HasPrefix(dir, of+"/") }

// at is the place of a node, as an editor opens it.
func (t *tree) at(n ast.Node) string {
	p := t.fset.Position(n.Pos())
	rel, err := filepath.Rel(t.root, p.Filename)
	if err != nil {
		rel = p.Filename
	}
	return fmt.Sprintf("%s:%d", filepath.ToSlash(rel), p.Line)
}

// span is how many lines a node covers.
func (t *tree) span(n ast.Node) int {
	return t.fset.Position(n.End()).Line - t.fset.Position(n.Pos()).Line + 1
}

// local turns an import path into a directory of the module.
func (t *tree) local(imported string) (dir string, ok bool) {
	if imported == t.module {
		return ".", true
	}
	return strings.CutPrefix(imported, t.module+"/")
}

// parseModule parses every Go file below root, except nested modules,
// testdata, npm packages and build output.
func parseModule(tb testing.TB, root string) *tree {
	tb.Helper()
	root, err := filepath.Abs(root)
	if err != nil {
		tb.Fatal(err)
	}
	t := &tree{root: root, module: modulePath(tb, root), fset: token.NewFileSet()}
	byDir := map[string]*pkg{}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(root, name, d.Name())
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		return t.add(byDir, name)
	})
	if err != nil {
		tb.Fatal(err)
	}
	for _, p := range byDir {
		slices.SortFunc(p.files, func(a, b *file) int { return strings.Compare(a.path, b.path) })
		t.pkgs = append(t.pkgs, p)
	}
	slices.SortFunc(t.pkgs, func(a, b *pkg) int { return strings.Compare(a.dir, b.dir) })
	if len(t.pkgs) == 0 {
		tb.Fatalf("no Go file below %s", root)
	}
	return t
}

// enter refuses the directories that are not part of the module's source.
func enter(root, dir, base string) error {
	if dir == root {
		return nil
	}
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") ||
		slices.Contains([]string{"testdata", "vendor", "node_modules"}, base) ||
		slices.Contains([]string{"build", "dist", "bin"}, base) && (filepath.Dir(dir) == root || base == "dist") {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

func (t *tree) add(byDir map[string]*pkg, name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	parsed, err := parser.ParseFile(t.fset, name, text, parser.ParseComments)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(t.root, name)
	if err != nil {
		return err
	}
	f := &file{
		path: filepath.ToSlash(rel), ast: parsed, lines: strings.Count(string(text), "\n"),
		test: strings.HasSuffix(name, "_test.go"), generated: ast.IsGenerated(parsed),
	}
	dir := path.Dir(f.path)
	if byDir[dir] == nil {
		byDir[dir] = &pkg{dir: dir}
	}
	p := byDir[dir]
	if !f.test {
		p.name = parsed.Name.Name
	}
	p.files = append(p.files, f)
	return nil
}

func modulePath(tb testing.TB, root string) string {
	tb.Helper()
	f, err := os.Open(filepath.Join(root, "go.mod"))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if p, ok := strings.CutPrefix(s.Text(), "module "); ok {
			return strings.TrimSpace(p)
		}
	}
	tb.Fatalf("%s has no module line", f.Name())
	return ""
}

// imports yields each import of a file: its path, and where it stands.
func (t *tree) imports(f *file) func(yield func(string, ast.Node) bool) {
	return func(yield func(string, ast.Node) bool) {
		for _, s := range f.ast.Imports {
			p, err := strconv.Unquote(s.Path.Value)
			if err == nil && !yield(p, s) {
				return
			}
		}
	}
}

// named is the name under which a file uses a package; "" if it does not.
func (f *file) named(imported string) string {
	for _, s := range f.ast.Imports {
		if s.Path.Value != strconv.Quote(imported) {
			continue
		}
		if s.Name != nil {
			return s.Name.Name
		}
		return path.Base(imported)
	}
	return ""
}

// calls says whether e is the function imported.name of a file.
func (f *file) calls(e ast.Expr, imported, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Obj == nil && id.Name != "" && id.Name == f.named(imported)
}
