// Package listing turns what package inspect finds in a buffer's directory into
// text for people, and into structs whose JSON form programs may rely on:
// names are not changed, new ones may be added.
//
// Its functions block as the disk and the io.Writer do.
package listing

import (
	"fmt"
	"strings"
	"unicode"
)

// safe makes text that was read from a file fit for one line of a terminal.
func safe(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// count is a number of things in words.
func count(n int, word string) string {
	switch {
	case n == 1:
		return "1 " + word
	case strings.HasSuffix(word, "s"):
		word += "e"
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// bytesOf is a number of bytes in the largest unit that leaves digits before
// the point.
func bytesOf(n int64) string {
	f, unit := float64(n), "B"
	for _, larger := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if f < 1024 {
			break
		}
		f, unit = f/1024, larger
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}
