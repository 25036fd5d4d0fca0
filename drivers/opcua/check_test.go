package opcua

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"fieldferry/drivers"
	"fieldferry/tag"
)

func TestRegistered(t *testing.T) {
	d, ok := drivers.Lookup("opcua")
	if _, is := d.(Driver); !ok || !is {
		t.Fatalf("Lookup(opcua): got %T, %v", d, ok)
	}
}

// TestCheck has one fault per case and wants exactly its path and words.
func TestCheck(t *testing.T) {
	tests := []struct {
		name   string
		change func(l *tag.Link, o *LinkOptions, x *tag.Tag)
		path   string
		text   string
	}{
		{"no endpoint", func(l *tag.Link, _ *LinkOptions, _ *tag.Tag) { l.Endpoint = "" }, "endpoint", "no endpoint"},
		{"scheme", func(l *tag.Link, _ *LinkOptions, _ *tag.Tag) { l.Endpoint = "tcp://plc:4840" }, "endpoint", "not opc.tcp"},
		{"no scheme", func(l *tag.Link, _ *LinkOptions, _ *tag.Tag) { l.Endpoint = "plc:4840" }, "endpoint", "not a URL"},
		{"no host", func(l *tag.Link, _ *LinkOptions, _ *tag.Tag) { l.Endpoint = "opc.tcp://:4840" }, "endpoint", "no host"},
		{"no port", func(l *tag.Link, _ *LinkOptions, _ *tag.Tag) { l.Endpoint = "opc.tcp://plc/x" }, "endpoint", "no port"},
		{"port 0", func(l *tag.Link, _ *LinkOptions, _ *tag.Tag) { l.Endpoint = "opc.tcp://plc:0" }, "endpoint", "between 1 and 65535"},
		{"large port", func(l *tag.Link, _ *LinkOptions, _ *tag.Tag) { l.Endpoint = "opc.tcp://plc:65536" }, "endpoint", "between 1 and 65535"},
		{"user in the URL", func(l *tag.Link, _ *LinkOptions, _ *tag.Tag) { l.Endpoint = "opc.tcp://me:secret@plc:4840" }, "endpoint", "me:xxxxx@plc"},
		{"no policy", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) { o.Security.Policy = "" }, "security.policy", "not set"},
		{"unknown policy", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) { o.Security.Policy = "basic256sha256" }, "security.policy", "unknown security policy"},
		{"broken policy", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) { o.Security.Policy = "Basic256" }, "security.policy", "broken"},
		{"mode with none", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) { o.Security.Mode = "sign" }, "security.mode", "not possible"},
		{"unknown mode", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) {
			o.Security = Security{Policy: "Basic256Sha256", Mode: "none", ServerCertFile: "s", OwnCertDir: "d"}
		}, "security.mode", "unknown mode"},
		{"no server certificate", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) {
			o.Security = Security{Policy: "Basic256Sha256", OwnCertDir: "d"}
		}, "security.server_cert_file", "never trusted on first use"},
		{"no own certificate", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) {
			o.Security = Security{Policy: "Aes256_Sha256_RsaPss", Mode: "sign", ServerCertFile: "s"}
		}, "security.own_cert_dir", "needs a certificate of ours"},
		{"useless server certificate", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) { o.Security.ServerCertFile = "s" }, "security.server_cert_file", "does nothing"},
		{"useless own certificate", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) { o.Security.OwnCertDir = "d" }, "security.own_cert_dir", "does nothing"},
		{"readable password", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) { o.Auth = Auth{Username: "u", PasswordFile: "p"} }, "auth", "could be read on the network"},
		{"no password", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) {
			o.Auth = Auth{Username: "u", AllowUnencrypted: true}
		}, "auth.password_file", "no password file"},
		{"no user", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) { o.Auth = Auth{PasswordFile: "p"} }, "auth.username", "without a user name"},
		{"useless consent", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) { o.Auth = Auth{AllowUnencrypted: true} }, "auth.allow_unencrypted", "does nothing"},
		{"alias", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) { o.Namespaces = map[string]string{"1x": "urn:a"} }, "namespaces.1x", "must begin with a letter"},
		{"reserved alias", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) { o.Namespaces = map[string]string{"nsu": "urn:a"} }, "namespaces.nsu", "word of node ids"},
		{"alias without URI", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) { o.Namespaces = map[string]string{"a": ""} }, "namespaces.a", "no namespace URI"},
		{"timeout", func(_ *tag.Link, o *LinkOptions, _ *tag.Tag) { o.Timeout = 0 }, "timeout", "not between"},
		{"address", func(_ *tag.Link, _ *LinkOptions, x *tag.Tag) { x.Address = "hr:100" }, "address", `no alias "hr"`},
		{"no address", func(_ *tag.Link, _ *LinkOptions, x *tag.Tag) { x.Address = "" }, "address", "no address"},
		{"type", func(_ *tag.Link, _ *LinkOptions, x *tag.Tag) { x.Type = "word" }, "type", "unknown type"},
		{"tag mode", func(_ *tag.Link, _ *LinkOptions, x *tag.Tag) { x.Options = &TagOptions{Mode: "push"} }, "mode", "unknown mode"},
		{"publishing", func(_ *tag.Link, _ *LinkOptions, x *tag.Tag) {
			x.Options = &TagOptions{Mode: ModePoll, Subscription: Subscription{Publishing: time.Millisecond}}
		}, "subscription.publishing", "not between"},
		{"keep alive", func(_ *tag.Link, _ *LinkOptions, x *tag.Tag) {
			x.Options = &TagOptions{Mode: ModeSubscribe, Subscription: Subscription{KeepAlive: -time.Second}}
		}, "subscription.keep_alive", "not between"},
		{"queue", func(_ *tag.Link, _ *LinkOptions, x *tag.Tag) {
			x.Options = &TagOptions{Mode: ModeSubscribe, Subscription: Subscription{Queue: -1}}
		}, "subscription.queue", "not between"},
	}
	for _, tc := range tests {
		x := &tag.Tag{Name: "x", Address: "i=1"}
		l := newLink("opc.tcp://plc:4840", x)
		if faults := (Driver{}).Check(l); len(faults) != 0 {
			t.Fatalf("a good link has faults: %v", faults)
		}
		tc.change(l, linkOptionsOf(l), x)
		faults := Driver{}.Check(l)
		if len(faults) != 1 || faults[0].Path != tc.path || !strings.Contains(faults[0].Text, tc.text) {
			t.Errorf("%s: got %v, want one fault at %s with %q", tc.name, faults, tc.path, tc.text)
		}
		if len(faults) > 0 && (faults[0].Tag == x) != (tc.path == "address" || tc.path == "type" || tc.path == "mode" || strings.HasPrefix(tc.path, "subscription")) {
			t.Errorf("%s: the fault names tag %v", tc.name, faults[0].Tag)
		}
	}
}

