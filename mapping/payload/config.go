package payload

import (
	"fmt"
	"slices"
	"strings"

	"fieldferry/tag"
)

// Config is the part of an uplink that says how its messages look. An empty
// string stands for the default of its field; Default sets all of them.
type Config struct {
	// Format is the form of the messages: json, one topic per tag. Default json.
	Format string `yaml:"format"`

	// Root is the first part of every topic of the uplink: a template of
	// {gateway}, {uplink} and the gateway's labels. Default "{gateway}".
	Root string `yaml:"root"`

	// Topic is where the values of a tag go, below the root: a template of
	// {gateway} {uplink} {link} {device} {tag} {unit} {class} and any label.
	// Default "{device}/{tag}".
	Topic string `yaml:"topic"`

	// Retain asks the broker to keep the latest value of each topic. A
	// tag's own retain overrides it; history is never retained. Default true.
	Retain bool `yaml:"retain"`

	// History says where samples go that come late, out of the buffer: same
	// (the topic of the tag) or separate ({root}/_/history/...). Default same.
	History string `yaml:"history"`

	// OnBad says what a bad sample has as value: empty (null), last (the
	// last good value sent, null if there is none), or omit (no value
	// member). The quality tells the truth in any case. Default empty.
	OnBad string `yaml:"on_bad"`

	// TimestampFormat is rfc3339-ms, rfc3339-us, rfc3339-ns, or a number of
	// s, ms, us or ns since 1970. Finer digits are cut off. Default rfc3339-ms.
	TimestampFormat string `yaml:"timestamp_format"`

	// QualityCode writes 192, 64 and 0 instead of good, uncertain and bad. Default false.
	QualityCode bool `yaml:"quality_code"`

	// BoolAsNumber writes 1 and 0 instead of true and false. Default false.
	BoolAsNumber bool `yaml:"bool_as_number"`

	// Sequence adds seq, the number of the sample in the gateway's buffer,
	// which only repeats where a message is repeated. Default false.
	Sequence bool `yaml:"seq"`
}

// Default returns the configuration of an uplink that says nothing.
func Default() Config {
	return Config{
		Format: "json", Root: "{gateway}", Topic: "{device}/{tag}", Retain: true,
		History: "same", OnBad: "empty", TimestampFormat: "rfc3339-ms",
	}
}

// withDefaults fills in the empty strings.
func (c Config) withDefaults() Config {
	d := Default()
	for _, f := range []struct {
		v    *string
		dflt string
	}{
		{&c.Format, d.Format}, {&c.Root, d.Root}, {&c.Topic, d.Topic},
		{&c.History, d.History}, {&c.OnBad, d.OnBad}, {&c.TimestampFormat, d.TimestampFormat},
	} {
		if *f.v == "" {
			*f.v = f.dflt
		}
	}
	return c
}

// laterFormats are named in the documentation, but this version has none of them yet.
var laterFormats = []string{"json-device", "template", "sparkplug"}

var choices = []struct {
	path    string
	of      func(Config) string
	allowed []string
}{
	{"format", func(c Config) string { return c.Format }, []string{"json"}},
	{"history", func(c Config) string { return c.History }, []string{"same", "separate"}},
	{"on_bad", func(c Config) string { return c.OnBad }, []string{"empty", "last", "omit"}},
	{"timestamp_format", func(c Config) string { return c.TimestampFormat }, timeFormatNames()},
}

// Validate returns tag.Faults for everything that can be seen without the
// gateway's name and labels; Compile and CheckTopics find the rest.
func (c Config) Validate() error {
	c = c.withDefaults()
	var fs tag.Faults
	for _, ch := range choices {
		v := ch.of(c)
		if slices.Contains(ch.allowed, v) {
			continue
		}
		f := tag.Fault{Path: ch.path, Text: fmt.Sprintf("unknown %s %q", ch.path, v), Hint: "use " + list(ch.allowed)}
		if near := tag.Nearest(v, ch.allowed); near != "" {
			f.Hint = fmt.Sprintf("did you mean %s? %s", near, f.Hint)
		}
		if ch.path == "format" && slices.Contains(laterFormats, v) {
			f.Text = fmt.Sprintf("the format %q is not part of this version", v)
		}
		fs = append(fs, f)
	}
	root, faults := parseTemplate("root", c.Root)
	fs = append(fs, faults...)
	fs = append(fs, rootFaults(root)...)
	_, faults = parseTemplate("topic", c.Topic)
	fs = append(fs, faults...)
	if c.Topic == "_" || strings.HasPrefix(c.Topic, "_/") {
		fs = append(fs, tag.Fault{Path: "topic", Text: fmt.Sprintf("%q lies below {root}/_/, which is for the gateway's own topics", c.Topic),
			Hint: "begin with another word"})
	}
	return fs.Err()
}

// list joins words as a sentence does: a, b or c.
func list(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
