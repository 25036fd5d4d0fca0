package strict

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"fieldferry/configs/tree"
	"fieldferry/tag"
)

type serial struct {
	Baud   int    `yaml:"baud"`
	Parity string `yaml:"parity"`
}

type base struct {
	Class tag.Class `yaml:"class"`
}

type options struct {
	base    `yaml:"-"`
	Base    base              `yaml:",inline"`
	Name    string            `yaml:"name"`
	Address string            `yaml:"address"`
	Every   time.Duration     `yaml:"every"`
	Unit    uint8             `yaml:"unit_id"`
	Offset  int16             `yaml:"offset"`
	Scale   *float64          `yaml:"scale"`
	On      bool              `yaml:"enabled"`
	Serial  serial            `yaml:"serial"`
	Link    *serial           `yaml:"link"`
	Words   []uint16          `yaml:"words"`
	Labels  map[string]string `yaml:"labels"`
	Texts   map[int]string    `yaml:"texts"`
	Nested  map[string]serial `yaml:"nested"`
	Equals  any               `yaml:"equals"`
	File    string            `yaml:"ca_file,path"`
	Secret  string            // no setting
}

func decode(t testing.TB, dst any, texts ...string) tree.Faults {
	t.Helper()
	r := &tree.Report{}
	d := &Decoder{Report: r, File: func(s string) string { return "/etc/" + s }, Synonyms: map[string]string{"slave_id": "unit_id"}}
	var layers []*tree.Node
	for i, text := range texts {
		f := tree.Parse(fmt.Sprintf("%c.yaml", 'a'+i), []byte(text), r)
		if f.Root != nil {
			d.Known(f.Root, nil, dst)
			layers = append(layers, f.Root)
		}
	}
	d.Decode(dst, layers...)
	return r.Faults()
}

func ptr[T any](v T) *T { return &v }

func TestDecode(t *testing.T) {
	tests := []struct {
		in   string
		want options
	}{
		{"name: pump\naddress: hr:10.3", options{Name: "pump", Address: "hr:10.3"}},
		{`address: "40001.10"`, options{Address: "40001.10"}},
		{"address: 40001", options{Address: "40001"}},
		{"address: 0x10", options{Address: "0x10"}},
		{"name: yes", options{Name: "yes"}},
		{"every: 500ms", options{Every: 500 * time.Millisecond}},
		{"every: 1h30m", options{Every: 90 * time.Minute}},
		{"every: 30d", options{Every: 720 * time.Hour}},
		{"every: 0", options{}},
		{"unit_id: 0xFF", options{Unit: 255}},
		{"offset: -32768", options{Offset: -32768}},
		{"offset: +7", options{Offset: 7}},
		{"scale: 1e-3", options{Scale: ptr(0.001)}},
		{"scale: 0x10", options{Scale: ptr(16.0)}},
		{"enabled: true", options{On: true}},
		{"serial: {baud: 9600, parity: none}", options{Serial: serial{9600, "none"}}},
		{"link: {baud: 1}", options{Link: &serial{Baud: 1}}},
		{"words: [0x8000, 1]", options{Words: []uint16{0x8000, 1}}},
		{"words:", options{Words: []uint16{}}},
		{"labels: {a: b, c: 4}", options{Labels: map[string]string{"a": "b", "c": "4"}}},
		{"texts: {0: off, 1: on}", options{Texts: map[int]string{0: "off", 1: "on"}}},
		{"equals: true", options{Equals: true}},
		{"equals: 7", options{Equals: int64(7)}},
		{"equals: 7.5", options{Equals: 7.5}},
		{`equals: "7"`, options{Equals: "7"}},
		{"class: alarm", options{Base: base{tag.ClassAlarm}}},
		{"ca_file: ca.pem", options{File: "/etc/ca.pem"}},
		{"x-defaults: &s {baud: 3}\n", options{}},
		{"serial: &s {baud: 3}\nlink: *s", options{Serial: serial{Baud: 3}, Link: &serial{Baud: 3}}},
		{"# only a comment\n", options{}},
		{"", options{}},
		{"name: !!str 010", options{Name: "010"}},
		{"\ufeffname: a", options{Name: "a"}},
		{"name: a\r\nunit_id: 3\r\n", options{Name: "a", Unit: 3}},
		{"name: |\n  two\n  lines\n", options{Name: "two\nlines\n"}},
	}
	for _, tt := range tests {
		var got options
		faults := decode(t, &got, strings.TrimPrefix(tt.in, "x-defaults: &s {baud: 3}\n"))
		if len(faults) > 0 || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("decode %q:\n got %+v\nwant %+v\nfaults %v", tt.in, got, tt.want, faults)
		}
	}
}

