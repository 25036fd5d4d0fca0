package tree

import (
	"fmt"
	"strings"
	"testing"
)

func TestLimits(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 9; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	tests := []struct{ name, in, want string }{
		{"alias bomb", bomb, "aliases repeat more than 20000 values"},
		{"nesting", "a: " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000), "nested more than 40 levels deep"},
		{"size", "a: " + strings.Repeat("x", MaxSize), "at most 8 MiB are read"},
	}
	for _, tt := range tests {
		r := &Report{}
		Parse("a.yaml", []byte(tt.in), r)
		if got := r.Faults().Error(); !strings.Contains(got, tt.want) || r.Len() != 1 {
			t.Errorf("%s: got %q, want one fault with %q", tt.name, got, tt.want)
		}
	}
}

func TestSpan(t *testing.T) {
	const in = "a: plain text # c\nm³: {n: 'it''s', µ: \"a \\\" b\"}\nl:\n- x\n- - y\n  - 'z'\nt: |\n  hi\n\n  ho\n\ne:\nc: [1, # ]\n  2]\n"
	root := Parse("a.yaml", []byte(in), &Report{}).Root
	want := map[string]string{"a": "plain text", "m³": "{n: 'it''s', µ: \"a \\\" b\"}", "l": "- x\n- - y\n  - 'z'", "t": "|\n  hi\n\n  ho", "e": "", "c": "[1, # ]\n  2]"}
	for _, p := range root.Pairs {
		start, end, err := p.Value.Span()
		if err != nil || in[start:end] != want[p.Key.Text] {
			t.Errorf("span of %s: got %q, want %q (%v)", p.Key.Text, in[start:end], want[p.Key.Text], err)
		}
	}
}

func TestLocate(t *testing.T) {
	root := Parse("a.yaml", []byte("tls: {ca_file: x}\nbrokers: [a, b]\n"), &Report{}).Root
	tests := []struct{ path, found, rest string }{
		{"tls.ca_file", "tls.ca_file", ""}, {"tls.key_file", "tls", "key_file"}, {"brokers[1]", "brokers[1]", ""},
		{"brokers[7].x", "brokers", "[7].x"}, {"", "", ""}, {"nothing", "", "nothing"}, {"brokers[", "brokers", "["},
	}
	for _, tt := range tests {
		n, rest := root.Locate(tt.path)
		if n.Path() != tt.found || rest != tt.rest {
			t.Errorf("Locate(%q) = %q, %q; want %q, %q", tt.path, n.Path(), rest, tt.found, tt.rest)
		}
	}
}

// spans checks that every span lies in the file.
func spans(t *testing.T, n *Node, data []byte) {
	if start, end, err := n.Span(); err == nil && (start < 0 || end < start || end > len(data)) {
		t.Fatalf("span %d-%d of %s outside of %q", start, end, n.Path(), data)
	}
	for _, p := range n.Pairs {
		spans(t, p.Value, data)
	}
	for _, it := range n.Items {
		spans(t, it, data)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"name: a\nserial: {baud: 1}", "a: &a [*a]", "x: 1\n\ty: 2", "a: |\n x\n\nb: >\n y", "? a\n: b", "words: [1, 2", "\ufeffa: b", "labels: {a: {n}}", "a: 'it''s' # c\r\nb: \"\\\"\"", "- - a\n  - {b: [c]}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &Report{}
		file := Parse("a.yaml", data, r)
		if file.Root == nil {
			if r.Len() == 0 {
				t.Fatalf("no tree and no fault for %q", data)
			}
			return
		}
		spans(t, file.Root, data)
		for _, x := range r.Faults() {
			if x.Line < 1 || x.Column < 1 || x.Text == "" {
				t.Fatalf("fault without a place or a text for %q: %+v", data, x)
			}
		}
	})
}
