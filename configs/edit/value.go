package edit

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"fieldferry/configs/tree"
)

var (
	plainText = regexp.MustCompile(`^[\pL][\pL\pN_./%°²³-]*( [\pL\pN][\pL\pN_./%°²³-]*)*$`)
	bareWord  = regexp.MustCompile(`^[-+0-9A-Za-z._µ]+$`)
	looksBare = regexp.MustCompile(`^(true|false|[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?([a-zµ]{1,2})?|0x[0-9A-Fa-f]+)$`)
)

// write puts a value into YAML that is safe in flow and block style.
func write(value string, kind Kind) (string, error) {
	if strings.IndexByte(value, 0) >= 0 {
		return "", fmt.Errorf("%q contains a NUL", value)
	}
	if kind == Guess {
		kind = guess(value)
	}
	switch kind {
	case Group:
		if !flow(value) {
			return quote(value), nil // Load will say what is wanted there
		}
		return value, nil
	case Bare:
		if bareWord.MatchString(value) && !null(value) {
			return value, nil
		}
		return quote(value), nil
	}
	if plainText.MatchString(value) && !null(value) {
		return value, nil
	}
	return quote(value), nil
}

func guess(value string) Kind {
	switch {
	case flow(value):
		return Group
	case looksBare.MatchString(value):
		return Bare
	}
	return Text
}

// null says that YAML reads a word as no value.
func null(s string) bool { return s == "" || s == "~" || strings.EqualFold(s, "null") }

// flow says that a value is one complete {...} or [...] on one line.
func flow(value string) bool {
	if !strings.HasPrefix(value, "{") && !strings.HasPrefix(value, "[") || strings.ContainsAny(value, "\n\r\u0085\u2028\u2029") {
		return false
	}
	r := &tree.Report{}
	n := tree.Parse("", []byte("[0, "+value+", 0]\n"), r).Root
	if r.Len() > 0 || n == nil || len(n.Items) != 3 {
		return false
	}
	start, end, err := n.Items[1].Span()
	return err == nil && n.Items[1].Flow && end-start == len(value)
}

// quote writes a text in double quotes.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r) && r != '\uFEFF':
			b.WriteRune(r)
		case r <= 0xFF:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xFFFF:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
