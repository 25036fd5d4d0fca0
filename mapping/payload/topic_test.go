package payload_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"fieldferry/mapping/payload"
	"fieldferry/tag"
)

func TestConfigFaults(t *testing.T) {
	const known = "known here are {cell}, {shift}, {site}, {gateway} or {uplink}"
	for _, c := range []struct {
		name string
		edit func(*payload.Config)
		want string
	}{
		{"format", func(c *payload.Config) { c.Format = "jsn" }, `format: unknown format "jsn" (did you mean json? use json)`},
		{"a later format", func(c *payload.Config) { c.Format = "sparkplug" }, `format: the format "sparkplug" is not part of this version (use json)`},
		{"choices", func(c *payload.Config) { c.OnBad, c.TimestampFormat, c.History = "lst", "rfc3339", "drop" },
			`history: unknown history "drop" (use same or separate)
on_bad: unknown on_bad "lst" (did you mean last? use empty, last or omit)
timestamp_format: unknown timestamp_format "rfc3339" (use ms, ns, rfc3339-ms, rfc3339-ns, rfc3339-us, s or us)`},
		{"root with a tag's placeholder", func(c *payload.Config) { c.Root = "{gateway}/{device}" },
			`root: {device} differs from tag to tag, but the root is one for the whole uplink (move it to topic)`},
		{"root misspelt", func(c *payload.Config) { c.Root = "{iste}/{gatway}" },
			`root: unknown placeholder {iste}: there is no label of this name (did you mean {site}? ` + known + `)
root: unknown placeholder {gatway}: there is no label of this name (did you mean {gateway}? ` + known + `)`},
		{"root unknown", func(c *payload.Config) { c.Root = "{enterprise}" }, `root: unknown placeholder {enterprise}: there is no label of this name (` + known + `)`},
		{"root of the broker", func(c *payload.Config) { c.Root = "$SYS/x" },
			`root: "$SYS/x" cannot be a topic: it begins with $, which is the broker's own (write it as a/{device}/{tag})`},
		{"no partner", func(c *payload.Config) { c.Topic = "{device/{tag}" }, `topic: a brace of "{device/{tag}" has no partner (write placeholders as {device})`},
		{"no partner either", func(c *payload.Config) { c.Topic = "device}/x" }, `topic: a brace of "device}/x" has no partner (write placeholders as {device})`},
		{"no name", func(c *payload.Config) { c.Topic = "a/{}" }, `topic: "a/{}" has a placeholder without a name, or with spaces around it (write placeholders as {device})`},
		{"wildcard", func(c *payload.Config) { c.Topic = "{device}/#" }, `topic: "{device}/#" cannot be a topic: it holds '#', which is a wildcard (write it as a/{device}/{tag})`},
		{"empty level", func(c *payload.Config) { c.Root, c.Topic = "a//b", "/{tag}" },
			`root: "a//b" cannot be a topic: it has an empty level (write it as a/{device}/{tag})
topic: "/{tag}" cannot be a topic: it has an empty level (write it as a/{device}/{tag})`},
		{"trailing slash", func(c *payload.Config) { c.Root = "plant/" }, `root: "plant/" cannot be a topic: it has an empty level (write it as a/{device}/{tag})`},
		{"NUL", func(c *payload.Config) { c.Topic = "a\x00b" }, `topic: "a\x00b" cannot be a topic: it holds the character U+0000, which brokers refuse (write it as a/{device}/{tag})`},
		{"not UTF-8", func(c *payload.Config) { c.Topic = "a\xff" }, `topic: "a\xff" cannot be a topic: it is not valid UTF-8 (write it as a/{device}/{tag})`},
		{"our own level", func(c *payload.Config) { c.Topic = "_/{tag}" }, `topic: "_/{tag}" lies below {root}/_/, which is for the gateway's own topics (begin with another word)`},
	} {
		cfg := payload.Default()
		c.edit(&cfg)
		_, err := payload.Compile(cfg, vars)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, c.want)
		}
		if faults := (tag.Faults)(nil); !errors.As(err, &faults) {
			t.Errorf("%s: the error is a %T, want tag.Faults", c.name, err)
		}
	}
}

