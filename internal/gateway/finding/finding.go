// Package finding lets people find out what is on a running link: it lends the
// link for single requests, shows what was recorded on it, and reads registers
// in every order. It implements find.Finder for internal/gateway.
//
// It keeps no state but what it is made with, and is safe for concurrent use.
package finding

import (
	"context"
	"errors"
	"fmt"

	"fieldferry/drivers"
	"fieldferry/drivers/acquire"
	"fieldferry/drivers/ask"
	"fieldferry/drivers/modbus/detect"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/recorder"
	"fieldferry/web/find"
)

// Link is a running link as far as it is found out about.
type Link struct {
	Runner   *acquire.Runner
	Recorder *recorder.Recorder
}

// Finder implements find.Finder over the links that run just now.
type Finder struct {
	// Find returns a running link by name; it does not block.
	Find func(name string) (Link, bool)
}

var _ find.Finder = Finder{}

func (f Finder) link(name string) (Link, error) {
	l, ok := f.Find(name)
	if !ok {
		return l, fmt.Errorf("link %q: %w", name, find.ErrNoLink)
	}
	return l, nil
}

// Probe lends the link for one request.
func (f Finder) Probe(ctx context.Context, link string, q find.Query) (find.Answer, error) {
	l, err := f.link(link)
	if err != nil {
		return find.Answer{}, err
	}
	a, err := l.Runner.Probe(ctx, ask.Query(q))
	switch {
	case errors.Is(err, drivers.ErrLinkDown):
		return find.Answer{}, fmt.Errorf("%w: %w", find.ErrDown, err)
	case ctx.Err() != nil:
		return find.Answer{}, err
	case err != nil:
		return find.Answer{}, fmt.Errorf("%w: %w", find.ErrQuery, err)
	}
	return find.Answer{Outcome: string(a.Outcome), Code: a.Code, Text: a.Text, Data: a.Data, At: a.At, Took: a.Took}, nil
}

// Readings returns every plausible way to read some registers.
func (f Finder) Readings(q find.Question) ([]find.Reading, error) {
	first, err := layout.ParseAddress(q.Address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w (%s)", find.ErrQuery, err, layout.NotationHint())
	}
	asked := first
	if q.Asked != "" {
		if asked, err = layout.ParseAddress(q.Asked); err != nil {
			return nil, fmt.Errorf("%w: %w (%s)", find.ErrQuery, err, layout.NotationHint())
		}
	}
	d := detect.Question{Table: first.Table, First: first.Number, Data: q.Data, Asked: asked.Number, Count: q.Count, Shows: q.Shows}
	found, err := d.Readings()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", find.ErrQuery, err)
	}
	out := make([]find.Reading, len(found))
	for i := range found {
		r := &found[i]
		out[i] = find.Reading{
			Address: r.Spec.Address, Type: r.Spec.Type, ByteOrder: r.Spec.Order, Length: r.Spec.Length, Scale: r.Scale,
			Shown: r.Shown(), Match: r.Match.String(), Score: r.Score, Also: r.Also, Notes: r.Notes, Line: r.Line("value"),
		}
	}
	return out, nil
}

// Frames returns what was recorded on a link.
func (f Finder) Frames(link, kept string) (find.Frames, error) {
	l, err := f.link(link)
	if err != nil {
		return find.Frames{}, err
	}
	rec, ok := l.Recorder.Recent(), true
	if kept != "" {
		rec, ok = l.Recorder.Kept(kept)
	}
	out := find.Frames{Link: link}
	if !ok {
		return out, nil // nothing went wrong yet
	}
	out.Kept, out.Fault = rec.Kept, rec.Fault
	for i := range rec.Frames {
		r := &rec.Frames[i]
		v := find.Frame{At: r.At, Out: r.Out(), Outcome: r.Outcome.String(), Unit: int(r.Unit), Bytes: r.Bytes, Text: r.Words()}
		if r.PDU.Function != 0 {
			v.PDU = append([]byte{r.PDU.Function}, r.PDU.Data...)
		}
		out.Frames = append(out.Frames, v)
	}
	return out, nil
}
