// Package sim is a driver without a wire: signals made up from the clock,
// memory that can be written, and faults on request. It serves the first
// steps of a user without a device, the demo, and tests of everything above
// the drivers.
//
// The address of a tag names its signal: constant, sine, ramp, square, noise,
// counter (one more at every read), clock (Unix seconds), text, or memory
// (keeps what is written to it). A device can be made to fall silent
// regularly, and a read to take its time.
package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"fieldferry/drivers"
	"fieldferry/tag"
)

func init() { drivers.Register("sim", New()) }

// DeviceOptions are the keys that a simulated device adds.
type DeviceOptions struct {
	Delay     time.Duration `yaml:"delay"`      // how long a read takes; default 0
	DeadEvery time.Duration `yaml:"dead_every"` // fall silent this often; default never
	DeadFor   time.Duration `yaml:"dead_for"`   // for so long; default a quarter of dead_every
}

// TagOptions are the keys that a simulated tag adds.
type TagOptions struct {
	Low    float64       `yaml:"low"`    // lowest value of the signal; default 0
	High   float64       `yaml:"high"`   // highest value of the signal; default 100
	Period time.Duration `yaml:"period"` // of sine, ramp and square; default 60s
	Noise  float64       `yaml:"noise"`  // half width of even noise added to it; default 0
}

// Driver makes signals. Memory is kept from one connection to the next.
type Driver struct {
	mu     sync.Mutex // guards memory and counts
	memory map[string]tag.Value
	counts map[string]uint64
}

// New returns a driver with empty memory.
func New() *Driver {
	return &Driver{memory: map[string]tag.Value{}, counts: map[string]uint64{}}
}

// Options returns the defaults.
func (d *Driver) Options() drivers.Options {
	return drivers.Options{
		Device: &DeviceOptions{},
		Tag:    &TagOptions{High: 100, Period: time.Minute},
	}
}

var signals = []string{"clock", "constant", "counter", "memory", "noise", "ramp", "sine", "square", "text"}

var types = []string{"bool", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float32", "float64", "string"}

// Check tells unknown signals and types, and limits that do not fit.
func (d *Driver) Check(l *tag.Link) []drivers.Fault {
	var faults []drivers.Fault
	for _, dev := range l.Devices {
		for _, t := range dev.Tags {
			for _, f := range checkTag(t) {
				faults = append(faults, drivers.Fault{Device: dev, Tag: t, Fault: f})
			}
		}
		o, _ := dev.Options.(*DeviceOptions)
		if o != nil && o.DeadEvery > 0 && o.DeadFor >= o.DeadEvery {
			faults = append(faults, drivers.Fault{Device: dev, Fault: tag.Fault{Path: "dead_for",
				Text: fmt.Sprintf("%s is not shorter than dead_every, %s", o.DeadFor, o.DeadEvery), Hint: "the device would never answer"}})
		}
	}
	return faults
}

func checkTag(t *tag.Tag) (faults tag.Faults) {
	if !slices.Contains(signals, t.Address) {
		faults = append(faults, tag.Fault{Path: "address", Text: fmt.Sprintf("unknown signal %q", t.Address), Hint: "one of " + strings.Join(signals, ", ")})
	}
	if !slices.Contains(types, t.Type) {
		faults = append(faults, tag.Fault{Path: "type", Text: fmt.Sprintf("unknown type %q", t.Type), Hint: "one of " + strings.Join(types, ", ")})
	}
	if t.Access.Writable() && t.Address != "memory" {
		faults = append(faults, tag.Fault{Path: "access", Text: fmt.Sprintf("signal %q cannot be written", t.Address), Hint: "only memory can"})
	}
	if o, ok := t.Options.(*TagOptions); ok {
		if o.Low > o.High {
			faults = append(faults, tag.Fault{Path: "low", Text: fmt.Sprintf("%v is above high, %v", o.Low, o.High)})
		}
		if o.Period <= 0 {
			faults = append(faults, tag.Fault{Path: "period", Text: fmt.Sprintf("%s is not above zero", o.Period)})
		}
	}
	return faults
}

// Open always succeeds.
func (d *Driver) Open(ctx context.Context, _ *tag.Link, _ *slog.Logger) (drivers.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &conn{driver: d, closed: make(chan struct{})}, nil
}

type conn struct {
	driver *Driver
	once   sync.Once
	closed chan struct{} // closed by Close
}

func (c *conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *conn) Prepare(_ context.Context, d *tag.Device, tags []*tag.Tag) (drivers.Group, error) {
	g := &group{conn: c, dev: d, opts: &DeviceOptions{}}
	if o, ok := d.Options.(*DeviceOptions); ok {
		g.opts = o
	}
	for _, t := range tags {
		s := signal{tag: t, opts: &TagOptions{High: 100, Period: time.Minute}, rand: rand.New(rand.NewPCG(seed(t.Path()), 1))}
		if o, ok := t.Options.(*TagOptions); ok {
			s.opts = o
		}
		g.signals = append(g.signals, s)
	}
	return g, nil
}

type group struct {
	conn    *conn
	dev     *tag.Device
	opts    *DeviceOptions
	signals []signal
}

type signal struct {
	tag  *tag.Tag
	opts *TagOptions
	rand *rand.Rand
}

// Read makes up a value for every tag.
func (g *group) Read(ctx context.Context, dst []tag.Sample) ([]tag.Sample, error) {
	if err := g.answer(ctx); err != nil {
		return dst, err
	}
	now := time.Now().UTC()
	for i := range g.signals {
		s := &g.signals[i]
		dst = append(dst, tag.Sample{Tag: s.tag, Value: g.conn.driver.value(s, now), Time: now})
	}
	return dst, nil
}

// answer waits as long as the device would, and says whether it answers.
func (g *group) answer(ctx context.Context) error {
	if g.silent(time.Now()) {
		return &drivers.DeviceError{Device: g.dev.Name, Reason: tag.ReasonTimeout, Err: errors.New("the simulated device is silent")}
	}
	if g.opts.Delay <= 0 {
		return g.err(ctx)
	}
	t := time.NewTimer(g.opts.Delay)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-g.conn.closed:
		return fmt.Errorf("read: %w", drivers.ErrLinkDown)
	}
}