func TestFaults(t *testing.T) {
	tests := []struct{ in, want string }{
		{"nmae: a", "a.yaml:1:1: nmae: unknown key \"nmae\" (did you mean `name`?)"},
		{"slave_id: 3", "a.yaml:1:1: slave_id: unknown key \"slave_id\" (did you mean `unit_id`?)"},
		{"zzz: 3", `a.yaml:1:1: zzz: unknown key "zzz"`},
		{"serial: {buad: 1}", "a.yaml:1:10: serial.buad: unknown key \"buad\" (did you mean `baud`?)"},
		{"name: a\nname: b", `a.yaml:2:1: name: "name" is written twice (first on line 1)`},
		{"address: 40001.10", `a.yaml:1:10: address: 40001.10 is a bare number with a fraction, which others may shorten (quote it: "40001.10")`},
		{"address: 040001", `a.yaml:1:10: address: 040001 is a number with a leading zero, which others may read as octal (quote it: "040001")`},
		{"address: 1_000", `a.yaml:1:10: address: 1_000 is a number with underscores (quote it: "1_000")`},
		{"every: 5", `a.yaml:1:8: every: 5 has no unit (write 5s for seconds or 5ms for milliseconds)`},
		{"every: 5sec", "a.yaml:1:8: every: unknown unit \"sec\" in \"5sec\" (did you mean `5s`?)"},
		{"every: 5 s", "a.yaml:1:8: every: \"5 s\" is not a time (did you mean `5s`?)"},
		{"every: 5fortnights", `a.yaml:1:8: every: unknown unit "fortnights" in "5fortnights" (write a number and a unit: 500ms, 10s, 5m, 12h, 30d)`},
		{"every: -5s", `a.yaml:1:8: every: "-5s" is below zero (write a number and a unit: 500ms, 10s, 5m, 12h, 30d)`},
		{"every: soon", `a.yaml:1:8: every: "soon" is not a time (write a number and a unit: 500ms, 10s, 5m, 12h, 30d)`},
		{"every: 300000w", `a.yaml:1:8: every: "300000w" is too long: at most 292 years`},
		{"unit_id: 256", `a.yaml:1:10: unit_id: 256 is out of range: from 0 to 255`},
		{"unit_id: -1", `a.yaml:1:10: unit_id: -1 is out of range: from 0 to 255`},
		{"offset: 40000", `a.yaml:1:9: offset: 40000 is out of range: from -32768 to 32767`},
		{"unit_id: 07", `a.yaml:1:10: unit_id: 07 is a number with a leading zero, which others may read as octal (write 7)`},
		{`unit_id: "7"`, `a.yaml:1:10: unit_id: "7" is text, not a whole number (write 7 without quotes)`},
		{"unit_id: 1.5", `a.yaml:1:10: unit_id: "1.5" is not a whole number`},
		{"unit_id: one", `a.yaml:1:10: unit_id: "one" is not a whole number`},
		{"scale: 0,1", `a.yaml:1:8: scale: "0,1" is not a number (write 0.1)`},
		{"scale: .nan", `a.yaml:1:8: scale: ".nan" is not a number`},
		{"scale: 1e999", `a.yaml:1:8: scale: 1e999 is out of range`},
		{"enabled: yes", `a.yaml:1:10: enabled: "yes" is not true or false (write true)`},
		{`enabled: "false"`, `a.yaml:1:10: enabled: "false" is text, not true or false (write false without quotes)`},
		{"name:", `a.yaml:1:6: name: has no value (write one, or leave the key out)`},
		{"name: [a]", `a.yaml:1:7: name: a list stands where one value is wanted`},
		{"unit_id: {n}", `a.yaml:1:10: unit_id: a group of settings stands where one value is wanted (quote a placeholder: "{n}")`},
		{"words: 7", `a.yaml:1:8: words: "7" stands where a list is wanted (write [7])`},
		{"words: {a: 1}", `a.yaml:1:8: words: a group of settings stands where a list is wanted (begin each item with "- ")`},
		{"words: [1, 70000]", `a.yaml:1:12: words[1]: 70000 is out of range: from 0 to 65535`},
		{"serial: fast", `a.yaml:1:9: serial: "fast" stands where a group of settings is wanted (write key: value below it)`},
		{"class: alrm", `a.yaml:1:8: class: unknown class "alrm": use alarm, normal or bulk`},
		{"texts: {zero: off}", `a.yaml:1:9: texts.zero: "zero" is not a whole number`},
		{"<<: {name: a}", "a.yaml:1:1: <<: `<<` is not used here (settings inherit: write `defaults` or a profile)"},
		{"name: !secret a", `a.yaml:1:7: name: the YAML tag "!secret" is not used here (leave it out)`},
		{"labels: &l {a: *l}", `a.yaml:1:16: labels.a: the alias "*l" stands inside of what it names (write the value out)`},
		{"? [a]\n: b", `a.yaml:1:3: a key is a plain word`},
		{"labels: {a: {{n}}}", `a.yaml:1:14: labels.a: a key is a plain word (quote a placeholder: "{n}")`},
		{"name: a\n---\nname: b", `a.yaml:2:1: a second document begins here (one file holds one document: join them, without ---)`},
		{"name: a\xff", `a.yaml:1:8: byte 0xFF is not UTF-8 (save the file as UTF-8)`},
	}
	for _, tt := range tests {
		var got options
		if faults := decode(t, &got, tt.in); faults.Error() != tt.want {
			t.Errorf("decode %q:\n got %s\nwant %s", tt.in, faults.Error(), tt.want)
		}
	}
}

