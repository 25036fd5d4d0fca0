package layout

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"fieldferry/tag"
)

// text reads a string, which ends at its first zero byte and loses the blanks
// that devices pad with, or raw bytes.
func (l *Layout) text(b []byte) (tag.Value, error) {
	if l.Order&swapBytes != 0 {
		b = swapped(b)
	}
	if l.Type == Raw {
		return tag.Bytes(b), nil
	}
	if end := bytes.IndexByte(b, 0); end >= 0 {
		b = b[:end]
	}
	b = bytes.TrimRight(b, " ")
	if l.latin1 {
		return tag.String(fromLatin1(b)), nil
	}
	if !utf8.Valid(b) {
		return tag.Value{}, errUTF8
	}
	return tag.String(string(b)), nil
}

// swapped is a copy of b with the bytes of every register exchanged.
func swapped(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i^1] = b[i]
	}
	return out
}

// fromLatin1 reads ISO 8859-1, whose codes are those of Unicode.
func fromLatin1(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

func toLatin1(s string) (string, error) {
	var b []byte
	for _, r := range s {
		if r > 255 {
			return "", fmt.Errorf("%q is not in Latin-1", r)
		}
		b = append(b, byte(r))
	}
	return string(b), nil
}

func (l *Layout) encodeText(v tag.Value) ([]byte, error) {
	b := make([]byte, 2*l.Length)
	s, ok := v.Text()
	if l.latin1 {
		var err error
		if s, err = toLatin1(s); err != nil {
			return nil, err
		}
	}
	switch {
	case !ok:
		return nil, fmt.Errorf("%q is not text, as type %s wants", v, l.Type)
	case len(s) > len(b):
		return nil, fmt.Errorf("%d bytes do not fit into the %d of the tag", len(s), len(b))
	case l.Type == Raw && len(s) != len(b):
		return nil, fmt.Errorf("%d bytes where the tag has %d", len(s), len(b))
	case l.Type == String && bytes.IndexByte([]byte(s), 0) >= 0:
		return nil, fmt.Errorf("%q has a zero byte, where the device would end it", v)
	}
	if n := copy(b, s); l.spaces {
		copy(b[n:], bytes.Repeat([]byte{' '}, len(b)-n))
	}
	if l.Order&swapBytes != 0 {
		b = swapped(b)
	}
	return b, nil
}
