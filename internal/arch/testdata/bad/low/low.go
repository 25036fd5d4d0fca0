// Package low imports what it may not.
package low

import (
	_ "bad/high"
	"bad/low/inner"
	_ "example.com/leak"
	_ "example.com/port"
	_ "example.com/unknown"
	_ "os/exec"
)

const (
	WordOne = "counts with WordTwo as Word"
	WordTwo = "counts with WordOne as Word"
)

// Kind counts; its constants count with it.
type Kind int

const (
	First Kind = iota
	Second
)

type A struct{}
type B struct{}

func C() { inner.Nothing() }
