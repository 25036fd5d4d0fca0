// Package arch has no code, only tests: they keep the shape of the module.
//
// They parse every Go file of the module, whatever its build tags, and hold
// the import arrows between packages (arrows_test.go), the fences around
// third-party modules (fences_test.go), the size budgets (size_test.go) and
// the rules of the house style that a parser can see (rules_test.go). A rule
// that needs an exception gets a row with its reason, there and nowhere else.
//
// Each rule is also run over testdata/bad, a small module that breaks them
// all, so that a rule that no longer sees anything fails too.
package arch
