package tag

import "strings"

// Nearest returns the one of words that somebody who wrote s most likely
// meant, for "did you mean": at most a third of the letters may be wrong,
// missing, too many or exchanged with their neighbour; case does not count.
// It is empty when none is near.
func Nearest(s string, words []string) string {
	const longest = 64 // nobody misspells a longer name, and the work stays bounded
	if len(s) > longest {
		return ""
	}
	s = strings.ToLower(s)
	best, least := "", max(1, len(s)/3)+1
	for _, w := range words {
		if len(w) > longest || len(w)-len(s) > least || len(s)-len(w) > least {
			continue
		}
		if d := distance(s, strings.ToLower(w)); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace, or exchange with
// their neighbour (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before, above []int
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		before, above = above, row
		row = make([]int, len(y)+1)
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(above[j]+cost, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(y)]
}
