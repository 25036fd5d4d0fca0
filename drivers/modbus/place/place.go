// Package place opens a Modbus port or address where no gateway has it, for
// as long as somebody finds out something there. Open blocks like
// drivers.Driver.Open; nothing is kept.
package place

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus"
	"fieldferry/drivers/modbus/tty"
	"fieldferry/tag"
)

// Place is where somebody wants to find out something without a gateway.
type Place struct {
	Endpoint string        // as a tag map has it
	Driver   string        // modbus-tcp, modbus-rtu, ...
	Serial   tty.Settings  // of a serial port; Baud 0: 9600 8N1, in ASCII 9600 7E1
	Limit    time.Duration // the longest that a query will wait
}

// Open connects to the place; the Conn is an ask.Prober. It blocks like
// Driver.Open. An error that wraps drivers.ErrLinkDown may pass; any other is
// a place that cannot be.
func (p Place) Open(ctx context.Context) (drivers.Conn, error) {
	d, ok := drivers.Lookup(p.Driver)
	if !ok {
		return nil, fmt.Errorf("no driver %q", p.Driver)
	}
	l := &tag.Link{Name: p.Endpoint, Driver: p.Driver, Endpoint: p.Endpoint, Options: d.Options().Link}
	timeout := min(max(2*p.Limit, time.Second), time.Minute)
	switch o := l.Options.(type) {
	case *modbus.TCPOptions:
		o.Timeout = timeout
	case *modbus.RTUOptions:
		o.Timeout = timeout
		if p.Serial.Baud != 0 {
			o.Serial = p.Serial
		}
	}
	for _, f := range d.Check(l) {
		return nil, f.Fault
	}
	return d.Open(ctx, l, slog.New(slog.DiscardHandler))
}
