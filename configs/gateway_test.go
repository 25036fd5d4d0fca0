package configs_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fieldferry/configs"
	"fieldferry/tag"
)

const head = "gateway: {name: plant1, labels: {site: hamburg, area: x}}\n"

// load loads a tag map, with further files, with the test's drivers.
func load(t testing.TB, tagmap string, files ...string) *configs.Gateway {
	t.Helper()
	g, err := tryLoad(tagmap, files...)
	if err != nil {
		t.Fatalf("load\n%s\n%v", tagmap, err)
	}
	return g
}

func tryLoad(tagmap string, files ...string) (*configs.Gateway, error) {
	o := options("")
	o.Admin = ""
	o.Drafts = map[string][]byte{configs.GatewayFile: []byte(head), configs.TagMapFile: []byte(tagmap)}
	for i := 0; i+1 < len(files); i += 2 {
		o.Drafts[files[i]] = []byte(files[i+1])
	}
	return configs.Load("/nowhere/config", o)
}

const inheriting = `defaults: {interval: 1m, class: bulk, labels: {a: map, b: map}, byte_order: BADC, scale: 2}
rates: {fast: 100ms}
links:
  - name: line1
    driver: modbus-rtu
    endpoint: /dev/ttyS0
    serial: {baud: 19200}
    labels: {b: link, c: link}
    rates: {fast: 10s, slow: 60s}
    defaults: {interval: 30s, profile: meter, params: {base: "3"}, dead_after: 5, scale: 3}
    devices:
      - name: m1
        unit_id: 7
        labels: {c: device}
        tags:
          - {name: power, scale: 9, labels: {d: tag}, rate: slow}
          - {name: extra, address: "hr:77"}
      - {name: m2, unit_id: 8, interval: 2s, tags: [{name: power, enabled: false}]}
      - {name: m3, unit_id: 9, enabled: false}
      - {name: m4, endpoint: "tcp://x:1", serial: {parity: even}}
`

const meter = `defaults: {type: float32, byte_order: CDAB, labels: {b: profile}}
rates: {fast: 5s, medium: 20s}
params: {base: "1", high: "9"}
tags:
  - {name: power, address: "hr:{base}0", rate: fast, unit: W}
  - {name: energy, address: "hr:{base}{high}", rate: medium, scale: 4, class: alarm}
`

