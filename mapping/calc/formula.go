package calc

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"fieldferry/tag"
)

// Limits of one expression. Every node is evaluated at most once, so the work
// is bounded by them and by the number of values that it reads.
const (
	maxLength = 4096
	maxNodes  = 1000
	maxMemory = 10000 // elements of lists that are written out
)

// formula is a compiled expression. It is not changed once it is made, and may
// run in several places at once.
type formula struct {
	program *vm.Program
	refs    []ref // in the order of the text; a source may come more than once
}

// ref is one use of tag("text") or tags("text").
type ref struct {
	list bool // tags
	text string
}

func (r ref) String() string {
	if r.list {
		return fmt.Sprintf("tags(%q)", r.text)
	}
	return fmt.Sprintf("tag(%q)", r.text)
}

// env is what an expression sees. The signatures are those that the machine
// calls without reflection; reader fills them in.
type env struct {
	Tag  func(...any) (any, error) `expr:"tag"`
	Tags func(...any) (any, error) `expr:"tags"`
}

// compile checks and compiles an expression.
func compile(text string) (*formula, tag.Faults) {
	switch {
	case strings.TrimSpace(text) == "":
		return nil, tag.Faults{{Path: "expr", Text: "a computed tag needs an expression", Hint: `such as sum(tags("inv*/power"))`}}
	case len(text) > maxLength:
		return nil, tag.Faults{{Path: "expr", Text: fmt.Sprintf("the expression has %d bytes, and %d are allowed", len(text), maxLength), Hint: "split it into several tags"}}
	}
	v := &visitor{}
	options := []expr.Option{
		expr.Env(env{}), expr.DisableAllBuiltins(), expr.Optimize(false), expr.MaxNodes(maxNodes), expr.Patch(v),
	}
	for name, f := range functions {
		options = append(options, expr.Function(name, f, new(func(...any) float64)))
	}
	program, err := expr.Compile(text, options...)
	if len(v.faults) > 0 {
		return nil, v.faults
	}
	if err != nil {
		return nil, tag.Faults{{Path: "expr", Text: quote(text) + ": " + say(err)}}
	}
	if len(v.refs) == 0 {
		return nil, tag.Faults{{Path: "expr", Text: quote(text) + " uses no tag", Hint: `a tag is written tag("device/name")`}}
	}
	return &formula{program: program, refs: v.refs}, nil
}

// say puts an error of the expression language into one line.
func say(err error) string {
	var fe *file.Error
	if errors.As(err, &fe) {
		return fmt.Sprintf("%s at line %d, character %d", fe.Message, fe.Line, fe.Column+1)
	}
	return err.Error()
}

// visitor walks the tree before it is compiled. It notes the sources, lets
// nothing through but what takes bounded time, and makes whole numbers float64,
// which do not wrap around.
type visitor struct {
	refs   []ref
	faults tag.Faults
}

var operators = []string{"+", "-", "*", "/", "**", "^", "==", "!=", "<", "<=", ">", ">=", "and", "&&", "or", "||", "not", "!", "in", "??"}

func (v *visitor) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.NilNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.ArrayNode, *ast.ConditionalNode:
	case *ast.IntegerNode:
		ast.Patch(node, &ast.FloatNode{Value: float64(n.Value)})
	case *ast.UnaryNode:
		v.operator(n.Operator)
	case *ast.BinaryNode:
		v.operator(n.Operator)
	case *ast.IdentifierNode:
		if !slices.Contains(words(), n.Value) {
			v.unknown("name", n.Value)
		}
	case *ast.CallNode:
		v.call(n)
	case *ast.BuiltinNode:
		v.unknown("function", n.Name)
	default:
		v.fault(quote((*node).String())+" cannot be used here", "expressions have operators, functions and condition ? a : b alone")
	}
}

func (v *visitor) fault(text, hint string) {
	f := tag.Fault{Path: "expr", Text: text, Hint: hint}
	if !slices.Contains(v.faults, f) { // the same word twice is one mistake
		v.faults = append(v.faults, f)
	}
}

// quote shows a part of an expression, cut where it is long.
func quote(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return strconv.Quote(text)
}

func (v *visitor) operator(op string) {
	if !slices.Contains(operators, op) {
		v.fault(fmt.Sprintf("the operator %q cannot be used here", op), "use "+strings.Join(operators, " "))
	}
}

func (v *visitor) unknown(what, name string) {
	hint := `a tag is written tag("device/name"), and functions are ` + strings.Join(words(), ", ")
	if near := tag.Nearest(name, words()); near != "" {
		hint = fmt.Sprintf("did you mean %s? %s", near, hint)
	}
	v.fault(fmt.Sprintf("unknown %s %q", what, name), hint)
}

// words are the names that an expression may use.
func words() []string {
	return append([]string{"tag", "tags"}, slices.Sorted(maps.Keys(functions))...)
}

func (v *visitor) call(n *ast.CallNode) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		v.fault(quote(n.Callee.String())+" is not a function", "")
		return
	}
	if callee.Value != "tag" && callee.Value != "tags" {
		return
	}
	var name *ast.StringNode
	if len(n.Arguments) == 1 {
		name, _ = n.Arguments[0].(*ast.StringNode)
	}
	if name == nil {
		v.fault(fmt.Sprintf("%s: %s takes one name in quotes", quote(n.String()), callee.Value), fmt.Sprintf(`write %s("device/name")`, callee.Value))
		return
	}
	r := ref{list: callee.Value == "tags", text: name.Value}
	if _, err := path.Match(r.text, ""); r.list && err != nil {
		v.fault(fmt.Sprintf("%s: the pattern has a bracket without its partner", r), `such as tags("inv[1-4]/power")`)
		return
	}
	v.refs = append(v.refs, r)
}
