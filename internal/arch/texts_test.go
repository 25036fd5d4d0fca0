package arch

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// languages are the endings of what people write beside Go.
var languages = []string{".ts", ".tsx", ".mjs", ".js", ".css", ".html", ".sh", ".py", ".c", ".yaml", ".yml", ".service"}

// checkTexts looks for what is put off in every other language.
func checkTexts(tb testing.TB, t *tree) (faults []string) {
	tb.Helper()
	err := filepath.WalkDir(t.root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(t.root, name, d.Name())
		}
		if !slices.Contains(languages, filepath.Ext(name)) {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(t.root, name)
		for i, line := range bytes.Split(text, []byte("\n")) {
			if word := putOff.Find(line); word != nil {
				faults = append(faults, fmt.Sprintf("%s:%d: %s", filepath.ToSlash(rel), i+1, word))
			}
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return faults
}
