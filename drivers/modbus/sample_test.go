package modbus

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/option"
	"fieldferry/tag"
)

// The shape of a tag map as far as sample.yaml goes.
type (
	sampleFile struct {
		Links []sampleLink `yaml:"links"`
	}
	sampleLink struct {
		Name       string `yaml:"name"`
		Driver     string `yaml:"driver"`
		Endpoint   string `yaml:"endpoint"`
		RTUOptions `yaml:",inline"`
		Any        bool           `yaml:"accept_any_unit"`
		Pipeline   int            `yaml:"pipeline"`
		Devices    []sampleDevice `yaml:"devices"`
	}
	sampleDevice struct {
		Name          string        `yaml:"name"`
		Interval      time.Duration `yaml:"interval"`
		DeviceOptions `yaml:",inline"`
		Order         string      `yaml:"byte_order"`
		Tags          []sampleTag `yaml:"tags"`
	}
	sampleTag struct {
		Name       string     `yaml:"name"`
		Address    string     `yaml:"address"`
		Type       string     `yaml:"type"`
		Unit       string     `yaml:"unit"`
		Access     tag.Access `yaml:"access"`
		TagOptions `yaml:",inline"`
	}
)

func (d *sampleDevice) UnmarshalYAML(n *yaml.Node) error {
	type plain sampleDevice
	p := plain{DeviceOptions: option.DefaultDevice()}
	err := n.Decode(&p)
	*d = sampleDevice(p)
	return err
}

func (l *sampleLink) UnmarshalYAML(n *yaml.Node) error {
	type plain sampleLink
	p := plain{RTUOptions: defaultRTU(), Pipeline: 1}
	err := n.Decode(&p)
	*l = sampleLink(p)
	return err
}

// loadSample reads sample.yaml; with its commented defaults switched on, too.
func loadSample(t *testing.T, text []byte) []*tag.Link {
	t.Helper()
	var f sampleFile
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		t.Fatal(err)
	}
	var links []*tag.Link
	for _, sl := range f.Links {
		l := &tag.Link{Name: sl.Name, Driver: sl.Driver, Endpoint: sl.Endpoint}
		l.Options = &TCPOptions{LinkOptions: sl.LinkOptions, AcceptAnyUnit: sl.Any, Pipeline: sl.Pipeline}
		if sl.Driver != "modbus-tcp" {
			l.Options = &sl.RTUOptions
		}
		for _, sd := range sl.Devices {
			d := &tag.Device{Name: sd.Name, Link: l, Options: &sd.DeviceOptions}
			for _, st := range sd.Tags {
				o := st.TagOptions
				if o.ByteOrder == "" {
					o.ByteOrder = sd.Order
				}
				d.Tags = append(d.Tags, &tag.Tag{Name: st.Name, Device: d, Address: st.Address, Type: st.Type, Access: st.Access, Options: &o})
			}
			l.Devices = append(l.Devices, d)
		}
		links = append(links, l)
	}
	return links
}

func TestSampleIsRight(t *testing.T) {
	text, err := os.ReadFile("sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	links := loadSample(t, text)
	if len(links) != 3 || len(links[0].Devices) != 2 || len(links[0].Devices[0].Tags) != 12 {
		t.Fatalf("%d links read, want 3 with their devices and tags", len(links))
	}
	for _, l := range links {
		d, ok := drivers.Lookup(l.Driver)
		if !ok {
			t.Fatalf("no driver %q", l.Driver)
		}
		for _, f := range d.Check(l) {
			t.Errorf("link %s: %v", l.Name, f.Fault)
		}
	}
	if o := option.OfTag(links[0].Devices[0].Tags[1]); o.ByteOrder != "CDAB" {
		t.Errorf("byte order %q, want CDAB", o.ByteOrder)
	}
}

// TestSampleTellsTheDefaults: switching the commented lines on changes nothing.
func TestSampleTellsTheDefaults(t *testing.T) {
	text, err := os.ReadFile("sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	key := regexp.MustCompile(`(?m)^( +)# ([a-z_]+: .*)$`)
	if n := len(key.FindAll(text, -1)); n != 14 {
		t.Fatalf("%d commented defaults, want 14", n)
	}
	want, got := loadSample(t, text), loadSample(t, key.ReplaceAll(text, []byte("$1$2")))
	for i := range want {
		if a, b := optionsOf(want[i]), optionsOf(got[i]); a != b {
			t.Errorf("link %s: with the commented defaults\n%s\nwithout\n%s", want[i].Name, b, a)
		}
	}
}

// optionsOf writes the options of a link and its devices.
func optionsOf(l *tag.Link) string {
	var b strings.Builder
	enc := yaml.NewEncoder(&b)
	_ = enc.Encode(l.Options)
	for _, d := range l.Devices {
		_ = enc.Encode(d.Options)
	}
	return b.String()
}
