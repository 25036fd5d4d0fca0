package sample_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"fieldferry/configs"
	"fieldferry/drivers"
	_ "fieldferry/drivers/modbus" // the sample is read with the real drivers
	_ "fieldferry/drivers/opcua"
	_ "fieldferry/drivers/sim"
	"fieldferry/live"
	"fieldferry/mapping/calc"
)

var commented = regexp.MustCompile(`(?m)^( *)#([a-z_]+: *[^ ].*)$`)

// load loads files as a configuration and fails the test on a fault.
func load(t testing.TB, files map[string]string) *configs.Gateway {
	t.Helper()
	g, err := tryLoad(t, files)
	if err != nil {
		t.Fatalf("load:\n%v", err)
	}
	return g
}

func tryLoad(t testing.TB, files map[string]string) (*configs.Gateway, error) {
	t.Helper()
	o := configs.LoadOptions{Drafts: map[string][]byte{}, Drivers: map[string]drivers.Driver{"calc": calc.New(live.New())}}
	for name, text := range files {
		o.Drafts[name] = []byte(text)
	}
	return configs.Load("/nowhere/config", o)
}

// effective is everything that a configuration means, as text.
func effective(t testing.TB, g *configs.Gateway) string {
	t.Helper()
	var b strings.Builder
	for _, part := range []any{g.Name, g.Labels, g.Buffer, g.Uplinks, g.Web, g.Disabled} {
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", text)
	}
	for _, l := range g.Links {
		fmt.Fprintf(&b, "%s %s\n", l.Name, g.Fingerprint(l))
	}
	return b.String()
}

// TestSample takes the # away from every commented default of the annotated
// sample, one by one and all together: nothing may change.
func TestSample(t *testing.T) {
	files := map[string]string{}
	for _, name := range []string{configs.GatewayFile, configs.TagMapFile} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(b)
	}
	g := load(t, files)
	if len(g.Links) != 4 || len(g.Tags()) < 700 {
		t.Errorf("got %d links with %d tags: is the sample read?", len(g.Links), len(g.Tags()))
	}
	files[configs.TagMapFile] = strings.Replace(files[configs.TagMapFile], "each: 1..20", "each: 1..2", 1) // quicker
	want := effective(t, load(t, files))
	lines := 0
	for name, text := range files {
		all := commented.ReplaceAllString(text, "$1$2")
		for _, m := range commented.FindAllStringSubmatchIndex(text, -1) {
			lines++
			one := text[:m[3]] + text[m[4]:]
			got, err := tryLoad(t, with(files, name, one))
			if err != nil {
				t.Errorf("%s with %q: %v", name, text[m[4]:m[5]], err)
			} else if e := effective(t, got); e != want {
				t.Errorf("%s with %q is not the default:\n got %s\nwant %s", name, text[m[4]:m[5]], e, want)
			}
		}
		if e := effective(t, load(t, with(files, name, all))); e != want {
			t.Errorf("%s with all defaults written out:\n got %s\nwant %s", name, e, want)
		}
	}
	if lines < 30 {
		t.Errorf("found %d commented defaults, want at least 30", lines)
	}
}

func with(files map[string]string, name, text string) map[string]string {
	out := map[string]string{}
	for n, old := range files {
		out[n] = old
	}
	out[name] = text
	return out
}

// TestDrivers loads the kinds of links that the sample does not show, with
// the real drivers.
func TestDrivers(t *testing.T) {
	files := map[string]string{
		configs.GatewayFile: "gateway: {name: g}\n",
		"profiles/udt-motor.yaml": `drivers: [opcua]
tags:
  - {name: speed, address: 's7:{root}."Speed"'}
  - {name: fault, address: 's7:{root}."Fault"', class: alarm}
`,
		configs.TagMapFile: `links:
  - name: press
    driver: opcua
    endpoint: opc.tcp://192.168.10.20:4840
    security: {policy: none}
    namespaces: {s7: "http://www.siemens.com/simatic-s7-opcua"}
    defaults: {mode: subscribe, interval: 250ms, subscription: {publishing: 500ms, queue: 10}, profile: udt-motor}
    devices:
      - {name: m1, params: {root: '"DB_Motors"."M1"'}}
  - name: inverters
    driver: modbus-tcp
    defaults: {unit_id: 126}
    devices:
      - {each: 1..3, name: "inv{n:02}", endpoint: "tcp://10.1.0.{n}:502", tags: [{name: power, address: "hr:40084", type: int16, unit: W}]}
  - name: park
    driver: calc
    devices:
      - name: park
        tags:
          - {name: power, expr: 'sum(tags("inv*/power"))', require: all}
  - name: sim
    driver: sim
    devices:
      - {name: s, tags: [{name: x, address: sine, type: float64, period: 5s, high: 10}]}
`,
	}
	g := load(t, files)
	var got []string
	for _, tg := range g.Tags() {
		got = append(got, tg.Device.Link.Name+":"+tg.Path()+"="+tg.Address)
	}
	want := []string{`press:m1/speed=s7:"DB_Motors"."M1"."Speed"`, `press:m1/fault=s7:"DB_Motors"."M1"."Fault"`,
		"inverters/inv01:inv01/power=hr:40084", "inverters/inv02:inv02/power=hr:40084", "inverters/inv03:inv03/power=hr:40084",
		"park:park/power=", "sim:s/x=sine"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
