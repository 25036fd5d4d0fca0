package main

import (
	"fmt"
	"strings"
	"unicode"
)

// safe makes text from outside, such as a broker's reason, fit for one line of
// a terminal: control characters, which could repaint the screen or forge a
// line, and those that turn the direction of writing become U+FFFD.
func safe(s string) string { return strings.Map(harmless, s) }

// safeLines is safe for text of several lines.
func safeLines(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return harmless(r)
	}, s)
}

func harmless(r rune) rune {
	if dangerous(r) {
		return unicode.ReplacementChar
	}
	return r
}

// dangerous are C0, DEL and C1, the line and paragraph separators, and the
// bidirectional controls.
func dangerous(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}

// safeJSON writes the same of a JSON text, where it can only stand in strings,
// as escapes: the meaning stays.
func safeJSON(raw []byte) string {
	var b strings.Builder
	for _, r := range string(raw) {
		if dangerous(r) && !strings.ContainsRune("\n\r\t", r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// count is a number of things in words.
func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