func TestSyntax(t *testing.T) {
	tests := []struct{ in, want string }{
		{"a: b: c\n", `a.yaml:1:5: a ` + "`key: value`" + ` stands where it cannot: "a: b: c" (check the indentation of this line, and quote a text that contains ": ")`},
		{"x: 1\n  y: 2\n", `a.yaml:2:3: a ` + "`key: value`" + ` stands where it cannot: "y: 2" (check the indentation of this line, and quote a text that contains ": ")`},
		{"x: 1\na:\n\tb: 1\n", `a.yaml:3:1: a tab in the indentation: "b: 1" (indent with spaces)`},
		{"x:\n  a: 1\n b: 2\n", `a.yaml:3:2: this line does not fit the ones above: "b: 2" (check its indentation: settings of one group begin in one column)`},
		{"x: 1\n- a\n", `a.yaml:2:1: this line does not fit the ones above: "- a" (check its indentation: settings of one group begin in one column)`},
		{"x: 1\nfoo\ny: 2\n", `a.yaml:2:1: this line is no ` + "`key: value`" + `: "foo" (write a colon and a space after the key)`},
		{"x: 1\ny: \"\\q\"\n", `a.yaml:2:5: an unknown escape in double quotes: "y: \"\\q\"" (write '...' in single quotes, where a backslash is a backslash)`},
		{"x: @a\n", `a.yaml:1:4: a value cannot begin with this character: "x: @a" (put the text in quotes)`},
		{"x: 1\ny: *q\nz: 1\n", `a.yaml:2:4: an alias without its anchor: "y: *q" (quote a text that begins with *)`},
		{"x: 1\ny: 'abc\nz: 2\n", `a.yaml:2:1: a quoted text is not closed: "y: 'abc" (add the missing quote)`},
		{"x: 1\ny: \x01\n", `a.yaml:2:1: a control character: "y: \x01" (remove it)`},
	}
	for _, tt := range tests {
		var got options
		if faults := decode(t, &got, tt.in); faults.Error() != tt.want {
			t.Errorf("decode %q:\n got %s\nwant %s", tt.in, faults.Error(), tt.want)
		}
	}
}

