package modbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/probe"
	"fieldferry/drivers/modbus/tty"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/drivers/modbus/wire/backup"
	"fieldferry/drivers/modbus/wire/line"
	"fieldferry/drivers/modbus/wire/masters"
	"fieldferry/drivers/modbus/wire/reach"
	"fieldferry/drivers/modbus/wire/tcp"
	"fieldferry/tag"
)

// framing is what a driver speaks.
type framing uint8

const (
	overTCP framing = iota
	overRTU
	overASCII
)

// driver is one of the three drivers.
type driver struct {
	framing framing
	hub     *reach.Hub // where devices dial in
	shelf   shelf      // what was learnt about devices

	mu    sync.Mutex // guards the field below
	known map[whereabouts]*past
}

// whereabouts is a link, whatever becomes of its connections.
type whereabouts struct{ link, endpoint string }

// past is what outlives the connections of a link.
type past struct {
	line   *line.Memory
	choice backup.Choice
	tap    probe.Tap
	others masters.Watch
	seen   tally
}

func newDriver(f framing) *driver {
	return &driver{framing: f, hub: reach.NewHub(), known: map[whereabouts]*past{}}
}

// serial says that the framing is one of serial lines.
func (d *driver) serial() bool { return d.framing != overTCP }

// pastOf is what is known of a link from its connections before.
func (d *driver) pastOf(l *tag.Link) *past {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := whereabouts{l.Name, l.Endpoint}
	if d.known[at] == nil {
		d.known[at] = &past{line: line.NewMemory()}
	}
	return d.known[at]
}

func (d *driver) lineDefaults() RTUOptions {
	if d.framing == overASCII {
		return defaultASCII()
	}
	return defaultRTU()
}

// depth is how many requests a link may have under way at once.
func (d *driver) depth(l *tag.Link) int {
	if d.serial() {
		return 1
	}
	return of(l.Options, defaultTCP).Pipeline
}

// common is the part of a link's options that all drivers have.
func (d *driver) common(l *tag.Link) LinkOptions {
	if d.serial() {
		return of(l.Options, d.lineDefaults).LinkOptions
	}
	return of(l.Options, defaultTCP).LinkOptions
}

// linkFaults tells what is wrong with a link itself.
func (d *driver) linkFaults(l *tag.Link) tag.Faults {
	var faults tag.Faults
	e, fault := d.endpoint(l.Endpoint)
	if fault != nil {
		faults = append(faults, *fault)
	}
	if d.serial() {
		o := of(l.Options, d.lineDefaults)
		faults = append(faults, o.faults()...)
		if d.framing == overRTU && o.Serial.DataBits == 7 {
			faults = append(faults, tag.Fault{Path: "serial.data_bits", Text: "RTU cannot be spoken with 7 data bits", Hint: "use 8, or driver modbus-ascii"})
		}
	} else {
		faults = append(faults, of(l.Options, defaultTCP).faults()...)
	}
	return append(faults, d.reachFaults(e, d.common(l))...)
}

// reachFaults tells what is wrong with how the device is reached.
func (d *driver) reachFaults(e endpoint, o LinkOptions) tag.Faults {
	var faults tag.Faults
	fault := func(path, hint, format string, args ...any) {
		faults = append(faults, tag.Fault{Path: path, Text: fmt.Sprintf(format, args...), Hint: hint})
	}
	from, bad := o.from(e)
	faults = append(faults, bad...)
	switch {
	case e.listen != "" && len(bad) == 0 && len(from) == 0:
		fault("allow", "name the address of the device, as in allow: [10.1.0.7]", "nobody is allowed to dial in at %s", e.listen)
	case e.listen == "" && len(o.Allow) > 0:
		fault("allow", "leave it out, or use an endpoint listen://:port", "an allow-list where nobody dials in")
	}
	if o.Backup == "" {
		return faults
	}
	if b, f := d.endpoint(o.Backup); f != nil {
		fault("backup", f.Hint, "%s", f.Text)
	} else if b.listen != "" || e.listen != "" {
		fault("backup", "a device that dials in does so at one place", "no backup for, or by, listen://")
	} else if b == e {
		fault("backup", "name the other address of the device", "the backup is the endpoint itself")
	}
	return faults
}

// from is who may dial in.
func (o LinkOptions) from(e endpoint) ([]netip.Prefix, tag.Faults) {
	var prefixes []netip.Prefix
	var faults tag.Faults
	for i, s := range o.Allow {
		p, err := netip.ParsePrefix(s)
		if a, aerr := netip.ParseAddr(s); aerr == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		switch {
		case err != nil:
			faults = append(faults, tag.Fault{Path: fmt.Sprintf("allow[%d]", i), Text: fmt.Sprintf("%q is not an address", s), Hint: "write 10.1.0.7, or a network such as 10.1.0.0/24"})
		case p.Bits() == 0:
			faults = append(faults, tag.Fault{Path: fmt.Sprintf("allow[%d]", i), Text: fmt.Sprintf("%q is everybody", s), Hint: "name the addresses or the network of the devices"})
		}
		prefixes = append(prefixes, p)
	}
	if len(faults) > 0 || !e.from.IsValid() {
		return prefixes, faults
	}
	for _, p := range prefixes {
		if p.Contains(e.from) {
			return []netip.Prefix{netip.PrefixFrom(e.from, e.from.BitLen())}, nil
		}
	}
	return nil, tag.Faults{{Path: "allow", Text: fmt.Sprintf("%s may not dial in", e.from), Hint: "add it to the list"}}
}

