package calc

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"fieldferry/drivers"
	"fieldferry/live"
	"fieldferry/tag"
)

// TagOptions are the keys that a computed tag adds.
type TagOptions struct {
	Expr    string `yaml:"expr"`    // the expression; there is no default
	Require string `yaml:"require"` // all or any of the sources must be good; default all

	// Bound is what Bind found; it is not a key.
	Bound Binding `yaml:"-"`
}

type driver struct{ store *live.Store }

// New returns the driver of computed tags, which reads the latest values from
// store. Call Bind for each tag map beside its Check.
func New(store *live.Store) drivers.Driver { return driver{store} }

func (driver) Options() drivers.Options {
	return drivers.Options{Tag: &TagOptions{Require: "all"}}
}

// types are what a computed tag may be; without one it is what comes out.
var types = []string{"", "bool", "int64", "float64", "string"}

func (driver) Check(l *tag.Link) []drivers.Fault {
	var faults []drivers.Fault
	if l.Endpoint != "" {
		faults = append(faults, drivers.Fault{Fault: tag.Fault{Path: "endpoint",
			Text: fmt.Sprintf("a calc link connects to nothing, but the endpoint is %q", l.Endpoint), Hint: "remove it"}})
	}
	for _, d := range l.Devices {
		for _, t := range d.Tags {
			for _, f := range checkTag(t) {
				faults = append(faults, drivers.Fault{Device: d, Tag: t, Fault: f})
			}
		}
	}
	return faults
}

func checkTag(t *tag.Tag) tag.Faults {
	o, ok := t.Options.(*TagOptions)
	if !ok {
		return tag.Faults{{Path: "expr", Text: "a computed tag needs an expression", Hint: `such as sum(tags("inv*/power"))`}}
	}
	_, fs := compile(o.Expr)
	if o.Require != "all" && o.Require != "any" {
		fs = append(fs, tag.Fault{Path: "require", Text: fmt.Sprintf("unknown require %q", o.Require), Hint: "use all or any"})
	}
	if t.Access != tag.AccessRead {
		fs = append(fs, tag.Fault{Path: "access", Text: fmt.Sprintf("a computed tag cannot have the access %s", t.Access), Hint: "it can only be read: remove it"})
	}
	if t.Address != "" {
		fs = append(fs, tag.Fault{Path: "address", Text: fmt.Sprintf("a computed tag has no address, but %q is written", t.Address), Hint: "remove it"})
	}
	if !slices.Contains(types, t.Type) {
		fs = append(fs, tag.Fault{Path: "type", Text: fmt.Sprintf("a computed tag cannot be of type %q", t.Type),
			Hint: "use bool, int64, float64 or string, or leave it out"})
	}
	return fs
}

// Open connects to nothing and succeeds.
func (d driver) Open(ctx context.Context, _ *tag.Link, log *slog.Logger) (drivers.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &conn{store: d.store, log: log, closed: make(chan struct{})}, nil
}

type conn struct {
	store  *live.Store
	log    *slog.Logger
	once   sync.Once
	closed chan struct{} // closed by Close
}

func (c *conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// down says that Close was called.
func (c *conn) down() error {
	select {
	case <-c.closed:
		return fmt.Errorf("computed tags: %w", drivers.ErrLinkDown)
	default:
		return nil
	}
}

func (c *conn) Prepare(_ context.Context, d *tag.Device, tags []*tag.Tag) (drivers.Group, error) {
	g := &group{conn: c}
	for _, t := range tags {
		o, ok := t.Options.(*TagOptions)
		if !ok || o.Bound.b == nil {
			return nil, &drivers.DeviceError{Device: d.Name, Reason: tag.ReasonDriver,
				Err: fmt.Errorf("the sources of computed tag %s are not bound", t.Path())}
		}
		g.readers = append(g.readers, newReader(t, o, c))
		g.interval = t.Interval // the same for all of a group
	}
	return g, nil
}
