// Package sleepy breaks the rules that need no other package.
package sleepy

import (
	"errors"
	"fmt"
	clock "time"

	"bad/drivers"
)

func init() {
	drivers.Register("sleepy")
	fmt.Sprint("more than a registration")
}

// Wait: an argument nobody can read.
func Wait(d clock.Duration, really bool) (err error) {
	if !really {
		err = errors.New("failed to wait")
		return
	}
	clock.Sleep(d) // HACK: never do this
	go func() { err = fmt.Errorf("error while %s", d) }()
again:
	if err == nil {
		goto again
	}
	return err
}

// Fine may return a function that returns nothing.
func Fine(one bool) (func(), error) {
	return func() { return }, nil
}
