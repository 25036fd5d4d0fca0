package tree

import (
	"bytes"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// explanations translate what the YAML library says. The first whose
// beginning fits is taken.
var explanations = []struct{ begins, text, hint string }{
	{"mapping values are not allowed", "a `key: value` stands where it cannot", "check the indentation of this line, and quote a text that contains \": \""},
	{"did not find expected key", "this line does not fit the ones above", "check its indentation: settings of one group begin in one column"},
	{"did not find expected '-'", "this line does not fit the list above", "items of one list begin with \"- \" in one column"},
	{"did not find expected ',' or ']'", "a list in brackets is not closed, or lacks a comma", "write [a, b, c]"},
	{"did not find expected ',' or '}'", "a group in braces is not closed, or lacks a comma", "write {a: 1, b: 2}"},
	{"did not find expected node content", "a value is missing here", "close every bracket, and quote a text that begins with a special character"},
	{"could not find expected ':'", "this line is no `key: value`", "write a colon and a space after the key"},
	{"found character that cannot start any token", "a value cannot begin with this character", "put the text in quotes"},
	{"found unexpected end of stream", "a quoted text is not closed", "add the missing quote"},
	{"found unknown escape character", "an unknown escape in double quotes", "write '...' in single quotes, where a backslash is a backslash"},
	{"did not find expected hexdecimal number", "an unknown escape in double quotes", "write '...' in single quotes, where a backslash is a backslash"},
	{"unknown anchor", "an alias without its anchor", "quote a text that begins with *"},
	{"control characters are not allowed", "a control character", "remove it"},
	{"block sequence entries are not allowed", "a list item stands where it cannot", "begin the list on a line of its own"},
	{"did not find expected alphabetic or numeric", "a `*` or `&` without a name", "put the text in quotes"},
}

var numbered = regexp.MustCompile(`^yaml: (?:line \d+: )?`)

// syntaxFault explains an error of the YAML library.
func (f *File) syntaxFault(err error) Fault {
	message := numbered.ReplaceAllString(err.Error(), "")
	line := f.errorLine(message)
	raw := f.lineText(line)
	out := Fault{File: f.Name, Line: line, Column: 1 + len(raw) - len(strings.TrimLeft(raw, " \t")), Text: message}
	for _, e := range explanations {
		if strings.HasPrefix(message, e.begins) {
			out.Text, out.Hint = e.text, e.hint
			break
		}
	}
	lead := raw[:len(raw)-len(strings.TrimLeft(raw, " \t"))]
	if i := strings.IndexByte(lead, '\t'); i >= 0 {
		out.Text, out.Hint, out.Column = "a tab in the indentation", "indent with spaces", i+1
	} else if i := suspect(raw, message); i > 0 {
		out.Column = utf8.RuneCountInString(raw[:i]) + 1
	}
	out.Offending = strings.TrimSpace(raw)
	if out.Offending != "" {
		out.Text += ": " + strconv.Quote(clip(out.Offending))
	}
	return out
}

var (
	secondColon = regexp.MustCompile(`: (?:[^"'#]*?)(: |:$)`)
	badStart    = regexp.MustCompile("(?:^|[:,\\[{-] +)([@`%])")
	alias       = regexp.MustCompile(`(?:^|[ ,\[{])(\*)`)
)

// suspect finds the byte of a line that a message means, -1 if unknown.
func suspect(raw, message string) int {
	var at *regexp.Regexp
	switch {
	case strings.HasPrefix(message, "mapping values"):
		at = secondColon
	case strings.HasPrefix(message, "found character that cannot"):
		at = badStart
	case strings.HasPrefix(message, "unknown anchor"):
		at = alias
	case strings.HasPrefix(message, "found unknown escape"):
		return strings.IndexByte(raw, '\\')
	default:
		return -1
	}
	if m := at.FindStringSubmatchIndex(raw); m != nil {
		return m[2]
	}
	return -1
}

// errorLine finds the first line without which the message does not appear.
// The library's own line number is that of an enclosing construct, one too
// low, or absent.
func (f *File) errorLine(message string) int {
	ends := []int{}
	for i, c := range f.Data {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	if len(f.Data) > 0 && (len(ends) == 0 || ends[len(ends)-1] < len(f.Data)) {
		ends = append(ends, len(f.Data))
	}
	k := sort.Search(len(ends), func(i int) bool {
		_, _, err := document(f.Data[:ends[i]])
		return err != nil && numbered.ReplaceAllString(err.Error(), "") == message
	})
	return min(k+1, max(len(ends), 1))
}

// lineText is a line without its end.
func (f *File) lineText(line int) string {
	rest := f.Data
	for ; line > 1; line-- {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return ""
		}
		rest = rest[i+1:]
	}
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	return strings.TrimRight(string(rest), "\r")
}

// clip shortens a text for a message.
func clip(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return fmt.Sprintf("%s...", string([]rune(s)[:most-3]))
}