// TestCheckAll finds all faults at once.
func TestCheckAll(t *testing.T) {
	l := newLink("http://", &tag.Tag{Name: "a", Address: "x", Type: "y"}, &tag.Tag{Name: "b", Address: "ns=x;s=1"})
	*linkOptionsOf(l) = LinkOptions{Auth: Auth{PasswordFile: "p"}}
	got := Driver{}.Check(l)
	if len(got) != 8 {
		t.Errorf("got %d faults, want 8: %v", len(got), got)
	}
}

func TestEffective(t *testing.T) {
	tests := []struct {
		interval time.Duration
		in, want Subscription
	}{
		{time.Second, Subscription{}, Subscription{time.Second, 2 * time.Second, 10}},
		{10 * time.Millisecond, Subscription{}, Subscription{100 * time.Millisecond, 2 * time.Second, 20}},
		{250 * time.Millisecond, Subscription{Publishing: 10 * time.Second}, Subscription{10 * time.Second, 10 * time.Second, 80}},
		{time.Millisecond, Subscription{Publishing: time.Hour}, Subscription{time.Hour, time.Hour, mostQueue}},
		{time.Second, Subscription{time.Minute, time.Second, 1}, Subscription{time.Minute, time.Minute, 1}},
	}
	for _, tc := range tests {
		x := &tag.Tag{Interval: tc.interval, Options: &TagOptions{Mode: ModeSubscribe, Subscription: tc.in}}
		if got := effective(x); got != tc.want {
			t.Errorf("interval %s, %+v: got %+v, want %+v", tc.interval, tc.in, got, tc.want)
		}
	}
}

