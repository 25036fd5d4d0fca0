// Package counts adds up and writes out what accounts and records of drops
// count by reason or by device. Nothing in it blocks.
package counts

import (
	"fmt"
	"strings"

	"fieldferry/buffer/frame"
)

// Of is the count of one reason.
func Of(cs []frame.Count, reason string) (n uint64) {
	for _, c := range cs {
		if c.Reason == reason {
			n += c.N
		}
	}
	return n
}

// Ahead is how many samples beyond its position a reader has settled.
func Ahead(r *frame.Reader) (n uint64) {
	for _, g := range r.Ahead {
		n += g.To - g.From
	}
	return n
}

// Sum is all of them.
func Sum(cs []frame.Count) (n uint64) {
	for _, c := range cs {
		n += c.N
	}
	return n
}

// List writes them as "a 5, b 7"; one without a name is that of others.
func List(cs []frame.Count) string {
	var words []string
	for _, c := range cs {
		name := c.Reason
		if name == "" {
			name = "others"
		}
		words = append(words, fmt.Sprintf("%s %d", name, c.N))
	}
	return strings.Join(words, ", ")
}