func TestInherit(t *testing.T) {
	g := load(t, inheriting, "profiles/meter.yaml", meter)
	want := map[string]string{
		"m1/power":  "line1 7 baud=19200/none hr:30 float32 CDAB 1m0s bulk dead=5 scale=9 a=map area=x b=profile c=device d=tag site=hamburg",
		"m1/energy": "line1 7 baud=19200/none hr:39 float32 CDAB 20s alarm dead=5 scale=4 a=map area=x b=profile c=device site=hamburg",
		"m1/extra":  "line1 7 baud=19200/none hr:77 float32 CDAB 30s bulk dead=5 scale=3 a=map area=x b=profile c=device site=hamburg",
		"m2/energy": "line1 8 baud=19200/none hr:39 float32 CDAB 2s alarm dead=5 scale=4 a=map area=x b=profile c=link site=hamburg",
		"m4/power":  "line1/m4 1 baud=19200/even hr:30 float32 CDAB 10s bulk dead=5 scale=3 a=map area=x b=profile c=link site=hamburg",
		"m4/energy": "line1/m4 1 baud=19200/even hr:39 float32 CDAB 20s alarm dead=5 scale=4 a=map area=x b=profile c=link site=hamburg",
	}
	got := map[string]string{}
	for _, l := range g.Links {
		next := 0
		for _, d := range l.Devices {
			for _, tg := range d.Tags {
				got[tg.Path()] = describe(g, tg)
				if tg.Index != next || tg.Device != d || d.Link != l {
					t.Errorf("%s has index %d, want %d", tg.Path(), tg.Index, next)
				}
				next++
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if got[path] != want[path] {
			t.Errorf("%s:\n got %s\nwant %s", path, got[path], want[path])
		}
	}
	if len(got) != len(want) || !slices.Equal(g.Disabled, []string{"m2/power", "m3"}) {
		t.Errorf("got %d tags and disabled %q, want %d and m2/power, m3", len(got), g.Disabled, len(want))
	}
}

func describe(g *configs.Gateway, t *tag.Tag) string {
	l := t.Device.Link
	lo, do, to := l.Options.(*busLink), t.Device.Options.(*busDevice), t.Options.(*busTag)
	s := fmt.Sprintf("%s %d baud=%d/%s %s %s %s %s %s dead=%d scale=%v", l.Name, do.UnitID, lo.Serial.Baud, lo.Serial.Parity,
		t.Address, t.Type, to.ByteOrder, t.Interval, t.Class, t.Device.DeadAfter, *g.Mapping(t).Scale)
	for _, k := range slices.Sorted(maps.Keys(t.Labels)) {
		s += " " + k + "=" + t.Labels[k]
	}
	return s
}

func TestExplain(t *testing.T) {
	g := load(t, inheriting, "profiles/meter.yaml", meter)
	var b strings.Builder
	if err := configs.WriteSettings(&b, g.Explain(g.Find("m1", "power"))); err != nil {
		t.Fatal(err)
	}
	const want = `link
  driver         modbus-rtu  link line1 (tagmap.yaml:5)
  endpoint       /dev/ttyS0  link line1 (tagmap.yaml:6)
  retry          30s         default
  serial.baud    19200       link line1 (tagmap.yaml:7)
  serial.parity  "none"      default
  timeout        1s          default
device
  profile     meter  defaults of link line1 (tagmap.yaml:10)
  dead_after  5      defaults of link line1 (tagmap.yaml:10)
  unit_id     7      device m1 (tagmap.yaml:13)
tag
  name         power      tag (tagmap.yaml:16)
  address      "hr:30"    profile meter (profiles/meter.yaml:5)
  rate         slow       tag (tagmap.yaml:16)
  interval     1m         rate slow
  type         float32    defaults of profile meter (profiles/meter.yaml:1)
  unit         W          profile meter (profiles/meter.yaml:5)
  class        bulk       defaults (tagmap.yaml:1)
  scale        9          tag (tagmap.yaml:16)
  byte_order   CDAB       defaults of profile meter (profiles/meter.yaml:1)
  labels.area  "x"        gateway
  labels.site  "hamburg"  gateway
  labels.a     map        defaults (tagmap.yaml:1)
  labels.b     profile    defaults of profile meter (profiles/meter.yaml:1)
  labels.c     device     device m1 (tagmap.yaml:14)
  labels.d     tag        tag (tagmap.yaml:16)
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestEach(t *testing.T) {
	g := load(t, `links:
  - name: l
    driver: modbus-tcp
    endpoint: tcp://a:1
    devices:
      - {each: [1..3, 7, 10..11], name: "m{n:03}", unit_id: "{n}", params: {base: "{n}00"}, profile: meter, tags: [{name: "x{n}", address: "hr:{n:02}"}]}
      - {each: 1..2, name: "e{n}", endpoint: "tcp://10.0.0.{n}:502"}
`, "profiles/meter.yaml", `tags: [{name: p, address: "hr:{base}"}]`)
	var got []string
	for _, l := range g.Links {
		got = append(got, l.Name+"@"+l.Endpoint)
		for _, d := range l.Devices {
			s := fmt.Sprintf("%s %d", d.Name, d.Options.(*busDevice).UnitID)
			for _, tg := range d.Tags {
				s += " " + tg.Name + "=" + tg.Address
			}
			got = append(got, s)
		}
	}
	want := []string{"l@tcp://a:1", "m001 1 p=hr:100 x1=hr:01", "m002 2 p=hr:200 x2=hr:02", "m003 3 p=hr:300 x3=hr:03", "m007 7 p=hr:700 x7=hr:07",
		"m010 10 p=hr:1000 x10=hr:10", "m011 11 p=hr:1100 x11=hr:11", "l/e1@tcp://10.0.0.1:502", "e1 1", "l/e2@tcp://10.0.0.2:502", "e2 1"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestFingerprint changes one thing at a time and wants exactly the links
// concerned to have another fingerprint.
func TestFingerprint(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	write(t, secret, "one")
	base := strings.ReplaceAll(`defaults: {interval: 1s}
links:
  - name: a
    driver: modbus-tcp
    endpoint: tcp://a:1
    password_file: SECRET
    devices:
      - {name: a1, unit_id: 1, tags: [{name: x, address: "hr:1"}, {name: y, address: "hr:2", labels: {k: v}}]}
  - name: b
    driver: modbus-tcp
    endpoint: tcp://b:1
    devices:
      - {name: b1, tags: [{name: x, address: "hr:1", scale: 0.1}]}
      - {name: b2, endpoint: "tcp://c:1", tags: [{name: x, address: "hr:1"}]}
`, "SECRET", secret)
	prints := func(text string) map[string]string {
		g := load(t, text)
		out := map[string]string{}
		for _, l := range g.Links {
			out[l.Name] = g.Fingerprint(l)
		}
		return out
	}
	want := prints(base)
	tests := []struct{ old, new, changed string }{
		{"links:", "# a comment\nlinks:", ""},
		{"address: \"hr:1\", scale: 0.1", "scale: 0.1, address: \"hr:1\"", ""},
		{"interval: 1s", "interval: 1000ms", ""},
		{"interval: 1s", "interval: 2s", "a b b/b2"},
		{"unit_id: 1", "unit_id: 2", "a"},
		{"k: v", "k: w", "a"},
		{"scale: 0.1", "scale: 0.2", "b"},
		{"tcp://c:1", "tcp://d:1", "b/b2"},
		{"tcp://b:1", "tcp://d:1", "b"},
		{"name: y", "name: z", "a"},
	}
	for _, tt := range tests {
		if got := differing(want, prints(strings.Replace(base, tt.old, tt.new, 1))); got != tt.changed {
			t.Errorf("%s instead of %s: links %q changed, want %q", tt.new, tt.old, got, tt.changed)
		}
	}
	write(t, secret, "two")
	if got := differing(want, prints(base)); got != "a" {
		t.Errorf("another password: links %q changed, want a", got)
	}
}

func differing(a, b map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(a)) {
		if a[k] != b[k] {
			out = append(out, k)
		}
	}
	return strings.Join(out, " ")
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFiles loads from disk, with the administrator's file and secrets.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "config")
	write(t, filepath.Join(conf, "gateway.yaml"), head+`web: {listen: "127.0.0.1:1"}
buffer: {dir: data, max_age: 1d}
uplinks:
  - {name: a, brokers: [mqtts://b], auth: {username: u, password_file: a.password}, tls: {ca_file: ca.pem}}
  - {name: b, brokers: [mqtt://b], auth: {username: u, password_file: /abs/b}, enabled: false}
`)
	write(t, filepath.Join(conf, "tagmap.yaml"), "links: []\n")
	write(t, filepath.Join(conf, "profiles", "eastron-sdm630.yaml"), "tags: []\n")
	write(t, filepath.Join(conf, "ca.pem"), "")
	write(t, filepath.Join(dir, "secrets", "a.password"), "")
	admin := filepath.Join(dir, "fieldferry.yaml")
	write(t, admin, "writes: true\nweb: {listen: \"127.0.0.1:2\"}\nbuffer: {max_bytes: 1GiB}\n")
	o := options("")
	o.Admin = admin
	g, err := configs.Load(conf, o)
	if err != nil {
		t.Fatal(err)
	}
	if g.Web.Listen != "127.0.0.1:2" || !g.Admin.Writes || !slices.Equal(g.Admin.Locked, []string{"web.listen", "buffer.max_bytes"}) {
		t.Errorf("the administrator's file does not win: web %+v, admin %+v", g.Web, g.Admin)
	}
	if g.Buffer.Dir != filepath.Join(conf, "data") || g.Buffer.MaxBytes != 1<<30 || g.Buffer.MaxAge != 24*time.Hour || g.Buffer.SyncInterval != time.Second {
		t.Errorf("got buffer %+v", g.Buffer)
	}
	if len(g.Uplinks) != 1 || g.Uplinks[0].Auth.PasswordFile != filepath.Join(dir, "secrets", "a.password") || g.Uplinks[0].TLS.CAFile != filepath.Join(conf, "ca.pem") || g.Uplinks[0].QoS != 1 {
		t.Errorf("got uplinks %+v", g.Uplinks)
	}
	var b strings.Builder
	if err := configs.WriteText(&b, "DIR", g, nil); err != nil {
		t.Fatal(err)
	}
	want := `DIR/gateway.yaml:2:15: web.listen: warning: does not count: the administrator decides it (` + admin + `, line 2)
DIR/profiles/eastron-sdm630.yaml: warning: replaces the bundled profile of this name
no faults: 0 links, 0 devices, 0 tags, 1 uplink; 1 not enabled
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	before := g.Version
	write(t, filepath.Join(conf, "tagmap.yaml"), "links: [] #\n")
	if g, err = configs.Load(conf, o); err != nil || g.Version == before {
		t.Errorf("another tag map has the same version %s (%v)", before, err)
	}
}

func TestPrintFaults(t *testing.T) {
	_, err := tryLoad("links: {}\nlniks: []\n")
	var faults configs.Faults
	if !errors.As(err, &faults) || len(faults) < 2 {
		t.Fatalf("got %v, want at least two faults", err)
	}
	var text, js bytes.Buffer
	if err := configs.WriteText(&text, "conf", nil, faults); err != nil {
		t.Fatal(err)
	}
	if err := configs.WriteJSON(&js, nil, faults[1:], nil); err != nil {
		t.Fatal(err)
	}
	const wantText = "conf/tagmap.yaml:1:8: links: links are a list (begin each item with \"- \")\n" +
		"conf/tagmap.yaml:2:1: lniks: unknown key \"lniks\" (did you mean `links`?)\n2 faults found\n"
	const wantJSON = `{
  "ok": false,
  "faults": [
    {
      "file": "tagmap.yaml",
      "line": 2,
      "column": 1,
      "path": "lniks",
      "text": "unknown key \"lniks\"",
      "offending": "lniks",
      "hint": "did you mean ` + "`links`" + `?"
    }
  ],
  "warnings": []
}
`
	if text.String() != wantText || js.String() != wantJSON {
		t.Errorf("got\n%s\nwant\n%s\ngot\n%s\nwant\n%s", text.String(), wantText, js.String(), wantJSON)
	}
}

func TestOwner(t *testing.T) {
	file := []byte("links:\n  - name: l\n    devices:\n      - {name: d0}\n      - {name: d1, tags: [{name: t0, address: x, labels: {a: b}}]}\n")
	tests := []struct{ path, want string }{
		{"links[0].devices[1].tags[0].address", "d1 t0 address"},
		{"links[0].devices[1].tags[0].scale", "d1 t0 scale"},
		{"links[0].devices[1].tags[0]", "d1 t0 "},
		{"links[0].devices[1].unit_id", "d1  unit_id"},
		{"links[0].endpoint", "  endpoint"},
		{"links[7].devices[1]", "  "},
		{"defaults.interval", "  interval"},
		{"", "  "},
	}
	for _, tt := range tests {
		d, tg, k := configs.Owner(file, tt.path)
		if got := d + " " + tg + " " + k; got != tt.want {
			t.Errorf("Owner(%q) = %q, want %q", tt.path, got, tt.want)
		}
	}
}

// TestEdit changes tags as the page does and loads the result.
func TestEdit(t *testing.T) {
	tests := []struct {
		device, tag string
		set         map[string]string
		check       func(*configs.Gateway, *tag.Tag) bool
	}{
		{"m1", "extra", map[string]string{"address": "40001.10", "unit": "m³/h"}, func(_ *configs.Gateway, t *tag.Tag) bool { return t.Address == "40001.10" && t.Unit == "m³/h" }},
		{"m1", "power", map[string]string{"scale": "", "rate": "", "interval": "7s"}, func(g *configs.Gateway, t *tag.Tag) bool {
			return *g.Mapping(t).Scale == 3 && t.Interval == 7*time.Second
		}},
		{"m2", "energy", map[string]string{"deadband": "0.5", "class": "bulk"}, func(g *configs.Gateway, t *tag.Tag) bool {
			return *g.Mapping(t).Deadband == 0.5 && t.Class == tag.ClassBulk
		}},
		{"m4", "power", map[string]string{"description": "yes: # 1", "access": "read-write"}, func(_ *configs.Gateway, t *tag.Tag) bool {
			return t.Description == "yes: # 1" && t.Access.Writable()
		}},
	}
	for _, tt := range tests {
		out, err := configs.EditTag([]byte(inheriting), tt.device, tt.tag, tt.set)
		if err != nil {
			t.Errorf("edit %s/%s: %v", tt.device, tt.tag, err)
			continue
		}
		g := load(t, string(out), "profiles/meter.yaml", meter)
		tg := g.Find(tt.device, tt.tag)
		if tg == nil || !tt.check(g, tg) {
			t.Errorf("edit %s/%s with %v: got %+v, %+v from\n%s", tt.device, tt.tag, tt.set, tg, g.Mapping(tg), out)
		}
	}
	out, err := configs.AddTag([]byte(inheriting), "m4", "new", map[string]string{"address": "hr:1"})
	if err != nil || load(t, string(out), "profiles/meter.yaml", meter).Find("m4", "new") == nil {
		t.Errorf("add a tag: %v", err)
	}
	out, err = configs.RemoveTag([]byte(inheriting), "m1", "extra")
	if err != nil || load(t, string(out), "profiles/meter.yaml", meter).Find("m1", "extra") != nil {
		t.Errorf("remove a tag: %v", err)
	}
}

// FuzzLoad feeds the loader with files; it must neither panic nor take a
// configuration without a place for each fault.
func FuzzLoad(f *testing.F) {
	f.Add(head, inheriting, meter)
	dirs, _ := filepath.Glob("testdata/broken/*")
	for _, dir := range dirs {
		gw, _ := os.ReadFile(filepath.Join(dir, "gateway.yaml"))
		tm, _ := os.ReadFile(filepath.Join(dir, "tagmap.yaml"))
		p, _ := os.ReadFile(filepath.Join(dir, "profiles", "meter.yaml"))
		f.Add(string(gw), string(tm), string(p))
	}
	f.Fuzz(func(t *testing.T, gw, tm, profile string) {
		g, err := tryLoad(tm, "gateway.yaml", gw, "profiles/meter.yaml", profile)
		if err == nil {
			for _, tg := range g.Tags() {
				g.Explain(tg)
				if tg.Interval <= 0 || tg.Name == "" {
					t.Fatalf("accepted %+v", tg)
				}
			}
			return
		}
		var faults configs.Faults
		if !errors.As(err, &faults) {
			t.Fatalf("error of type %T: %v", err, err)
		}
		for _, x := range faults {
			if x.File == "" || x.Text == "" || x.Line < 1 {
				t.Fatalf("fault without a place or a text: %+v", x)
			}
		}
	})
}

// BenchmarkLoad loads 10,000 tags on 200 devices.
func BenchmarkLoad(b *testing.B) {
	var s strings.Builder
	s.WriteString("links:\n")
	for l := range 10 {
		fmt.Fprintf(&s, "  - name: l%d\n    driver: modbus-tcp\n    endpoint: tcp://a:1\n    devices:\n", l)
		for d := range 20 {
			fmt.Fprintf(&s, "      - name: d%d_%d\n        unit_id: %d\n        tags:\n", l, d, d+1)
			for i := range 50 {
				fmt.Fprintf(&s, "          - {name: t%d, address: \"hr:%d\", type: uint16, scale: 0.1, unit: rpm, deadband: 1, max_interval: 60s}\n", i, i)
			}
		}
	}
	text := s.String()
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			load(b, text)
		}
	})
	b.Run("edit", func(b *testing.B) {
		for b.Loop() {
			if _, err := configs.EditTag([]byte(text), "d9_19", "t49", map[string]string{"scale": "0.2"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestWarnings(t *testing.T) {
	g := load(t, `links:
  - {name: a, driver: modbus-tcp, endpoint: "tcp://a:1"}
  - {name: b, driver: modbus-tcp, endpoint: "tcp://b:1", devices: [{name: d}, {name: off, enabled: false}]}
  - {name: off, driver: modbus-tcp, endpoint: "tcp://c:1", enabled: false}
`)
	const want = "tagmap.yaml:2:5: links[0]: the link has no device: nothing is read from it\n" +
		"tagmap.yaml:3:68: links[1].devices[0]: the device has no tags: nothing is read from it"
	if got := configs.Faults(g.Warnings).Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
