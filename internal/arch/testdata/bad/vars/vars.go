// Package vars changes package variables.
package vars

import (
	_ "bad/high/hightest"
	"sync"
)

var (
	Exported = 1
	ErrFine  error
	hidden   = map[string]int{}
	counter  int
	lock     sync.Mutex
	constant = 7
)

func change() {
	hidden["a"] = 1
	counter++
	elsewhere.field = 2
	constant := constant
	constant = 8
	_ = constant
}
