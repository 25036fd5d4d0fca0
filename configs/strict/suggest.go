package strict

import (
	"fmt"
	"strings"

	"fieldferry/tag"
)

// Suggest returns the candidate that a mistyped word most likely means, or
// nothing. It is tag.Nearest for which - and _ do not count either.
func Suggest(word string, candidates []string) string {
	plain := strings.NewReplacer("-", "", "_", "", " ", "")
	meant := map[string]string{}
	words := make([]string, len(candidates))
	for i, c := range candidates {
		words[i] = plain.Replace(c)
		meant[words[i]] = c
	}
	return meant[tag.Nearest(plain.Replace(word), words)]
}

// DidYouMean is Suggest as a hint, empty when nothing is near.
func DidYouMean(word string, candidates []string) string {
	if s := Suggest(word, candidates); s != "" {
		return fmt.Sprintf("did you mean `%s`?", s)
	}
	return ""
}
