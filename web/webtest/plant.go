package webtest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"fieldferry/tag"
	"fieldferry/web/plant"
	"fieldferry/web/plant/learnt"
)

// Plant implements plant.Plant, plant.Editor and plant.Control. It is safe
// for concurrent use.
type Plant struct {
	clock func() time.Time
	start time.Time

	mu         sync.Mutex // guards all below
	tags       []*tag.Tag
	settings   map[*tag.Tag]map[string]plant.Setting // of tags, one by one never changed
	generation uint64
	values     map[string]plant.Value
	steps      uint64
	uplinkDown bool
	revisions  []plant.Revision
	reads      int
	forgot     bool // the fact is forgotten
}

// New returns a plant of 3 links and 12 devices, 248 tags in all, whose values
// have moved once.
func New(clock func() time.Time) *Plant {
	p := &Plant{clock: clock, start: clock().Add(-3*time.Hour - 12*time.Minute), generation: 1, values: map[string]plant.Value{}, settings: map[*tag.Tag]map[string]plant.Setting{}}
	line1 := &tag.Link{Name: "line1", Driver: "modbus-rtu", Endpoint: "/dev/serial/by-id/usb-FTDI_FT232R_A50285BI-if00-port0"}
	plc := &tag.Link{Name: "plc", Driver: "modbus-tcp", Endpoint: "tcp://192.168.10.5:502"}
	press := &tag.Link{Name: "press", Driver: "opcua", Endpoint: "opc.tcp://192.168.10.20:4840"}
	for i := 1; i <= 6; i++ {
		p.meter(line1, fmt.Sprintf("meter%02d", i))
	}
	for _, n := range []string{"pump", "filler", "capper"} {
		p.machine(plc, n)
	}
	for _, n := range []string{"m1", "m2", "m3"} {
		p.motor(press, n)
	}
	slices.SortFunc(p.tags, func(a, b *tag.Tag) int {
		return cmp.Or(strings.Compare(a.Device.Name, b.Device.Name), strings.Compare(a.Name, b.Name))
	})
	p.revisions = []plant.Revision{
		{ID: "r0002", At: p.start, Author: "page", Comment: "new pump", Changes: []string{"device pump: 20 tags new", "interval of filler/speed: 1s → 500ms"}},
		{ID: "r0001", At: p.start.Add(-26 * time.Hour), Author: "root (control socket)", Changes: []string{"first configuration"}},
	}
	p.Step()
	return p
}

func (p *Plant) meter(l *tag.Link, name string) {
	d := device(l, name, map[string]string{"cell": "4"})
	quantities := []struct{ name, unit string }{
		{"voltage", "V"}, {"current", "A"}, {"power", "W"}, {"reactive", "var"}, {"factor", ""}, {"energy", "kWh"},
	}
	for i, q := range quantities {
		for phase := 1; phase <= 3; phase++ {
			p.add(d, fmt.Sprintf("%s_l%d", q.name, phase), q.unit, 10*time.Second, map[string]string{
				"address": fmt.Sprintf("ir:%d", i*6+(phase-1)*2), "type": "float32", "byte_order": "ABCD",
			})
		}
	}
	p.add(d, "frequency", "Hz", 10*time.Second, map[string]string{"address": "ir:70", "type": "float32", "byte_order": "ABCD", "deadband": "0.01"})
}

func (p *Plant) machine(l *tag.Link, name string) {
	d := device(l, name, map[string]string{"cell": "2"})
	p.add(d, "speed", "rpm", 500*time.Millisecond, map[string]string{"address": "hr:100", "type": "uint16", "scale": "0.1", "deadband": "1", "description": "speed of the main drive"})
	p.add(d, "total", "m³", 500*time.Millisecond, map[string]string{"address": "hr:102", "type": "float32", "byte_order": "CDAB", "class": "alarm"})
	p.add(d, "fault", "", 500*time.Millisecond, map[string]string{"address": "hr:110.3", "type": "bool"})
	p.add(d, "batches", "", time.Second, map[string]string{"address": "hr:104", "type": "uint64", "byte_order": "ABCDEFGH"})
	p.add(d, "recipe", "", 5*time.Second, map[string]string{"address": "hr:200", "type": "string", "length": "16"})
	p.add(d, "setpoint", "rpm", time.Second, map[string]string{"address": "hr:120", "type": "int16", "min": "0", "max": "1500", "access": "read-write"})
	for i := 1; i <= 14; i++ {
		p.add(d, fmt.Sprintf("temperature_%02d", i), "°C", time.Second, map[string]string{"address": fmt.Sprintf("hr:%d", 300+i), "type": "int16", "scale": "0.1", "offset": "-40"})
	}
}

