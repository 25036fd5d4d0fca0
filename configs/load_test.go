package configs_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"fieldferry/configs"
	"fieldferry/drivers"
	"fieldferry/tag"
)

var update = flag.Bool("update", false, "write what Load says into testdata/broken/*/want.txt, to be read before it is committed")

// bus is a driver that only checks, with options as a field bus has them.
type bus struct{ serial bool }

type busLink struct {
	Serial   busSerial     `yaml:"serial"`
	Timeout  time.Duration `yaml:"timeout"`
	Password string        `yaml:"password_file,path"`
}

type busSerial struct {
	Baud   int    `yaml:"baud"`
	Parity string `yaml:"parity"`
}

type busDevice struct {
	UnitID uint8 `yaml:"unit_id"`
}

type busTag struct {
	ByteOrder string   `yaml:"byte_order"`
	ScaleFrom string   `yaml:"scale_from"`
	Invalid   []uint16 `yaml:"invalid"`
}

func (b bus) Options() drivers.Options {
	return drivers.Options{
		Link:   &busLink{Serial: busSerial{9600, "none"}, Timeout: time.Second},
		Device: &busDevice{UnitID: 1},
		Tag:    &busTag{ByteOrder: "ABCD"},
	}
}

var busAddress = regexp.MustCompile(`^((hr|ir|di|coil):)?(0x[0-9A-Fa-f]+|[0-9]+)(\.[0-9]+)?$`)

func (b bus) Check(l *tag.Link) []drivers.Fault {
	var out []drivers.Fault
	if l.Endpoint == "" {
		out = append(out, drivers.Fault{Fault: tag.Fault{Path: "endpoint", Text: "is missing", Hint: "write tcp://host:502"}})
	}
	units := map[uint8]string{}
	for _, d := range l.Devices {
		o := d.Options.(*busDevice)
		if first, ok := units[o.UnitID]; ok {
			out = append(out, drivers.Fault{Device: d, Fault: tag.Fault{Path: "unit_id", Text: fmt.Sprintf("unit id %d is that of device %q already", o.UnitID, first)}})
		}
		units[o.UnitID] = d.Name
		for _, t := range d.Tags {
			if !busAddress.MatchString(t.Address) {
				out = append(out, drivers.Fault{Device: d, Tag: t, Fault: tag.Fault{Path: "address", Text: fmt.Sprintf("%q is no address", t.Address), Hint: "write hr:100"}})
			}
			if o := t.Options.(*busTag); !slices.Contains([]string{"ABCD", "CDAB", "BADC", "DCBA"}, o.ByteOrder) {
				out = append(out, drivers.Fault{Device: d, Tag: t, Fault: tag.Fault{Path: "byte_order", Text: fmt.Sprintf("unknown byte order %q", o.ByteOrder), Hint: "use ABCD, CDAB, BADC or DCBA"}})
			}
		}
	}
	return out
}

func (b bus) Open(context.Context, *tag.Link, *slog.Logger) (drivers.Conn, error) {
	return nil, errors.New("only for checks")
}

func options(dir string) configs.LoadOptions {
	return configs.LoadOptions{
		Admin:   filepath.Join(dir, "admin.yaml"),
		Drivers: map[string]drivers.Driver{"modbus-tcp": bus{}, "modbus-rtu": bus{serial: true}, "broken": panicking{}},
	}
}

// panicking has a bug in Check.
type panicking struct{ bus }

func (panicking) Check(*tag.Link) []drivers.Fault { panic("index out of range") }

// TestBroken loads every folder of testdata/broken and wants exactly the
// faults of its want.txt.
func TestBroken(t *testing.T) {
	dirs, err := filepath.Glob("testdata/broken/*")
	if err != nil || len(dirs) < 30 {
		t.Fatalf("got %d folders (%v), want at least 30", len(dirs), err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			_, err := configs.Load(dir, options(dir))
			var faults configs.Faults
			if err != nil && !errors.As(err, &faults) {
				t.Fatalf("Load's error is a %T, want Faults", err)
			}
			abs, _ := filepath.Abs(dir)
			got := strings.ReplaceAll(strings.ReplaceAll(faults.Error()+"\n", abs, "DIR"), dir+"/", "")
			name := filepath.Join(dir, "want.txt")
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) || len(faults) == 0 {
				t.Errorf("load %s:\n got %s\nwant %s", dir, got, want)
			}
		})
	}
}