func (g *group) err(ctx context.Context) error {
	select {
	case <-g.conn.closed:
		return fmt.Errorf("read: %w", drivers.ErrLinkDown)
	default:
		return ctx.Err()
	}
}

// silent says whether the device is in the silent end of its cycle.
func (g *group) silent(now time.Time) bool {
	every, length := g.opts.DeadEvery, g.opts.DeadFor
	if every <= 0 {
		return false
	}
	if length <= 0 {
		length = every / 4
	}
	return time.Duration(now.UnixNano())%every >= every-length
}

// Write keeps a value in memory and reads it back.
func (g *group) Write(ctx context.Context, t *tag.Tag, v tag.Value) (tag.Sample, error) {
	if err := g.answer(ctx); err != nil {
		return tag.Sample{}, err
	}
	if t.Address != "memory" {
		return tag.Sample{}, fmt.Errorf("signal %q cannot be written", t.Address)
	}
	kept, err := convert(t.Type, v)
	if err != nil {
		return tag.Sample{}, err
	}
	d := g.conn.driver
	d.mu.Lock()
	d.memory[t.Path()] = kept
	d.mu.Unlock()
	return tag.Sample{Tag: t, Value: kept, Time: time.Now().UTC()}, nil
}

func (d *Driver) value(s *signal, now time.Time) tag.Value {
	switch s.tag.Address {
	case "memory", "counter":
		return d.kept(s)
	case "text":
		return tag.String("the quick brown fox, " + now.Format(time.TimeOnly))
	}
	f := s.number(now)
	if s.opts.Noise > 0 {
		f += (2*s.rand.Float64() - 1) * s.opts.Noise
	}
	return typed(s.tag.Type, f)
}

func (d *Driver) kept(s *signal) tag.Value {
	d.mu.Lock()
	defer d.mu.Unlock()
	path := s.tag.Path()
	if s.tag.Address == "counter" {
		d.counts[path]++
		return typed(s.tag.Type, float64(d.counts[path]))
	}
	if v, ok := d.memory[path]; ok {
		return v
	}
	return typed(s.tag.Type, s.opts.Low)
}

// number is the signal at a time, without noise.
func (s *signal) number(now time.Time) float64 {
	low, span := s.opts.Low, s.opts.High-s.opts.Low
	phase := float64(time.Duration(now.UnixNano())%s.opts.Period) / float64(s.opts.Period)
	switch s.tag.Address {
	case "sine":
		return low + span*(1+math.Sin(2*math.Pi*phase))/2
	case "ramp":
		return low + span*phase
	case "square":
		return low + span*math.Round(phase)
	case "noise":
		return low + span*s.rand.Float64()
	case "clock":
		return float64(now.Unix())
	}
	return s.opts.High // constant
}

func seed(path string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := 0; i < len(path); i++ {
		h = (h ^ uint64(path[i])) * 1099511628211
	}
	return h
}