func TestRootOfBrokenNames(t *testing.T) {
	for _, c := range []struct {
		vars payload.Vars
		want string
	}{
		{payload.Vars{}, "root: {gateway} is empty"},
		{payload.Vars{Gateway: "a+"}, `root: "{gateway}" becomes "a+", which cannot be a topic: it holds '+', which is a wildcard`},
		{payload.Vars{Gateway: "$a"}, `root: "{gateway}" becomes "$a", which cannot be a topic: it begins with $, which is the broker's own`},
	} {
		if _, err := payload.Compile(payload.Default(), c.vars); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestOwn(t *testing.T) {
	e := compile(t, func(c *payload.Config) { c.Root = "{site}/{gateway}" })
	for _, c := range []struct {
		want   string
		suffix []string
	}{{"hamburg/gw/_/status", []string{"status"}}, {"hamburg/gw/_/set/+/+", []string{"set", "+", "+"}}} {
		if got := e.Own(c.suffix...); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestCheckTopics(t *testing.T) {
	plain := func(device, name string) *tag.Tag { return newTag(device, name) }
	withUnit := newTag("d", "u")
	withUnit.Unit = "m³/h"
	unlabelled := newTag("d", "bare")
	unlabelled.Device.Labels = nil
	emptyLabel := newTag("d", "empty")
	emptyLabel.Labels = map[string]string{"row": ""}
	row := newTag("d", "row")
	row.Labels = map[string]string{"row": "7"}
	writeOnly := newTag("d", "reset")
	writeOnly.Access = tag.AccessWrite
	deep := newTag("d", strings.Repeat("x/", 198)+"x")
	for _, c := range []struct {
		name  string
		topic string
		tags  []*tag.Tag
		want  []string
	}{
		{"good", "{device}/{tag}", []*tag.Tag{plain("a", "x"), plain("b", "x"), row, writeOnly}, nil},
		{"no tags", "{typo}", nil, nil},
		{"two tags, one topic", "all/{tag}", []*tag.Tag{plain("a", "x"), plain("b", "y"), plain("b", "x"), writeOnly}, []string{
			`b/x: topic: the topic "gw/all/x" is that of tag a/x already (let the template tell them apart, as {device}/{tag} does)`}},
		{"slashes make them one", "{device}/{tag}", []*tag.Tag{plain("a/b", "c"), plain("a", "b/c")}, []string{
			`a/b/c: topic: the topic "gw/a/b/c" is that of tag a/b/c already (let the template tell them apart, as {device}/{tag} does)`}},
		{"misspelt, once for all", "{devcie}/{tag}", []*tag.Tag{plain("a", "x"), plain("b", "x")}, []string{
			`topic: unknown placeholder {devcie}: no tag has a label of this name (did you mean {device}? known here are {gateway}, {uplink}, {link}, {device}, {tag}, {unit}, {class}, {cell}, {shift} or {site})`}},
		{"a label that one tag lacks", "{row}/{tag}", []*tag.Tag{row, unlabelled}, []string{
			`d/bare: topic: tag d/bare has no topic: unknown placeholder {row}: there is no label of this name (correct it, or the template "{row}/{tag}")`}},
		{"an empty label", "{row}/{tag}", []*tag.Tag{emptyLabel}, []string{
			`d/empty: topic: tag d/empty has no topic: {row} is empty (correct it, or the template "{row}/{tag}")`}},
		{"a unit with a slash", "{tag}/{unit}", []*tag.Tag{withUnit, plain("d", "n")}, []string{
			`d/u: topic: tag d/u has no topic: the unit "m³/h" has a slash, which would begin a new level (correct it, or the template "{tag}/{unit}")`,
			`d/n: topic: tag d/n has no topic: {unit} is empty (correct it, or the template "{tag}/{unit}")`}},
		{"names that cannot be in a topic", "{device}/{tag}", []*tag.Tag{plain("a#", "x"), plain("a", "\x07"), plain("_", "x"), plain("a", "/x"), plain("a", "\uffff")}, []string{
			`a#/x: topic: tag a#/x has no topic: "gw/a#/x" cannot be one: it holds '#', which is a wildcard (correct it, or the template "{device}/{tag}")`,
			"a/\x07" + `: topic: tag a/` + "\x07" + ` has no topic: "gw/a/\a" cannot be one: it holds the character U+0007, which brokers refuse (correct it, or the template "{device}/{tag}")`,
			`_/x: topic: tag _/x has no topic: "_/x" lies below gw/_/, which is for the gateway's own topics (correct it, or the template "{device}/{tag}")`,
			`a//x: topic: tag a//x has no topic: "gw/a//x" cannot be one: it has an empty level (correct it, or the template "{device}/{tag}")`,
			"a/\uffff: topic: tag a/\uffff" + ` has no topic: "gw/a/\uffff" cannot be one: it holds the character U+FFFF, which brokers refuse (correct it, or the template "{device}/{tag}")`}},
		{"too deep", "{device}/{tag}", []*tag.Tag{deep}, []string{"it has 201 levels, and 200 are allowed"}},
		{"too long", "{device}/{tag}", []*tag.Tag{plain("d", strings.Repeat("x", 65535))}, []string{"it has 65540 bytes, and 65535 are allowed"}},
	} {
		e := compile(t, func(cfg *payload.Config) { cfg.Topic = c.topic })
		var got []string
		for _, f := range e.CheckTopics(c.tags) {
			s := f.Fault.Error()
			if f.Tag != nil {
				s = f.Tag.Path() + ": " + s
			}
			got = append(got, s)
		}
		if len(c.want) == 1 && strings.HasPrefix(c.want[0], "it has") { // the names are long
			if len(got) != 1 || !strings.Contains(got[0], c.want[0]) {
				t.Errorf("%s: got %.300q, want %q", c.name, got, c.want)
			}
			continue
		}
		if g, w := strings.Join(got, "\n"), strings.Join(c.want, "\n"); g != w {
			t.Errorf("%s:\n got\n%s\nwant\n%s", c.name, g, w)
		}
	}
}

func TestLabelsOfTheTagGoFirst(t *testing.T) {
	e := compile(t, func(c *payload.Config) { c.Topic = "{shift}/{cell}/{site}/{tag}" })
	if got, err := e.Topic(newTag("d", "t")); got != "gw/night/4/hamburg/t" || err != nil {
		t.Errorf("got %q, %v, want night of the tag, 4 of the device, hamburg of the gateway", got, err)
	}
}

// FuzzTemplate: whatever is accepted gives topics that a broker takes.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"{device}/{tag}", "a/{site}", "{{device}}", "}{", "$x", "_", "_/{tag}", "{tag}{tag}", "é/{unit}", "\x00", "{gateway}/+"} {
		f.Add("{gateway}", s, "pump", "speed")
		f.Add(s, "{device}/{tag}", s, s)
	}
	f.Fuzz(func(t *testing.T, root, topic, device, name string) {
		c := payload.Default()
		c.Root, c.Topic = root, topic
		e, err := payload.Compile(c, payload.Vars{Gateway: "gw", Uplink: name, Labels: map[string]string{"site": device}})
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a text")
			}
			return
		}
		tg := newTag(device, name)
		got, err := e.Topic(tg)
		if faults := e.CheckTopics([]*tag.Tag{tg}); (err == nil) != (len(faults) == 0) {
			t.Errorf("Topic says %v, CheckTopics %v", err, faults)
		}
		if err != nil {
			return
		}
		if got == "" || strings.ContainsAny(got, "+#\x00") || !utf8.ValidString(got) || len(got) > 65535 || got[0] == '$' ||
			strings.HasPrefix(got, e.Own("")) || strings.Contains("/"+got+"/", "//") {
			t.Errorf("root %q, topic %q, %q/%q: got %q", root, topic, device, name, got)
		}
	})
}
