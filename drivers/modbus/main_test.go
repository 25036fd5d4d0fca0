package modbus

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/tag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience ends a test that hangs; short is a timeout for units that are
// silent on purpose.
const (
	patience = 20 * time.Second
	short    = 80 * time.Millisecond
)

// newLink makes a link as the loader would: every device has a unit id, tags
// are written "name address type [byte_order [length]]".
func newLink(t testing.TB, driver, endpoint string, units map[int][]string) *tag.Link {
	t.Helper()
	d, ok := drivers.Lookup(driver)
	if !ok {
		t.Fatalf("no driver %s", driver)
	}
	l := &tag.Link{Name: "line", Driver: driver, Endpoint: endpoint, Options: d.Options().Link}
	setTimeout(l, short)
	n := 0
	for u := range 256 {
		if _, ok := units[u]; !ok {
			continue
		}
		do := d.Options().Device.(*DeviceOptions)
		do.UnitID = u
		dev := &tag.Device{Name: fmt.Sprintf("d%d", u), Link: l, Options: do}
		for _, s := range units[u] {
			f := append(strings.Fields(s), "", "", "")
			to := &TagOptions{}
			if f[3] != "" && f[3] != "-" {
				to.ByteOrder = f[3]
			}
			if f[4] != "" {
				fmt.Sscan(f[4], &to.Length)
			}
			typ := f[2]
			if typ == "-" {
				typ = ""
			}
			dev.Tags = append(dev.Tags, &tag.Tag{Name: f[0], Device: dev, Index: n, Address: f[1], Type: typ, Interval: time.Second, Access: tag.AccessReadWrite, Options: to})
			n++
		}
		l.Devices = append(l.Devices, dev)
	}
	for _, dev := range l.Devices {
		for _, tg := range dev.Tags {
			if lay, _ := layoutOf(tg); !lay.Table.Writable() {
				tg.Access = tag.AccessRead
			}
		}
	}
	return l
}

func setTimeout(l *tag.Link, d time.Duration) {
	switch o := l.Options.(type) {
	case *TCPOptions:
		o.Timeout = d
	case *RTUOptions:
		o.Timeout = d
	}
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// open opens a link and prepares a group per device.
func open(t testing.TB, l *tag.Link) (drivers.Conn, []drivers.Group) {
	t.Helper()
	d, _ := drivers.Lookup(l.Driver)
	for _, f := range d.Check(l) {
		t.Fatalf("fault: %+v", f)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := d.Open(ctx, l, quiet)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	var groups []drivers.Group
	for _, dev := range l.Devices {
		g, err := c.Prepare(ctx, dev, dev.Tags)
		if err != nil {
			t.Fatalf("prepare: %v", err)
		}
		groups = append(groups, g)
	}
	return c, groups
}

// show reads a group and writes its samples as "name=value" or
// "name!reason", in order.
func show(t testing.TB, g drivers.Group) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got, err := g.Read(ctx, nil)
	if err != nil {
		return "", err
	}
	var out []string
	for _, s := range got {
		if s.Quality.Level == tag.Good {
			out = append(out, s.Tag.Name+"="+s.Value.String())
		} else if s.Value.IsNull() {
			out = append(out, s.Tag.Name+"!"+s.Quality.Reason)
		} else {
			t.Errorf("%s has value %v with quality %v", s.Tag.Name, s.Value, s.Quality)
		}
		if s.Time.IsZero() || s.Time.Location() != time.UTC {
			t.Errorf("%s has time %v", s.Tag.Name, s.Time)
		}
	}
	return strings.Join(out, " "), nil
}

func wantRead(t testing.TB, g drivers.Group, want string) {
	t.Helper()
	if got, err := show(t, g); err != nil || got != want {
		t.Fatalf("read: got %q, %v\nwant %q", got, err, want)
	}
}

// memory is a unit whose holding register i holds 100+i.
func memory() *modbustest.Memory {
	m := modbustest.NewMemory(2000)
	for i := range 400 {
		m.Set(i, uint16(100+i))
	}
	return m
}
