// Package console is what the subcommands of fieldferry share: errors that
// carry an exit code, text made safe for a terminal, and the way to a running
// gateway through its control socket.
//
// A Socket blocks for as long as the gateway takes, at most a minute, or until
// the context ends; everything else works in memory.
package console

import (
	"fmt"
	"strings"
	"unicode"
)

// The exit codes, as the manual tells them.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitFaults      = 3  // check found faults
	ExitUnreachable = 69 // EX_UNAVAILABLE of sysexits.h: no running gateway
	ExitConfig      = 78 // EX_CONFIG of sysexits.h; the unit does not restart after it
)

// Coded is an error that decides the exit code. Err may be nil where
// everything has been said.
type Coded struct {
	Code int
	Err  error
}

func (c *Coded) Error() string {
	if c.Err == nil {
		return ""
	}
	return c.Err.Error()
}

func (c *Coded) Unwrap() error { return c.Err }

// Failed gives an error the exit code 1.
func Failed(err error) error { return &Coded{ExitFailed, err} }

// Usage makes an error of a command line that is wrong, with the exit code 2.
func Usage(format string, args ...any) error {
	return &Coded{ExitUsage, fmt.Errorf(format, args...)}
}

// Safe makes text from outside, such as a broker's reason, fit for one line of
// a terminal: control characters, which could repaint the screen or forge a
// line, and those that turn the direction of writing become U+FFFD.
func Safe(s string) string { return strings.Map(harmless, s) }

// SafeLines is Safe for text of several lines.
func SafeLines(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return harmless(r)
	}, s)
}

func harmless(r rune) rune {
	if Dangerous(r) {
		return unicode.ReplacementChar
	}
	return r
}

// Dangerous are C0, DEL and C1, the line and paragraph separators, and the
// bidirectional controls.
func Dangerous(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}

// SafeJSON writes the same of a JSON text, where it can only stand in strings,
// as escapes: the meaning stays.
func SafeJSON(raw []byte) string {
	var b strings.Builder
	for _, r := range string(raw) {
		if Dangerous(r) && !strings.ContainsRune("\n\r\t", r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Count is a number of things in words.
func Count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