func TestLayers(t *testing.T) {
	want := options{Name: "c", Serial: serial{9600, "even"}, Scale: ptr(2.0),
		Labels: map[string]string{"x": "1", "y": "3", "d": "0"}, Words: []uint16{3}, On: true}
	got := options{Labels: map[string]string{"d": "0"}, On: true, Scale: ptr(1.0)}
	dflt := got
	faults := decode(t, &got,
		"name: a\nserial: {baud: 9600, parity: none}\nlabels: {x: 1, y: 2}\nwords: [1, 2]",
		"serial: {parity: even}\nscale: 2",
		"name: c\nlabels: {y: 3}\nwords: [3]")
	if len(faults) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v\nfaults %v", got, want, faults)
	}
	if len(dflt.Labels) != 1 || *dflt.Scale != 1 {
		t.Errorf("defaults were changed in place: %+v", dflt)
	}
}

func TestSuggest(t *testing.T) {
	keys := []string{"byte_order", "unit_id", "interval", "name", "deadband"}
	tests := []struct{ word, want string }{
		{"byteorder", "byte_order"}, {"byteOrder", "byte_order"}, {"byte-order", "byte_order"}, {"bite_order", "byte_order"},
		{"intreval", "interval"}, {"naem", "name"}, {"x", ""}, {"completely", ""}, {"unitid", "unit_id"},
	}
	for _, tt := range tests {
		if got := Suggest(tt.word, keys); got != tt.want {
			t.Errorf("Suggest(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}

func TestExpand(t *testing.T) {
	r := &tree.Report{}
	root := tree.Parse("a.yaml", []byte("name: m{n}\nwords: [1]\nunit_id: \"{n}\"\n"), r).Root
	d := &Decoder{Report: r}
	for n := 255; n < 258; n++ {
		c := root.Expand(n, func(s string) (string, bool) {
			out := strings.ReplaceAll(s, "{n}", fmt.Sprint(n))
			return out, out != s
		})
		if c.Get("words") != root.Get("words") {
			t.Errorf("n=%d: an unchanged part was copied", n)
		}
		var got options
		d.Decode(&got, c)
		if want := fmt.Sprintf("m%d", n); got.Name != want {
			t.Errorf("n=%d: got name %q, want %q", n, got.Name, want)
		}
	}
	want := "a.yaml:3:10: unit_id: 256 is out of range: from 0 to 255"
	if got := r.Faults().Error(); got != want {
		t.Errorf("faults of several copies:\n got %s\nwant %s", got, want)
	}
}

func TestExplain(t *testing.T) {
	r := &tree.Report{}
	a := tree.Parse("a.yaml", []byte("serial: {baud: 9600}\nlabels: {x: y}\nevery: 1s"), r).Root
	b := tree.Parse("b.yaml", []byte("every: 2s\nunit_id: 3"), r).Root
	got := options{Serial: serial{Parity: "none"}, Every: time.Minute}
	d := &Decoder{Report: r}
	d.Decode(&got, a, b)
	var lines []string
	for _, s := range d.Explain(&got, a, b) {
		from := "default"
		if s.Node != nil {
			from = fmt.Sprintf("%s:%d", s.Node.File.Name, s.Node.Line)
		}
		lines = append(lines, s.Key+"="+s.Value+" "+from)
	}
	want := "every=2s b.yaml:1, unit_id=3 b.yaml:2, serial.baud=9600 a.yaml:1, serial.parity=\"none\" default, labels.x=y a.yaml:2"
	if s := strings.Join(lines, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"name: a\nserial: {baud: 1}", "a: &a [*a]", "x: 1\n\ty: 2", "every: 5 min", "{a: {b: [1,2,{c: d}]}}", "a: |\n x", "? a\n: b", "words: [1, 2", "\ufeffa: b", "labels: {a: {n}}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &tree.Report{}
		file := tree.Parse("a.yaml", data, r)
		var got options
		d := &Decoder{Report: r}
		if file.Root == nil {
			if r.Len() == 0 {
				t.Fatalf("no tree and no fault for %q", data)
			}
			return
		}
		d.Struct(&got, file.Root)
		d.Explain(&got, file.Root)
		for _, x := range r.Faults() {
			if x.Line < 1 || x.Column < 1 || x.Text == "" {
				t.Fatalf("fault without a place or a text for %q: %+v", data, x)
			}
		}
	})
}