// connect makes the link, at its endpoint or at its backup.
func (d *driver) connect(ctx context.Context, l *tag.Link, log *slog.Logger) (wire.Link, error) {
	first, fault := d.endpoint(l.Endpoint)
	if fault != nil {
		return nil, *fault
	}
	o, m := d.common(l), d.pastOf(l)
	m.tap.Open(ctx, o.RecordFrames)
	m.others.Log(log)
	if o.Backup == "" {
		return d.dial(ctx, l, first, m, log)
	}
	second, fault := d.endpoint(o.Backup)
	if fault != nil {
		return nil, *fault
	}
	both := []endpoint{first, second}
	which, other := m.choice.Order()
	// Half of the time is for the other one.
	limit := time.Now().Add(5 * time.Second)
	if until, ok := ctx.Deadline(); ok {
		limit = time.Now().Add(time.Until(until) / 2)
	}
	half, cancel := context.WithDeadline(ctx, limit)
	link, err := d.dial(half, l, both[which], m, log)
	cancel()
	if err != nil && ctx.Err() == nil {
		var err2 error
		which = other
		if link, err2 = d.dial(ctx, l, both[which], m, log); err2 != nil {
			return nil, fmt.Errorf("neither address: %w; %w", err, err2)
		}
	} else if err != nil {
		return nil, err
	}
	if which == 1 {
		log.Warn("link runs on its backup", "backup", o.Backup)
	}
	again := func(ctx context.Context) (wire.Link, error) { return d.dial(ctx, l, first, m, log) }
	return backup.New(link, which, &m.choice, o.FailBack, again), nil
}

// dial makes the link at one endpoint.
func (d *driver) dial(ctx context.Context, l *tag.Link, e endpoint, m *past, log *slog.Logger) (wire.Link, error) {
	o := d.common(l)
	if e.port != "" {
		return d.openPort(ctx, l, e, m)
	}
	conn, err := d.connection(ctx, e, o, log)
	if err != nil {
		return nil, err
	}
	if !wire.Pause(ctx, o.PauseAfterConnect) {
		_ = conn.Close() // the context's error is the one to tell
		return nil, ctx.Err()
	}
	if d.serial() {
		w := d.line(l, m)
		w.GiveUp, w.Gap = true, of(l.Options, d.lineDefaults).FrameGap
		return line.New(line.OnTCP(conn), w), nil
	}
	t := of(l.Options, defaultTCP)
	return tcp.New(conn, tcp.Options{Options: o.wire(l, &m.tap), AnyUnit: t.AcceptAnyUnit, Depth: t.Pipeline}), nil
}

// connection dials, or waits for the device to dial in.
func (d *driver) connection(ctx context.Context, e endpoint, o LinkOptions, log *slog.Logger) (net.Conn, error) {
	patience := max(10*time.Second, 3*o.Timeout)
	if e.listen == "" {
		return reach.Dial(ctx, e.address, patience)
	}
	from, faults := o.from(e)
	if len(faults) > 0 {
		return nil, faults
	}
	conn, err := d.hub.Accept(ctx, reach.Door{Listen: e.listen, From: from, Patience: patience, Refused: func(a netip.Addr) {
		log.Debug("refused a device that dialled in", "from", a, "listen", e.listen)
	}})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: %w", drivers.ErrAbsent, err)
	}
	return conn, err
}

// openPort makes the link on a serial port.
func (d *driver) openPort(ctx context.Context, l *tag.Link, e endpoint, m *past) (wire.Link, error) {
	o := of(l.Options, d.lineDefaults)
	p, err := tty.Open(e.port, o.Serial)
	if err != nil {
		return nil, err
	}
	if !wire.Pause(ctx, o.PauseAfterConnect) {
		_ = p.Close() // the context's error is the one to tell
		return nil, ctx.Err()
	}
	w := d.line(l, m)
	w.Char, w.Gap = o.Serial.Timing()
	if o.FrameGap > 0 {
		w.Gap = o.FrameGap
	}
	return line.New(p, w), nil
}

// line is what a serial framing needs anywhere.
func (d *driver) line(l *tag.Link, m *past) line.Options {
	o := of(l.Options, d.lineDefaults)
	w := line.Options{Options: o.wire(l, &m.tap), LateWindow: o.LateWindow, Echo: echoes[o.Echo], Memory: m.line, Longest: longest(l), Copied: m.others.Copied}
	if d.framing == overASCII {
		w.Framing = frame.SerialASCII
	}
	w.Tap = m.others.Behind(w.Tap)
	return w
}