// sampleLink is what the sample may hold.
type sampleLink struct {
	Name, Driver, Endpoint string
	LinkOptions            `yaml:",inline"`
	Defaults               struct {
		TagOptions `yaml:",inline"`
		Interval   time.Duration
	}
	Devices []struct {
		Name string
		Tags []struct {
			TagOptions                        `yaml:",inline"`
			Name, Address, Type, Unit, Access string
			Min, Max                          float64
			Interval                          time.Duration
		}
	}
}

// TestSample loads the sample, as written and with its defaults written out:
// both must mean the same and have no fault.
func TestSample(t *testing.T) {
	text, err := os.ReadFile("sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	plain := loadSample(t, text)
	var explicit [][]byte
	for _, line := range bytes.Split(text, []byte("\n")) {
		trimmed := bytes.TrimLeft(line, " ")
		if len(trimmed) > 1 && trimmed[0] == '#' && trimmed[1] != ' ' {
			line = bytes.Replace(line, []byte("#"), nil, 1)
		}
		explicit = append(explicit, line)
	}
	full := loadSample(t, bytes.Join(explicit, []byte("\n")))
	for i := range plain {
		p, f := plain[i], full[i]
		f.Security.Mode = strings.TrimPrefix(f.Security.Mode, "sign-and-encrypt")
		if modes[""] != modes["sign-and-encrypt"] || f.Defaults.Subscription.KeepAlive != 0 && f.Defaults.Subscription.KeepAlive != defaultKeepAlive {
			t.Errorf("link %s: a commented default is not the default", p.Name)
		}
		f.Defaults.Subscription.KeepAlive = 0
		if !reflect.DeepEqual(p, f) {
			t.Errorf("link %s: with its defaults written out got\n%+v, want\n%+v", p.Name, f, p)
		}
	}
}

func loadSample(t *testing.T, text []byte) []sampleLink {
	t.Helper()
	var raw struct{ Links []yaml.Node }
	if err := yaml.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	var links []sampleLink
	for i := range raw.Links {
		b, err := yaml.Marshal(&raw.Links[i])
		if err != nil {
			t.Fatal(err)
		}
		l := sampleLink{LinkOptions: *newLinkOptions()}
		dec := yaml.NewDecoder(bytes.NewReader(b))
		dec.KnownFields(true)
		if err := dec.Decode(&l); err != nil {
			t.Fatalf("link %d: %v", i, err)
		}
		var tags []*tag.Tag
		for _, d := range l.Devices {
			for _, x := range d.Tags {
				o := l.Defaults.TagOptions
				if x.Mode != "" {
					o.Mode = x.Mode
				}
				if o.Mode == "" {
					o.Mode = newTagOptions().Mode
				}
				tags = append(tags, &tag.Tag{Name: x.Name, Address: x.Address, Type: x.Type, Options: &o})
			}
		}
		made := newLink(l.Endpoint, tags...)
		made.Options = &l.LinkOptions
		for _, f := range (Driver{}).Check(made) {
			t.Errorf("link %s: %v", l.Name, f)
		}
		links = append(links, l)
	}
	return links
}
