// Package profiles holds the bundled profiles: tag lists of device types,
// each with the document that its register map was taken from. A file in this
// folder is a profile; a profile of the same name in the configuration
// directory replaces it.
package profiles

import (
	"embed"
	"iter"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// All yields the name and the YAML text of every bundled profile, in the
// order of their names. The text must not be changed.
func All() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		entries, err := files.ReadDir(".")
		if err != nil {
			panic(err) // the binary itself is broken
		}
		for _, e := range entries {
			data, err := files.ReadFile(e.Name())
			if err != nil {
				panic(err)
			}
			if !yield(strings.TrimSuffix(e.Name(), ".yaml"), data) {
				return
			}
		}
	}
}
