package lane

import (
	"testing"

	"fieldferry/tag"
)

// TestTaken: what was read back is compared as far as its type can tell.
func TestTaken(t *testing.T) {
	for _, c := range []struct {
		wrote, got tag.Value
		want       bool
	}{
		{tag.Int(5), tag.Uint(5), true},
		{tag.Int(5), tag.Uint(6), false},
		{tag.Float64(231.4), tag.Float32(231.4), true},
		{tag.Float64(231.4), tag.Float64(231.40001), false},
		{tag.Bool(true), tag.Uint(1), true},
		{tag.Int(1), tag.String("1"), false},
		{tag.String("abc  "), tag.String("abc"), true},
		{tag.JSON("[1, 2]"), tag.JSON("[1,2]"), true},
		{tag.JSON("[1,2]"), tag.JSON("[1,3]"), false},
		{tag.JSON("[1,2]"), tag.JSON("[1]"), false},
		{tag.JSON("[231.40000]"), tag.JSON("[231.4]"), true},
		{tag.JSON("[0.1]"), tag.JSON("[0.10000000149011612]"), true},
		{tag.JSON("[true]"), tag.JSON("[false]"), false},
		{tag.JSON("[1]"), tag.JSON("[null]"), false},
		{tag.JSON("x"), tag.JSON("[1]"), false},
	} {
		if got := taken(c.wrote, c.got); got != c.want {
			t.Errorf("wrote %v, read back %v: taken %t, want %t", c.wrote, c.got, got, c.want)
		}
	}
}
