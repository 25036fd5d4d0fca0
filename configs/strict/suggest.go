package strict

import (
	"fmt"
	"strings"
)

// Suggest returns the candidate that a mistyped word most likely means, or
// nothing: at most every third letter may be wrong, missing, too many or
// swapped with its neighbour. Case, - and _ do not count.
func Suggest(word string, candidates []string) string {
	best, least := "", 1+max(1, len(word)/3)
	w := plainWord(word)
	for _, c := range candidates {
		if d := distance(w, plainWord(c), least); d < least {
			best, least = c, d
		}
	}
	return best
}

func plainWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// distance counts edits from a to b (insert, delete, replace, swap
// neighbours), giving up at limit.
func distance(a, b string, limit int) int {
	if len(a) > 64 || len(b) > 64 || len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// DidYouMean is Suggest as a hint, empty when nothing is near.
func DidYouMean(word string, candidates []string) string {
	if s := Suggest(word, candidates); s != "" {
		return fmt.Sprintf("did you mean `%s`?", s)
	}
	return ""
}
