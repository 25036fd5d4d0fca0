package find

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/ask"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/wire"
)

// Asker carries one request to a unit; ask.Prober says what it promises.
type Asker interface {
	Probe(ctx context.Context, q ask.Query) (ask.Answer, error)
}

// Link is a link and how it may be used. Fields are set once.
type Link struct {
	Asker Asker
	Limit time.Duration // how long a unit may take to answer
	Pace  time.Duration // the pause between two requests
	Tries int           // how often a silent unit is asked; at least 1

	asked bool // a request was sent: the next one waits for Pace
}

// linkRetries is how often a request is repeated on a link that has gone, and
// linkPause the time that it has to come back.
const (
	linkRetries = 10
	linkPause   = 500 * time.Millisecond
)

// ask sends one request at the link's pace. A link that has gone is given
// some seconds to come back.
func (l *Link) ask(ctx context.Context, unit int, req frame.PDU) (ask.Answer, error) {
	q := ask.Query{Unit: unit, Request: append([]byte{req.Function}, req.Data...), Limit: l.Limit}
	var a ask.Answer
	var err error
	for range linkRetries {
		pause := l.Pace
		if err != nil {
			pause = max(pause, linkPause)
		}
		if l.asked && !wire.Pause(ctx, pause) {
			return ask.Answer{}, ctx.Err()
		}
		l.asked = true
		if a, err = l.Asker.Probe(ctx, q); !errors.Is(err, drivers.ErrLinkDown) {
			break
		}
	}
	if ctx.Err() != nil {
		return ask.Answer{}, ctx.Err()
	}
	return a, err
}

// persist repeats a request that brought nothing, as often as the link says.
func (l *Link) persist(ctx context.Context, unit int, req frame.PDU) (a ask.Answer, err error) {
	for range max(l.Tries, 1) {
		a, err = l.ask(ctx, unit, req)
		if err != nil || a.Outcome != ask.Silent {
			break
		}
	}
	return a, err
}

// Refusal is a request that brought no values: the device declined it, was
// silent, or answered what cannot be used.
type Refusal struct {
	What   string // what was asked
	Answer ask.Answer
}

func (e *Refusal) Error() string { return e.What + ": " + e.Answer.Text }

// Read reads count registers or bits from the first on and returns their
// bytes as they came: two for a register, bits packed lowest first. It is one
// request for each 125 registers or 2000 bits; an error is a *Refusal, or
// that nothing could be asked.
func (l *Link) Read(ctx context.Context, unit int, first layout.Address, count int) ([]byte, error) {
	most := 125
	if first.Table.Bits() {
		most = 2000
	}
	if count < 1 || first.Number+count > 65536 {
		return nil, fmt.Errorf("%d values from %s on: a table ends at 65535", count, first)
	}
	var data []byte
	for done := 0; done < count; {
		n := min(most, count-done)
		at := first
		at.Number += done
		a, err := l.persist(ctx, unit, frame.Read(first.Table.ReadFunction(), at.Number, n))
		if err != nil {
			return nil, err
		}
		if a.Outcome != ask.Answered {
			return nil, &Refusal{fmt.Sprintf("read %s of unit %d", span(at, n), unit), a}
		}
		data = append(data, a.Data...)
		done += n
	}
	return data, nil
}

// span names some registers: hr:0-9.
func span(first layout.Address, n int) string {
	if n == 1 {
		return first.String()
	}
	return fmt.Sprintf("%s-%d", first, first.Number+n-1)
}