func (p *Plant) motor(l *tag.Link, name string) {
	d := device(l, name, map[string]string{"cell": "7"})
	for i := 1; i <= 23; i++ {
		unit := []string{"rpm", "A", "°C", ""}[i%4]
		p.add(d, fmt.Sprintf("signal_%02d", i), unit, 250*time.Millisecond, map[string]string{"address": fmt.Sprintf(`s7:"DB_Motors"."%s"."S%d"`, strings.ToUpper(name), i), "type": "float64"})
	}
}

func device(l *tag.Link, name string, labels map[string]string) *tag.Device {
	d := &tag.Device{Name: name, Link: l, DeadAfter: 3, Labels: labels}
	l.Devices = append(l.Devices, d)
	return d
}

// keys is every key that the editor knows.
var keys = []string{"address", "type", "byte_order", "length", "scale", "offset", "unit", "deadband", "min", "max", "interval", "class", "access", "description"}

func (p *Plant) add(d *tag.Device, name, unit string, every time.Duration, set map[string]string) {
	t := &tag.Tag{Name: name, Device: d, Unit: unit, Interval: every, Labels: d.Labels}
	set["unit"], set["interval"] = unit, every.String()
	s := map[string]plant.Setting{}
	for _, k := range keys {
		if d.Link.Driver == "opcua" && (k == "byte_order" || k == "length") {
			continue
		}
		s[k] = plant.Setting{Text: set[k], From: "tag"}
		if set[k] == "" {
			s[k] = plant.Setting{Text: map[string]string{"class": "normal", "access": "read"}[k], From: "default"}
		}
	}
	s["interval"] = plant.Setting{Text: set["interval"], From: "device"}
	use(t, s)
	d.Tags = append(d.Tags, t)
	p.tags, p.settings[t] = append(p.tags, t), s
}

// use gives a tag the fields that follow from settings which were checked.
func use(t *tag.Tag, s map[string]plant.Setting) {
	t.Address, t.Type, t.Unit, t.Description = s["address"].Text, s["type"].Text, s["unit"].Text, s["description"].Text
	t.Interval, _ = time.ParseDuration(s["interval"].Text)
	_ = t.Class.UnmarshalText([]byte(s["class"].Text))
	_ = t.Access.UnmarshalText([]byte(s["access"].Text))
}

// Step moves every value that is alive.
func (p *Plant) Step() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock()
	p.steps++
	for i := range p.tags {
		t := p.tags[i]
		old := p.values[t.Path()]
		v := plant.Value{Time: now, Fresh: now, Version: old.Version + 1}
		switch path := t.Path(); {
		case t.Device.Name == "meter05":
			if old.Version > 0 {
				continue
			}
			v = plant.Value{Quality: tag.BadFor(tag.ReasonDeviceDead), Time: now.Add(-7 * time.Minute), Fresh: now.Add(-7 * time.Minute), Version: 1}
		case path == "filler/temperature_03":
			v.Quality = tag.BadFor(tag.ReasonBadAddress)
		case path == "filler/temperature_04":
			if old.Version > 0 {
				continue
			}
			v.Value, v.Quality = tag.Float64(21.5), tag.UncertainFor(tag.ReasonStale)
			v.Time, v.Fresh = now.Add(-4*time.Minute), now.Add(-4*time.Minute)
		case path == "filler/temperature_05":
			v.Value, v.Quality = tag.Float64(181.3), tag.UncertainFor(tag.ReasonOutOfRange)
		default:
			v.Value = p.next(t, i)
		}
		p.values[t.Path()] = v
	}
}

func (p *Plant) next(t *tag.Tag, i int) tag.Value {
	wave := math.Sin(float64(p.steps)/7 + float64(i))
	switch t.Type {
	case "bool":
		return tag.Bool(p.steps%40 > 36)
	case "string":
		return tag.String("Apple juice 0.5 l")
	case "uint64":
		return tag.Uint(9007199254740993 + p.steps)
	case "float32":
		return tag.Float32(float32(math.Round((230+3*wave)*100) / 100))
	}
	return tag.Float64(math.Round((148+20*wave)*10) / 10)
}

// SetUplinkDown cuts or mends the uplink "plant".
func (p *Plant) SetUplinkDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.uplinkDown = down
}

// Tags implements plant.Plant.
func (p *Plant) Tags() ([]*tag.Tag, uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tags, p.generation
}

// Value implements plant.Plant.
func (p *Plant) Value(t *tag.Tag) plant.Value {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.values[t.Path()]
}

// Settings implements plant.Plant.
func (p *Plant) Settings(t *tag.Tag) map[string]plant.Setting {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.settings[t])
}

