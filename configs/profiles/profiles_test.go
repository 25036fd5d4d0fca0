package profiles_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"fieldferry/configs"
	"fieldferry/configs/profiles"
	"fieldferry/drivers"
	_ "fieldferry/drivers/modbus" // profiles are read with the real driver
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/live"
	"fieldferry/mapping"
	"fieldferry/tag"
)

// device is what testdata says of one: the registers that it has, and what
// the profile must read of them.
type device struct {
	Most      int                 `yaml:"most"`
	Registers map[string][]uint16 `yaml:"registers"`
	Expect    map[string]string   `yaml:"expect"` // a value, or ! and the reason of a bad one
}

func load(t *testing.T, name string) device {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatalf("every profile has a simulated device: %v", err)
	}
	var d device
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

// serve plays the device: registers that it does not have are exception 2, and
// so many of them that it refuses them are exception 3.
func (d *device) serve(t *testing.T, driver string) *modbustest.Server {
	t.Helper()
	m := modbustest.NewMemory(65536)
	var has [2]map[int]bool
	has[0], has[1] = map[int]bool{}, map[int]bool{}
	for at, words := range d.Registers {
		a, err := layout.ParseAddress(at)
		if err != nil || a.Table.Bits() {
			t.Fatalf("testdata: %q is no register", at)
		}
		table := 0
		if a.Table == layout.InputRegisters {
			table = 1
		}
		for i, w := range words {
			m.Words[table][a.Number+i] = w
			has[table][a.Number+i] = true
		}
	}
	start := modbustest.New
	if driver == "modbus-rtu" {
		start = modbustest.NewRTU
	}
	s := start(t, map[byte]*modbustest.Memory{1: m})
	s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
		if code := d.refuses(r.PDU, has); code != 0 {
			c.Write(c.Frame(r.ID, r.Unit, []byte{r.PDU[0] | 0x80, code}))
			return
		}
		c.Write(c.Answer(r))
	})
	return s
}

func (d *device) refuses(pdu []byte, has [2]map[int]bool) byte {
	if pdu[0] != 3 && pdu[0] != 4 {
		return 1
	}
	at, n := int(pdu[1])<<8|int(pdu[2]), int(pdu[3])<<8|int(pdu[4])
	if d.Most > 0 && n > d.Most {
		return 3
	}
	for i := range n {
		if !has[pdu[0]-3][at+i] {
			return 2
		}
	}
	return 0
}

// link loads a gateway with one device of a profile.
func link(t *testing.T, name, driver, endpoint string) (*configs.Gateway, *tag.Link) {
	t.Helper()
	g, err := configs.Load("/nowhere/config", configs.LoadOptions{Drafts: map[string][]byte{
		configs.GatewayFile: []byte("gateway: {name: test}\nuplinks: [{name: u, brokers: [mqtt://127.0.0.1]}]\n"),
		configs.TagMapFile: fmt.Appendf(nil, "links:\n  - name: line\n    driver: %s\n    endpoint: %s\n    timeout: 5s\n"+
			"    rates: {fast: 1s, slow: 2s}\n    devices:\n      - {name: dut, profile: %s}\n", driver, endpoint, name),
	}})
	if err != nil {
		t.Fatalf("load:\n%v", err)
	}
	return g, g.Links[0]
}

// read reads every tag of a link once, in engineering units.
func read(t *testing.T, g *configs.Gateway, l *tag.Link) map[string]tag.Sample {
	t.Helper()
	d, ok := drivers.Lookup(l.Driver)
	if !ok {
		t.Fatalf("no driver %s", l.Driver)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := d.Open(ctx, l, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	table := mapping.Compile(l, g.Mapping, live.New(), time.Now)
	byInterval := map[time.Duration][]*tag.Tag{}
	for _, tg := range l.Devices[0].Tags {
		byInterval[tg.Interval] = append(byInterval[tg.Interval], tg)
	}
	got := map[string]tag.Sample{}
	for _, tags := range byInterval {
		group, err := c.Prepare(ctx, l.Devices[0], tags)
		if err != nil {
			t.Fatal(err)
		}
		samples, err := group.Read(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range table.Apply(samples) {
			got[s.Tag.Name] = s
		}
	}
	return got
}

// TestProfiles loads every bundled profile and reads a simulated device of its
// kind, which has the registers of the real map and no others.
func TestProfiles(t *testing.T) {
	n := 0
	for name, text := range profiles.All() {
		n++
		t.Run(name, func(t *testing.T) {
			var p struct {
				Drivers []string `yaml:"drivers"`
			}
			if err := yaml.Unmarshal(text, &p); err != nil || len(p.Drivers) == 0 {
				t.Fatalf("drivers %v, %v", p.Drivers, err)
			}
			d := load(t, name)
			s := d.serve(t, p.Drivers[0])
			g, l := link(t, name, p.Drivers[0], s.Endpoint())
			got := read(t, g, l)
			for _, tg := range l.Devices[0].Tags {
				want, told := d.Expect[tg.Name]
				if !told {
					t.Errorf("%s: testdata does not say what it reads", tg.Name)
				}
				smp := got[tg.Name]
				text := smp.Value.String()
				if smp.Quality.Level != tag.Good {
					text = "!" + smp.Quality.Reason
				}
				if text != want {
					t.Errorf("%s at %s: got %s, want %s", tg.Name, tg.Address, text, want)
				}
			}
			if len(got) != len(d.Expect) {
				t.Errorf("%d tags were read, testdata has %v", len(got), slices.Sorted(maps.Keys(d.Expect)))
			}
		})
	}
	if n < 13 {
		t.Errorf("%d profiles, want at least 13", n)
	}
}

// TestSources: a profile says where its map was taken from, and every tag
// what it is.
func TestSources(t *testing.T) {
	for name, text := range profiles.All() {
		var p struct {
			Description string   `yaml:"description"`
			Source      string   `yaml:"source"`
			Drivers     []string `yaml:"drivers"`
			Tags        []struct {
				Name        string `yaml:"name"`
				Description string `yaml:"description"`
			} `yaml:"tags"`
		}
		if err := yaml.Unmarshal(text, &p); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Description == "" || len(p.Source) < 80 || len(p.Drivers) == 0 || len(p.Tags) < 5 {
			t.Errorf("%s: description %q, source %q, drivers %v, %d tags: say what it is and where the map is from", name, p.Description, p.Source, p.Drivers, len(p.Tags))
		}
		for _, tg := range p.Tags {
			if strings.TrimSpace(tg.Description) == "" {
				t.Errorf("%s: tag %s has no description", name, tg.Name)
			}
		}
	}
}
