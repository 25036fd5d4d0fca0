package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/acquire"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/learn"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/drivers/modbus/plan"
	"fieldferry/drivers/modbus/poll"
	"fieldferry/drivers/modbus/wire"
	rtu "fieldferry/drivers/modbus/wire/line"
	"fieldferry/tag"
)

const (
	baudChar = 11 * time.Second / 9600 // a character of 9600 baud with parity
	baudGap  = 7 * baudChar / 2
)

// pacedPort is a line of 9600 baud with eight meters, of which some are dead.
// Bytes take their time in both directions.
type pacedPort struct {
	dead   map[byte]bool
	asked  map[byte]int // by unit; of the goroutine that writes
	rx     chan []byte
	closed chan struct{}
}

func newPacedPort(dead ...byte) *pacedPort {
	p := &pacedPort{dead: map[byte]bool{}, asked: map[byte]int{}, rx: make(chan []byte, 8), closed: make(chan struct{})}
	for _, u := range dead {
		p.dead[u] = true
	}
	return p
}

// Write takes a request; its answer arrives when the line has carried both and
// the meter has thought about it for 10 ms.
func (p *pacedPort) Write(b []byte) (int, error) {
	unit := b[0]
	p.asked[unit]++
	if p.dead[unit] {
		return len(b), nil
	}
	n := int(b[5])
	answer := modbustest.RTUFrame(unit, append([]byte{b[1], byte(2 * n)}, make([]byte, 2*n)...))
	after := time.Duration(len(b)+len(answer))*baudChar + baudGap + 10*time.Millisecond
	time.AfterFunc(after, func() { p.rx <- answer })
	return len(b), nil
}

func (p *pacedPort) Read(b []byte) (int, error) {
	select {
	case got := <-p.rx:
		return copy(b, got), nil
	case <-p.closed:
		return 0, io.EOF
	}
}

func (p *pacedPort) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

// pacedDriver polls a port with the parts that the Modbus driver is made of.
type pacedDriver struct{ port *pacedPort }

func (d *pacedDriver) Options() drivers.Options        { return drivers.Options{} }
func (d *pacedDriver) Check(*tag.Link) []drivers.Fault { return nil }
func (d *pacedDriver) Open(_ context.Context, _ *tag.Link, log *slog.Logger) (drivers.Conn, error) {
	w := rtu.New(d.port, rtu.Options{Options: wire.Options{Timeout: time.Second}, Char: baudChar, Gap: baudGap})
	costs := poll.Prior{Costs: plan.Serial(baudChar, baudGap, 20*time.Millisecond, 1), Serial: true}
	return &pacedConn{w, poll.New(poll.Setup{Link: w, Log: log, Facts: learn.Open("", log), Costs: costs})}, nil
}

type pacedConn struct {
	link wire.Link
	line *poll.Line
}

func (c *pacedConn) Close() error { return c.link.Close() }
func (c *pacedConn) Prepare(_ context.Context, d *tag.Device, tags []*tag.Tag) (drivers.Group, error) {
	layouts, places := placed(tags)
	return c.line.Group(poll.Device{Device: d, Unit: 1 + tags[0].Index/10}, tags, layouts, places), nil
}

// placed lays tags out.
func placed(tags []*tag.Tag) (layouts []layout.Layout, places []poll.Place) {
	for i, t := range tags {
		l, _ := layout.Spec{Address: t.Address, Type: t.Type}.Parse()
		layouts = append(layouts, l)
		places = append(places, poll.Place{Start: l.Number, Length: l.Length, Members: []int{i}})
	}
	return layouts, places
}

// sink counts the good samples of each device.
type sink map[string]int

func (s sink) Accept(samples []tag.Sample) {
	for i := range samples {
		if samples[i].Quality.Level == tag.Good {
			s[samples[i].Tag.Device.Name]++
		}
	}
}
func (s sink) Sweep(time.Time)   {}
func (s sink) Pushed([]*tag.Tag) {}

// eight runs a line of eight meters for some minutes of its own time, and
// returns how often each was read, and the requests to unit 8.
func eight(t testing.TB, span, interval time.Duration, dead ...byte) (reads map[string]int, requests int) {
	t.Helper()
	l := &tag.Link{Name: "line1", Driver: "modbus-rtu"}
	for u := range 8 {
		d := &tag.Device{Name: fmt.Sprintf("meter%d", u+1), Link: l}
		for i := range 10 {
			d.Tags = append(d.Tags, &tag.Tag{Name: fmt.Sprintf("v%d", i), Device: d, Index: 10*u + i, Address: fmt.Sprintf("hr:%d", i), Type: "uint16", Interval: interval})
		}
		l.Devices = append(l.Devices, d)
	}
	port, got := newPacedPort(dead...), sink{}
	ctx, cancel := context.WithTimeout(context.Background(), span)
	defer cancel()
	r := acquire.New(l, &pacedDriver{port}, got, slog.New(slog.DiscardHandler))
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for _, d := range l.Devices {
		got[d.Name] /= len(d.Tags)
	}
	return got, port.asked[8]
}

// TestDeadUnitOfEight: on a busy line the seven others are read as often as
// without the dead one, to 95 %, and that one costs a bounded number of
// probes. The time is virtual, the line layer and the schedule are real.
func TestDeadUnitOfEight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const minutes = 10
		for _, interval := range []time.Duration{time.Second, 450 * time.Millisecond} {
			all, _ := eight(t, minutes*time.Minute, interval)
			seven, probes := eight(t, minutes*time.Minute, interval, 8)
			for i := range 7 {
				name := fmt.Sprintf("meter%d", i+1)
				if seven[name]*100 < all[name]*95 || all[name] < 100 {
					t.Errorf("interval %v: %s was read %d times beside a dead unit, %d without: below 95 %%", interval, name, seven[name], all[name])
				}
			}
			if seven["meter8"] != 0 {
				t.Errorf("interval %v: the dead unit was read %d times", interval, seven["meter8"])
			}
			// Three answers missed, then a probe after 1, 2, 4, 8, 16 and each 30 s.
			if most := 3 + 5 + 2*minutes; probes > most || probes < minutes {
				t.Errorf("interval %v: %d requests to the dead unit in %d minutes, want %d to %d", interval, probes, minutes, minutes, most)
			}
		}
	})
}

// BenchmarkDeadUnitOfEight tells the least share of its reads that one of the
// seven has left beside a dead unit, on a line that is full.
func BenchmarkDeadUnitOfEight(b *testing.B) {
	least, probes := 1.0, 0
	for b.Loop() {
		all, _ := bubble(b, 5*time.Minute)
		seven, n := bubble(b, 5*time.Minute, 8)
		for i := range 7 {
			name := fmt.Sprintf("meter%d", i+1)
			least = min(least, float64(seven[name])/float64(all[name]))
		}
		probes = n
	}
	b.ReportMetric(least, "reads/reads-without")
	b.ReportMetric(float64(probes)/5, "probes/min")
	b.ReportMetric(0, "ns/op") // the time is virtual
}

// bubble is eight in the time of a bubble of its own.
func bubble(b *testing.B, span time.Duration, dead ...byte) (reads map[string]int, requests int) {
	b.Helper()
	t := &testing.T{}
	synctest.Test(t, func(*testing.T) { reads, requests = eight(b, span, 450*time.Millisecond, dead...) })
	return reads, requests
}