// Status implements plant.Plant.
func (p *Plant) Status() plant.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock()
	s := plant.Status{
		Gateway: "plant1-line3", Version: "0.1.0-test", Started: p.start, Now: now, Revision: p.revisions[0].ID,
		Links: []plant.Link{
			{Name: "line1", Driver: "modbus-rtu", Endpoint: "/dev/serial/by-id/usb-FTDI_FT232R_A50285BI-if00-port0", State: plant.Up, Since: p.start, Requested: 10 * time.Second, Measured: 6100 * time.Millisecond, Achievable: 10 * time.Second, Planned: 0.61, Used: 0.63, Budget: "asked 10s, which takes 61 % of its time; meter03 costs 22 %", Cycles: p.steps, Connects: 1, Counts: map[string]uint64{"answers": p.steps, "late": 3}, Notes: []string{"answers come twice on this line (3 so far)"}},
			{Name: "plc", Driver: "modbus-tcp", Endpoint: "tcp://192.168.10.5:502", State: plant.Up, Since: p.start, Requested: 500 * time.Millisecond, Measured: 620 * time.Millisecond, Cycles: p.steps, Overruns: 214, Connects: 2},
			{Name: "press", Driver: "opcua", Endpoint: "opc.tcp://192.168.10.20:4840", State: plant.Up, Since: p.start, Requested: 250 * time.Millisecond, Measured: 12 * time.Millisecond, Cycles: p.steps, Connects: 1},
		},
		Uplinks: []plant.Uplink{
			{Name: "plant", Broker: "mqtts://broker-a:8883", Format: "json", State: plant.Up, Since: p.start, InFlight: 3, Delivered: 1_204_332 + p.steps, AckDelay: 14 * time.Millisecond},
			{Name: "cloud", Broker: "mqtts://iot.example.com:8883", Format: "json", State: plant.Up, Since: now.Add(-9 * time.Minute), Pending: 48_212, Backlog: 48_000, Oldest: now.Add(-41 * time.Minute), InFlight: 64, Delivered: 912_004 + p.steps, AckDelay: 88 * time.Millisecond},
		},
		Buffer: plant.Buffer{State: plant.Up, Bytes: 312 << 20, MaxBytes: 4 << 30, Oldest: now.Add(-41 * time.Minute), Appended: 1_260_004 + p.steps},
	}
	if p.uplinkDown {
		u := &s.Uplinks[0]
		u.State, u.Since, u.Error, u.Pending, u.Oldest, u.InFlight = plant.Down, now.Add(-3*time.Minute), "dial tcp broker-a:8883: connection refused", 1742, now.Add(-3*time.Minute), 0
	}
	s.Devices = p.devicesLocked(now)
	return s
}

func (p *Plant) devicesLocked(now time.Time) []plant.Device {
	seen := map[string]bool{}
	var list []plant.Device
	for i := range p.tags {
		d := p.tags[i].Device
		if seen[d.Name] {
			continue
		}
		seen[d.Name] = true
		v := plant.Device{Name: d.Name, Link: d.Link.Name, State: plant.Up, Since: p.start, LastAnswer: now, RoundTrip: 21 * time.Millisecond}
		if d.Name == "meter05" {
			dead := now.Add(-6*time.Minute - 51*time.Second)
			v.State, v.Since, v.LastAnswer, v.Missed, v.Errors = plant.Dead, dead, dead.Add(-time.Second), 412, 415
			v.Error = "read input registers 0-35 of unit 5: timeout"
		}
		list = append(list, v)
	}
	return list
}

// Read implements plant.Control.
func (p *Plant) Read(_ context.Context, device, name string) (plant.Value, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, ok := p.values[device+"/"+name]
	if !ok {
		return plant.Value{}, fmt.Errorf("read %s/%s: %w", device, name, plant.ErrUnknown)
	}
	p.reads++
	if device != "meter05" {
		v.Time, v.Fresh = p.clock(), p.clock()
	}
	return v, nil
}

// Facts implements plant.Control.
func (p *Plant) Facts(context.Context) []learnt.Fact {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.forgot {
		return nil
	}
	return []learnt.Fact{{
		Link: "line1", ID: "meter03/hr:100-119", Device: "meter03", Text: "refuses holding registers 100-119",
		Why: "exception 2 (illegal data address) to a read of 125 at 0", Learned: p.start, Retry: p.start.Add(24 * time.Hour),
	}}
}

// Forget implements plant.Control.
func (p *Plant) Forget(_ context.Context, id, _ string) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.forgot || id != "meter03" && id != "meter03/hr:100-119" {
		return 0, plant.ErrUnknown
	}
	p.forgot = true
	return 1, nil
}

// Reload implements plant.Control: the files are as they were.
func (p *Plant) Reload(context.Context, string) (plant.Report, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.revisions[0]
	return plant.Report{Applied: &r}, nil
}

// Reads returns how often a device was asked by Read.
func (p *Plant) Reads() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reads
}

// Heal makes a tag good, until the next Step.
func (p *Plant) Heal(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.values[path]
	v.Quality, v.Value, v.Version = tag.OK(), tag.Float64(20), v.Version+1
	p.values[path] = v
}
